"""Asynchronous successive halving (ASHA)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.multi_fidelity.rungs import draw_new, insert_ranks, read_rungs, record, rung_of, was_continued
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal


class AshaState(NamedTuple):
    """Every trial told, C of them at most."""

    history: History
    rank: Array  # [C] int32: among those told at the same rung, 0 is the best
    open: Array  # [C] bool: may still be promoted


def asha(space: Space, *, lanes: int, budget: int = 1, eta: int = 3, min_budget: int = 1, keep: int = 32) -> Algorithm:
    """Promote whatever is among the best so far, without waiting: asynchronous successive halving (Li et al. 2020).

    Every lane continues a trial that is among the best 1 / eta of all told at its rung and was not continued yet, of
    the highest such rung and best first; where none is due it starts a uniform draw at the smallest rung. No rung is
    ever waited for, so every batch is full and the first configurations reach the full budget soon, at the price of
    promotions that later trials show to be mistakes. Rungs are budget, budget / eta, ... down to `min_budget`. Failed
    trials count in a rung as its worst and are never promoted; of equal ones the earlier is better. Trials of others
    join the rung of their budget; those at no rung's budget take no part.

    Take it as the first multi-fidelity method to try, most of all with few trials. Costs a few tenths of a millisecond,
    and D + 5 numbers a trial. A rung's trials that are not due stay resumable as long as at most `keep` of the rung's
    trials, beside those due, are better: so an objective keeps about `keep` training states a rung below the top.

    Args:
        space: what to search.
        lanes: rows a proposal has.
        budget: the largest budget of a trial, such as epochs.
        eta: one of so many is promoted, to so many times the budget.
        min_budget: no rung is below it.
        keep: trials of a rung that are kept for a promotion that is not due; the worst are given up.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    rungs = np.array(read_rungs(budget, eta, min_budget), np.int32)
    check_integer("keep", keep, 1)
    top = len(rungs) - 1

    def due(rung: Array) -> Array:
        """Return how many of each trial's rung are due for promotion: [C] int32 -> [C] int32."""
        every = jnp.arange(top + 1, dtype=jnp.int32)
        told = jnp.sum(rung[None] == every[:, None], axis=1, dtype=jnp.int32)
        return (told // eta)[rung]

    def init(key: Key) -> AshaState:
        del key
        history = histories.empty(len(space), lanes)
        size = history.score.shape[0]
        return AshaState(history, jnp.zeros(size, jnp.int32), jnp.zeros(size, bool))

    def ask(key: Key, state: AshaState) -> Proposal:
        history, rung = state.history, rung_of(rungs, state.history.budget)
        size = rung.shape[0]
        ready = state.open & (state.rank < due(rung))
        order = jnp.where(ready, (top - rung) * size + state.rank, jnp.iinfo(jnp.int32).max)
        row = first_rows(order, lanes)
        goes_on, row = row >= 0, jnp.maximum(row, 0)
        new = draw_new(key, space, history, lanes)
        return Proposal(
            point=jnp.where(goes_on[:, None], history.point[row], new),
            budget=jnp.asarray(rungs)[jnp.where(goes_on, rung[row] + 1, 0)],
            source=jnp.where(goes_on, history.trial[row], FRESH),
            active=jnp.ones((lanes,), bool),
            trial=jnp.full((lanes,), FRESH, jnp.int32),
        )

    def tell(key: Key, state: AshaState, proposal: Proposal, outcome: Outcome) -> tuple[AshaState, Metrics]:
        del key
        rung = rung_of(rungs, state.history.budget)
        history, place = record(state.history, proposal, outcome)
        size = rung.shape[0]
        new_rung = jnp.where(place < size, rung_of(rungs, proposal.budget), -1)
        rank, new_rank = insert_ranks(state.rank, state.history.score, rung, outcome.score, new_rung)
        rank = rank.at[place].set(new_rank, mode="drop")
        opens = jnp.isfinite(outcome.score) & (new_rung >= 0) & (new_rung < top)
        still = state.open.at[place].set(opens, mode="drop") & ~was_continued(history, proposal)
        still = still & (rank < due(rung_of(rungs, history.budget)) + keep)
        metrics = {
            "continued": jnp.sum(proposal.active & (proposal.source != FRESH), dtype=jnp.float32),
            "finished": jnp.sum(histories.succeeded(history) & (history.budget == budget), dtype=jnp.float32),
        }
        return AshaState(history, rank, still), metrics

    def grow(state: AshaState, trials: int) -> AshaState:
        history = histories.grow(state.history, trials)
        more = history.score.shape[0] - state.rank.shape[0]
        if not more:
            return state
        return AshaState(history, histories.pad(state.rank, more, 0), histories.pad(state.open, more, False))

    def resumable(state: AshaState) -> Array:
        return jnp.where(state.open, state.history.trial, FRESH)

    return Algorithm(init, ask, tell, grow, resumable if top else None)


def first_rows(order: Array, number: int) -> Array:
    """Return the rows of the smallest values, smallest first: [C] int32 -> [number] int32.

    -1 where no more are below the largest int32. Values below it differ.
    """
    index, none = jnp.arange(order.shape[0], dtype=jnp.int32), jnp.iinfo(jnp.int32).max

    def more(carry: tuple[Array, Array, Array]) -> Array:
        return (carry[2] < number) & (jnp.min(carry[0]) < none)

    def take(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        left, rows, count = carry
        row = jnp.max(jnp.where(left == jnp.min(left), index, -1))
        return jnp.where(index == row, none, left), rows.at[count].set(row), count + 1

    start = order, jnp.full(number, -1, jnp.int32), jnp.int32(0)
    return jax.lax.while_loop(more, take, start)[1]
