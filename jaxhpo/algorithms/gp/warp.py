"""Transformations of scores for a Gaussian process."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.history import History
from jaxhpo.types import Array

_WORST = 10.0  # bound on how far a soft score is below the median, in standard deviations of the better half


def warp(history: History) -> Array:
    """Return scores of mean 0 and variance 1 over the filled rows, in the same order: [C] float32; 0 in empty rows.

    The worse half is replaced by the quantiles of a normal distribution at its ranks, as in Vizier's half-rank warping
    (Song et al. 2024, arXiv 2408.11527). So a loss of 1e7 does not compress the other scores. The better half keeps its
    distances. Failed trials count as the worst. Constant scores are all 0.
    """
    rows, _, above, lead, spread = _halves(history)
    upper = jnp.where(spread > 0, lead / jnp.where(spread > 0, spread, 1.0), 0.0)
    return _standardised(rows, jnp.where(above, upper, _normal_scores(history)))


def soften(history: History) -> Array:
    """Return scores like those of `warp`, but with the small distances in the worse half kept.

    A score that is d standard deviations of the better half below the median becomes -d / (1 + d / 10). Scores a little
    below the median show how the function falls, and no score is more than ten deviations below.
    """
    rows, score, above, lead, spread = _halves(history)
    middle = jnp.min(jnp.where(above, score, jnp.inf))
    below = jnp.where(above | ~rows, 0.0, middle - score) / jnp.where(spread > 0, spread, 1.0)
    lower = jnp.where(spread > 0, -_WORST * (1.0 - _WORST / (_WORST + below)), _normal_scores(history))
    upper = jnp.where(spread > 0, lead / jnp.where(spread > 0, spread, 1.0), 0.0)
    return _standardised(rows, jnp.where(above, upper, lower))


def _halves(history: History) -> tuple[Array, Array, Array, Array, Array]:
    """Return filled rows, scores, the better half, its distances from its worst score, and their spread."""
    rows, score = histories.filled(history), histories.imputed(history)
    above = rows & (histories.ranks(history) >= 0.5)
    middle = jnp.min(jnp.where(above, score, jnp.inf))
    middle = jnp.where(jnp.isfinite(middle), middle, 0.0)
    count = jnp.maximum(jnp.sum(above, dtype=jnp.float32), 1.0)
    lead = jnp.where(above, score - middle, 0.0)
    largest = jnp.maximum(jnp.max(lead), 1e-30)  # avoids overflow of the squares
    spread = largest * jnp.sqrt(jnp.sum((lead / largest) ** 2) / count)
    # A spread that consists of rounding errors counts as 0.
    spread = jnp.where(spread > 1e-6 * jnp.maximum(jnp.abs(middle), 1e-6), spread, 0.0)
    return rows, score, above, lead, spread


def _normal_scores(history: History) -> Array:
    """Return the quantiles of a normal distribution at the ranks, at most 0: [C]."""
    return jnp.minimum(jax.scipy.special.ndtri(jnp.clip(histories.ranks(history), 1e-4, 1.0 - 1e-4)), 0.0)


def _standardised(rows: Array, warped: Array) -> Array:
    """Return values of mean 0 and variance 1 over the rows, 0 elsewhere: [C]."""
    total = jnp.maximum(jnp.sum(rows, dtype=jnp.int32), 1).astype(jnp.float32)
    warped = jnp.where(rows, warped, 0.0)
    centred = jnp.where(rows, warped - jnp.sum(warped) / total, 0.0)
    deviation = jnp.sqrt(jnp.sum(centred**2) / total)
    return jnp.where(deviation > 1e-6, centred / jnp.maximum(deviation, 1e-6), 0.0)
