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
    """All told trials, at most C.

    Attributes:
        history: Told trials.
        rank: Rank among the trials of the same rung, 0 is the best: [C] int32.
        open: Whether the trial may still be promoted: [C] bool.
    """

    history: History
    rank: Array
    open: Array


def asha(space: Space, *, lanes: int, budget: int = 1, eta: int = 3, min_budget: int = 1, keep: int = 32) -> Algorithm:
    """Promote the best trials so far without waiting: asynchronous successive halving (Li et al. 2020).

    A lane continues a trial that is among the best 1 / eta told at its rung and was not continued yet. Trials of the
    highest rung come first, then the best ones. If there is none, the lane starts a uniform draw at the smallest rung.
    The method never waits for a rung, so every round is full and the first configurations reach the full budget early.
    The price are promotions that later trials show to be mistakes. Rungs are budget, budget / eta, ... down to
    `min_budget`. Failed trials count as the worst of their rung and are never promoted. Of equal scores the earlier is
    better. Enqueued trials join the rung of their budget, if there is one.

    Use it where a few epochs tell much and choosing has to be fast. A round costs a few tenths of a millisecond, a
    trial D + 5 numbers of memory. A trial that is not promoted yet can be continued as long as at most `keep` trials
    of its rung, in addition to those to be promoted, are better. So an objective keeps about `keep`
    training states per rung below the top.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Largest budget of a trial, in units of the objective such as epochs.
        eta: Ratio of the budgets of successive rungs; one in `eta` trials of a rung is promoted.
        min_budget: Lower bound of the rungs.
        keep: Number of trials of a rung that are kept for a later promotion; worse ones are dropped.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"learning_rate": jaxhpo.Float(1e-4, 1e-1, log=True), "layers": jaxhpo.Int(1, 3)})
        >>> algorithm = jaxhpo.algorithms.asha(space, lanes=8, budget=27)  # rungs of 1, 3, 9 and 27 epochs
        >>> algorithm.resumable is not None  # it continues trials
        True
    """
    check_common(space, lanes, budget)
    rungs = np.array(read_rungs(budget, eta, min_budget), np.int32)
    check_integer("keep", keep, 1)
    top = len(rungs) - 1

    def due(rung: Array) -> Array:
        """Return how many trials are to be promoted of each trial's rung: [C] int32 -> [C] int32."""
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

    A value of the largest int32 means no row; -1 is returned if there are too few rows. All other values differ.
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
