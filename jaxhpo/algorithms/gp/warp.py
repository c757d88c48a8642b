"""Transformations of scores, and of their standard errors, for a Gaussian process."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.history import History
from jaxhpo.types import Array

_WORST = 10.0  # bound on how far a soft score is below the median, in standard deviations of the better half
_LARGEST = 1e3  # bound on a transformed standard error; a score with that much noise says nothing


class Warped(NamedTuple):
    """Transformed scores, and their known noise in the same units.

    The noise follows by the delta method. The transformation is taken as known, and near a score it is a line: a
    standard error e becomes e times the slope at the score, and the noise is the square of that.

    Attributes:
        score: Scores of mean 0 and variance 1 over the filled rows, 0 in empty rows: [C] float32.
        noise: Variances of the scores' noise, exactly 0 where no standard error is known: [C] float32.
    """

    score: Array
    noise: Array


def warp(history: History) -> Warped:
    """Return scores of mean 0 and variance 1 over the filled rows, in the same order, and their known noise.

    The worse half is replaced by the quantiles of a normal distribution at its ranks, as in Vizier's half-rank warping
    (Song et al. 2024, arXiv 2408.11527). So a loss of 1e7 does not compress the other scores. The better half keeps its
    distances. Failed trials count as the worst. Constant scores are all 0.

    The slope is 1 / spread in the better half, where `spread` is the root mean square of the distances from its worst
    score, the middle. Ranks have no derivative. So the slope at a score s of the worse half, whose quantile is z, is
    that of the chord to the middle: z / (s - middle), at most 1 / spread. If the spread is 0, the slope of the better
    half is the least of these. All slopes are divided by the standard deviation of the result, which is 1 then.
    """
    halves, normal = _halves(history), _normal_scores(history)
    better, worse = _slopes(halves, normal)
    upper = jnp.where(halves.spread > 0, halves.lead / jnp.where(halves.spread > 0, halves.spread, 1.0), 0.0)
    above = halves.above
    return _standardised(history, jnp.where(above, upper, normal), jnp.where(above, better, worse))


def soften(history: History) -> Warped:
    """Return scores like those of `warp`, but with the small distances in the worse half kept, and their known noise.

    A score that is d standard deviations of the better half below the median becomes -d / (1 + d / 10). Scores a little
    below the median show how the function falls, and no score is more than ten deviations below.

    The slope there is the derivative, (10 / (10 + d))^2 / spread. If the spread is 0, slopes are those of `warp`.
    """
    halves, normal = _halves(history), _normal_scores(history)
    rows, score, above, middle, lead, spread = halves
    better, worse = _slopes(halves, normal)
    below = jnp.where(above | ~rows, 0.0, middle - score) / jnp.where(spread > 0, spread, 1.0)
    lower = jnp.where(spread > 0, -_WORST * (1.0 - _WORST / (_WORST + below)), normal)
    upper = jnp.where(spread > 0, lead / jnp.where(spread > 0, spread, 1.0), 0.0)
    worse = jnp.where(spread > 0, better * (_WORST / (_WORST + below)) ** 2, worse)
    return _standardised(history, jnp.where(above, upper, lower), jnp.where(above, better, worse))


class _Halves(NamedTuple):
    """The told scores in two halves.

    Attributes:
        rows: Filled rows: [C] bool.
        score: Scores, those of failed trials imputed: [C] float32.
        above: Rows of the better half: [C] bool.
        middle: Worst score of the better half, 0 without trials: [] float32.
        lead: Distances of the better half from the middle, 0 elsewhere: [C] float32.
        spread: Root mean square of these; 0 if they are rounding errors: [] float32.
    """

    rows: Array
    score: Array
    above: Array
    middle: Array
    lead: Array
    spread: Array


def _halves(history: History) -> _Halves:
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
    return _Halves(rows, score, above, middle, lead, spread)


def _normal_scores(history: History) -> Array:
    """Return the quantiles of a normal distribution at the ranks, at most 0: [C]."""
    return jnp.minimum(jax.scipy.special.ndtri(jnp.clip(histories.ranks(history), 1e-4, 1.0 - 1e-4)), 0.0)


def _slopes(halves: _Halves, normal: Array) -> tuple[Array, Array]:
    """Return the slopes of the better half, [], and of the worse half's `_normal_scores`, [C]; see `warp`."""
    rows, score, above, middle, _, spread = halves
    worse = rows & ~above
    chord = -normal / jnp.where(worse, middle - score, 1.0)
    least = jnp.min(jnp.where(worse, chord, jnp.inf))
    better = jnp.where(spread > 0, 1.0 / jnp.where(spread > 0, spread, 1.0), least)
    return better, jnp.where(spread > 0, jnp.minimum(chord, better), chord)


def _standardised(history: History, warped: Array, slope: Array) -> Warped:
    """Return values of mean 0 and variance 1 over the filled rows, 0 elsewhere, and the noise: [C] each."""
    rows = histories.filled(history)
    total = jnp.maximum(jnp.sum(rows, dtype=jnp.int32), 1).astype(jnp.float32)
    warped = jnp.where(rows, warped, 0.0)
    centred = jnp.where(rows, warped - jnp.sum(warped) / total, 0.0)
    deviation = jnp.sqrt(jnp.sum(centred**2) / total)
    score = jnp.where(deviation > 1e-6, centred / jnp.maximum(deviation, 1e-6), 0.0)
    error = jnp.minimum(history.noise * slope / jnp.maximum(deviation, 1e-6), _LARGEST)
    known = histories.succeeded(history) & jnp.isfinite(history.noise) & (history.noise > 0) & (deviation > 1e-6)
    return Warped(score, jnp.where(known, error**2, 0.0))
