"""Scores made fit for a Gaussian process."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms import history as histories
from jaxhpo.algorithms.history import History
from jaxhpo.types import Array


def warp(history: History) -> Array:
    """Return scores of mean 0 and variance 1 over the filled rows, in the same order: [C] float32; 0 in empty rows.

    The worse half is replaced by what a normal distribution has at its ranks, as Vizier's half-rank warping does (Song
    et al. 2024, arXiv 2408.11527): a loss of 1e7 must not squeeze the others, and how bad a bad one is does not matter.
    The better half keeps its distances. Failed trials are as bad as the worst. Constant scores are all 0.
    """
    rows, score = histories.filled(history), histories.imputed(history)
    number = jnp.maximum(jnp.sum(rows, dtype=jnp.int32), 1)
    rank = histories.ranks(history)
    above = rows & (rank >= 0.5)
    middle = jnp.min(jnp.where(above, score, jnp.inf))
    middle = jnp.where(jnp.isfinite(middle), middle, 0.0)
    count = jnp.maximum(jnp.sum(above, dtype=jnp.float32), 1.0)
    lead = jnp.where(above, score - middle, 0.0)
    largest = jnp.maximum(jnp.max(lead), 1e-30)  # squares of a float32 may be beyond it
    spread = largest * jnp.sqrt(jnp.sum((lead / largest) ** 2) / count)
    there = spread > 1e-6 * jnp.maximum(jnp.abs(middle), 1e-6)  # a spread of rounding errors is none
    upper = jnp.where(there, lead / jnp.where(there, spread, 1.0), 0.0)
    lower = jnp.minimum(jax.scipy.special.ndtri(jnp.clip(rank, 1e-4, 1.0 - 1e-4)), 0.0)
    warped = jnp.where(rows, jnp.where(above, upper, lower), 0.0)
    total = number.astype(jnp.float32)
    centred = jnp.where(rows, warped - jnp.sum(warped) / total, 0.0)
    deviation = jnp.sqrt(jnp.sum(centred**2) / total)
    return jnp.where(deviation > 1e-6, centred / jnp.maximum(deviation, 1e-6), 0.0)
