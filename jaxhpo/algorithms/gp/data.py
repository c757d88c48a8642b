"""The trials that a Gaussian process is fitted to, and the sequence of the first trials."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.gp.warp import Warped, warp
from jaxhpo.types import Array

FITTED, USED = 256, 512  # largest number of trials for fitting hyperparameters, and for predictions


class Modelled(NamedTuple):
    """The data of the process.

    Attributes:
        point: Configurations: [N, D] float32.
        score: Warped scores: [N] float32.
        noise: Variances of the warped scores' noise, as far as it is known, else 0: [N] float32.
        there: Whether the row is filled: [N] bool.
        budget: Budgets: [N] int32.
    """

    point: Array
    score: Array
    noise: Array
    there: Array
    budget: Array


def modelled(history: History, limit: int, warping: Callable[[History], Warped] = warp) -> Modelled:
    """Return the data of the process: N rows, at most `limit`.

    If there are more trials, half of the rows are the best trials and the others the latest ones. `warping` is `warp`
    or `soften`.
    """
    (score, noise), there = warping(history), histories.filled(history)
    size = score.shape[0]
    if size <= limit:
        return Modelled(history.point, score, noise, there, history.budget)
    order = jnp.argsort(jnp.where(there, -score, jnp.inf))
    row = jnp.arange(size, dtype=jnp.int32)
    place = jnp.zeros(size, jnp.int32).at[order].set(row)
    priority = jnp.where(there, jnp.where(place < limit // 2, size, row), -1)
    rows = jnp.argsort(-priority)[:limit]
    return Modelled(history.point[rows], score[rows], noise[rows], there[rows], history.budget[rows])


def even_sequence(shift: Array, first: Array, number: int) -> Array:
    """Return points of an evenly spread sequence, from index `first` on: [D], [] int32 -> [number, D] float32.

    It is Roberts' R sequence (2018), an additive recurrence, with a random shift.
    """
    dimensions = shift.shape[0]
    root = 2.0
    for _ in range(64):  # the root of x^(D + 1) = x + 1, by iteration
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    step = np.array([root ** -(d + 1) % 1.0 for d in range(dimensions)], np.float32)
    index = (first + jnp.arange(number, dtype=jnp.int32)).astype(jnp.float32)
    return jnp.round((shift[None] + index[:, None] * step[None]) % 1.0 * 4096.0) / 4096.0  # hides rounding errors
