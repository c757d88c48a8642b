"""The told trials in arrays of fixed size with a mask. The size doubles and depends only on the number of trials."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal

_SMALLEST = 64


class History(NamedTuple):
    """Told trials in the order of telling, at most C. Rows from `count` on are empty.

    Attributes:
        point: Configurations: [C, D] float32.
        score: Scores, nan in failed and in empty rows: [C] float32.
        noise: Standard errors of the scores, nan where they are not known: [C] float32.
        budget: Budgets, 0 in empty rows: [C] int32.
        trial: Ids of the trials, -1 in empty rows: [C] int32.
        count: Number of told trials, more than C if the arrays were not grown in time: [] int32.
    """

    point: Array
    score: Array
    noise: Array
    budget: Array
    trial: Array
    count: Array


def capacity_for(trials: int) -> int:
    """Return the number of rows for `trials` trials: 64, 128, 256, ..."""
    return max(_SMALLEST, 1 << (max(trials, 1) - 1).bit_length())


def empty(dimensions: int, lanes: int) -> History:
    """Return a history without trials, with room for at least one round."""
    size = capacity_for(lanes)
    return History(
        jnp.zeros((size, dimensions), jnp.float32),
        jnp.full(size, jnp.nan, jnp.float32),
        jnp.full(size, jnp.nan, jnp.float32),
        jnp.zeros(size, jnp.int32),
        jnp.full(size, FRESH, jnp.int32),
        jnp.int32(0),
    )


def grow(history: History, trials: int) -> History:
    """Return the history with room for `trials` trials; the same history if it already has."""
    more = capacity_for(trials) - history.score.shape[0]
    if more <= 0:
        return history
    fills = History(0.0, np.nan, np.nan, 0, FRESH, 0)  # pyright: ignore[reportArgumentType]
    return jax.tree.map(lambda leaf, fill: pad(leaf, more, fill), history, fills)


def pad(leaf: Any, more: int, fill: Any) -> Any:
    """Return an array with `more` rows of a constant appended; a scalar is returned unchanged."""
    if leaf.ndim == 0:
        return leaf
    # With NumPy on the host: on the device every size would compile another program.
    xp = jnp if isinstance(leaf, Tracer) else np
    return xp.concatenate([xp.asarray(leaf), xp.full((more, *leaf.shape[1:]), fill, leaf.dtype)])


def append(history: History, proposal: Proposal, outcome: Outcome) -> History:
    """Return the history with the active rows of a told round.

    If the history is full, the worst trials are replaced, failed ones first.
    """
    size, active = history.score.shape[0], proposal.active
    place = history.count + jnp.cumsum(active, dtype=jnp.int32) - 1

    def over_the_worst() -> Array:
        worst = jnp.argsort(jnp.where(jnp.isnan(history.score), -jnp.inf, history.score)).astype(jnp.int32)
        return jnp.where(place < size, place, worst[(place - jnp.maximum(size, history.count)) % size])

    # Sorting is slow and rarely needed.
    place = jax.lax.cond(jnp.any(active & (place >= size)), over_the_worst, lambda: place)
    return put(history, jnp.where(active, place, size), proposal, outcome)


def put(history: History, place: Array, proposal: Proposal, outcome: Outcome) -> History:
    """Return the history with a told round in the given rows, [B] int32; rows of C or more are dropped."""
    return History(
        history.point.at[place].set(proposal.point, mode="drop"),
        history.score.at[place].set(outcome.score, mode="drop"),
        history.noise.at[place].set(outcome.standard_error, mode="drop"),
        history.budget.at[place].set(proposal.budget, mode="drop"),
        history.trial.at[place].set(proposal.trial, mode="drop"),
        history.count + jnp.sum(proposal.active, dtype=jnp.int32),
    )


def remembering(dimensions: int, lanes: int, ask: Callable[[Key, History], Proposal]) -> Algorithm:
    """Return the algorithm whose state is only the history of told trials."""

    def init(key: Key) -> History:
        del key
        return empty(dimensions, lanes)

    def tell(key: Key, state: History, proposal: Proposal, outcome: Outcome) -> tuple[History, Metrics]:
        del key
        return append(state, proposal, outcome), {}

    return Algorithm(init, ask, tell, grow)


def filled(history: History) -> Array:
    """Return which rows hold a trial: [C] bool."""
    return history.budget > 0


def succeeded(history: History) -> Array:
    """Return which rows hold a trial with a score: [C] bool."""
    return filled(history) & jnp.isfinite(history.score)


def imputed(history: History) -> Array:
    """Return scores where failed trials and empty rows have the worst score so far, or 0: [C] float32."""
    good = succeeded(history)
    worst = jnp.min(jnp.where(good, history.score, jnp.inf))
    return jnp.where(good, history.score, jnp.where(jnp.isfinite(worst), worst, 0.0))


def ranks(history: History) -> Array:
    """Return the ranks of the `imputed` scores over the filled rows, in (0, 1), higher is better, ties averaged: [C].

    The rank is 0.5 in empty rows.
    """
    rows, score = filled(history), imputed(history)
    below = jnp.sum(rows[None] & (score[None] < score[:, None]), axis=1, dtype=jnp.float32)
    equal = jnp.sum(rows[None] & (score[None] == score[:, None]), axis=1, dtype=jnp.float32)
    number = jnp.maximum(jnp.sum(rows, dtype=jnp.float32), 1.0)
    return jnp.where(rows, (below + 0.5 * equal) / number, 0.5)


def is_new(history: History, point: Array) -> Array:
    """Return which points differ from all told trials: [N, D] -> [N] bool."""
    told = jnp.any(jnp.all(history.point[None] == point[:, None], axis=2) & filled(history)[None], axis=1)
    return ~told


def first_new(history: History, point: Array, lanes: int) -> Array:
    """Return `lanes` of the points, first new and distinct ones in order, then the others: [N, D] -> [lanes, D]."""
    return point[first_new_rows(history, point, lanes)]


def first_new_rows(history: History, point: Array, lanes: int) -> Array:
    """Return the rows of the points that `first_new` returns: [lanes] int32."""
    number = point.shape[0]
    order = jnp.arange(number, dtype=jnp.int32)
    same = jnp.all(point[:, None] == point[None], axis=2)
    earlier = jnp.any(same & (order[None] < order[:, None]), axis=1)
    rank = order + number * (earlier | ~is_new(history, point)).astype(jnp.int32)
    return jnp.argsort(rank)[:lanes].astype(jnp.int32)
