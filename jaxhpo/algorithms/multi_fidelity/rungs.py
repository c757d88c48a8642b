"""Functions for the multi-fidelity methods: rungs, told trials, their ranks, and new configurations."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.checks import check_integer
from jaxhpo.algorithms.common.history import History, first_new, put
from jaxhpo.algorithms.common.proposals import uniform
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Array, Key, Outcome, Proposal

_TRIES, _MORE = 4, 64  # draws in a finite space: per required configuration, and in addition


def read_rungs(budget: int, eta: Any, min_budget: Any) -> tuple[int, ...]:
    """Return budget, budget / eta, ... down to `min_budget`, rounded, as increasing integers.

    Raises:
        ValueError: if `eta` is not an integer of at least 2, or `min_budget` not an integer from 1 to `budget`.
    """
    check_integer("eta", eta, 2)
    check_integer("min_budget", min_budget, 1)
    if min_budget > budget:
        raise ValueError(f"min_budget={min_budget} must not be above budget={budget}; lower it")
    found, scale = [], 1
    while min_budget * scale <= budget:
        found.append((2 * budget + scale) // (2 * scale))  # rounded to the nearest, a half up
        scale *= eta
    return tuple(reversed(found))


def rung_of(rungs: np.ndarray, budget: Array) -> Array:
    """Return the rungs of budgets: [R] int32, [N] int32 -> [N] int32; -1 for a budget that is not a rung."""
    same = budget[:, None] == jnp.asarray(rungs)[None]
    return jnp.max(jnp.where(same, np.arange(len(rungs), dtype=np.int32)[None], -1), axis=1)


def was_continued(history: History, proposal: Proposal) -> Array:
    """Return which trials of a history a told round continued, to any budget: [C] bool. These are finished."""
    source = jnp.where(proposal.active, proposal.source, FRESH)
    return jnp.any((history.trial[None] == source[:, None]) & (source != FRESH)[:, None], axis=0)


def record(history: History, proposal: Proposal, outcome: Outcome) -> tuple[History, Array]:
    """Return the history with the active rows of a told round, and their rows in it: [B] int32, C if there is none.

    Rows never move, because other tables refer to them. So a history that was not grown in time takes no more trials.
    """
    size, active = history.score.shape[0], proposal.active
    place = history.count + jnp.cumsum(active, dtype=jnp.int32) - 1
    place = jnp.where(active & (place < size), place, size)
    return put(history, place, proposal, outcome), place


def draw_new(key: Key, space: Space, history: History, number: int) -> Array:
    """Return configurations that train from the start: [number, D], uniform, and new if a few tries find new ones.

    All multi-fidelity methods use this function, so a model of the scores would replace it here.
    """
    if any(dimension.continuous and dimension.when is None for dimension in space.values()):
        return uniform(key, space, number)  # real numbers do not repeat
    return first_new(history, uniform(key, space, _TRIES * number + _MORE), number)


def insert_ranks(rank: Array, score: Array, group: Array, new_score: Array, new_group: Array) -> tuple[Array, Array]:
    """Return the ranks of members within their groups after new ones joined: those of the old and of the new members.

    Rank 0 is the best. Of equal scores the earlier has the better rank, and failed ones have the worst.

    Args:
        rank: Ranks before: [M] int32.
        score: Scores, nan if failed: [M] float32.
        group: Groups, -1 is none: [M] int32.
        new_score: Scores of the new members: [B] float32.
        new_group: Groups of the new members, -1 is none: [B] int32.
    """
    old, new = (jnp.where(jnp.isfinite(values), values, -jnp.inf) for values in (score, new_score))
    order = jnp.arange(new.shape[0], dtype=jnp.int32)
    joins = (new_group >= 0)[:, None]
    with_old = joins & (new_group[:, None] == group[None])
    with_new = joins & (new_group[:, None] == new_group[None])
    above = (new[None] > new[:, None]) | ((new[None] == new[:, None]) & (order[None] < order[:, None]))
    ahead = jnp.sum(with_old & (old[None] >= new[:, None]), axis=1, dtype=jnp.int32)
    ahead = ahead + jnp.sum(with_new & above, axis=1, dtype=jnp.int32)
    return rank + jnp.sum(with_old & (new[:, None] > old[None]), axis=0, dtype=jnp.int32), ahead


def earliest(target: Array) -> Array:
    """Return which lanes are the first with their target: [B] int32 -> [B] bool; False for a negative target."""
    order = jnp.arange(target.shape[0], dtype=jnp.int32)
    again = (target[:, None] == target[None]) & (order[None] < order[:, None])
    return (target >= 0) & ~jnp.any(again, axis=1)


def nth_of(allowed: Array, number: Array) -> Array:
    """Return the index of the number-th True value, counted from 0: [N] bool, [B] int32 -> [B] int32; -1 if none."""
    order = jnp.cumsum(allowed, dtype=jnp.int32) - 1
    index = jnp.arange(allowed.shape[0], dtype=jnp.int32)
    return jnp.max(jnp.where(allowed[None] & (order[None] == number[:, None]), index[None], -1), axis=1)
