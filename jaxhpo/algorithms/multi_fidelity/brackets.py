"""Brackets of successive halving, one after another without end, packed into full rounds.

A *bracket* starts n configurations at a small budget. When all have been told, the best 1 / eta of them continue to the
next *rung*, and so on to the full budget. Brackets are numbered 0, 1, 2, ...; bracket g uses plan g modulo the number
of plans. A round takes the waiting trials of the oldest bracket, then those of the next one. If a rung does not fill
the round, a later bracket starts early, so that no lane is idle.

Only told trials change the state. A continued trial is identified by its source and budget. A new trial joins the
oldest bracket that starts at its budget, also if the user enqueued it. Other trials are recorded and otherwise ignored.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.multi_fidelity.rungs import draw_new, earliest, insert_ranks, record
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal

Plan = tuple[tuple[int, int], ...]  # (number of configurations, budget) of every rung of a bracket


class BracketsState(NamedTuple):
    """The W open brackets, in any order. A rung has at most N trials.

    Attributes:
        history: Told trials.
        number: Numbers of the brackets: [W] int32.
        rung: Current rungs: [W] int32.
        size: Number of trials of the rung: [W] int32.
        row: Row of a told trial in the history; for a waiting trial that of its source: [W, N] int32.
        told: Whether the trial was told: [W, N] bool.
        rank: Rank among the told trials of the rung, 0 is the best: [W, N] int32.
    """

    history: History
    number: Array
    rung: Array
    size: Array
    row: Array
    told: Array
    rank: Array


def halve(configurations: int, eta: int, budgets: Sequence[int]) -> Plan:
    """Return the plan of a bracket: n, n / eta, n / eta^2, ... configurations, rounded down, at the given budgets."""
    return tuple((configurations // eta**i, budget) for i, budget in enumerate(budgets))


def open_brackets(plans: Sequence[Plan], lanes: int) -> int:
    """Return the largest number of brackets that are open at the same time while rounds are full.

    A bracket starts only in a round that holds all waiting trials of older brackets. So each of those gets to its next
    rung, and each has waiting trials.
    """
    most = 0
    for first in range(len(plans)):
        room, count = lanes, 0
        while room > 0:
            room -= plans[(first + count) % len(plans)][0][0]
            count += 1
        most = max(most, count + 1)  # and one that an earlier round has started in part
    return min(lanes, most * (max(map(len, plans)) + 1))


def run_brackets(space: Space, lanes: int, plans: Sequence[Plan]) -> Algorithm:
    """Return the algorithm that runs brackets of the given plans in turn.

    Every plan has at least one configuration in every rung. A round costs a few tenths of a millisecond; the state has
    W * N small rows.
    """
    kinds, depth = len(plans), max(map(len, plans))
    sizes, budgets = np.zeros((2, kinds, depth + 1), np.int32)
    for kind, plan in enumerate(plans):
        for rung, (configurations, budget) in enumerate(plan):
            sizes[kind, rung], budgets[kind, rung] = configurations, budget
    slots, width = open_brackets(plans, lanes), int(sizes.max())
    column = np.arange(width, dtype=np.int32)

    def waiting(state: BracketsState) -> Array:
        return ~state.told & (column[None] < state.size[:, None])

    def before(state: BracketsState, count: Array, same: Array) -> Array:
        """Return for each bracket the sum of `count` over older brackets with `same` ([W, W] bool): [W] int32."""
        older = state.number[None] < state.number[:, None]
        return jnp.sum(jnp.where(older & same, count[None], 0), axis=1, dtype=jnp.int32)

    def look_up(table: np.ndarray, number: Array, rung: Array) -> Array:
        return jnp.asarray(table)[number % kinds, rung]

    def init(key: Key) -> BracketsState:
        del key
        number, shape = jnp.arange(slots, dtype=jnp.int32), (slots, width)
        return BracketsState(
            histories.empty(len(space), lanes),
            number,
            jnp.zeros(slots, jnp.int32),
            look_up(sizes, number, jnp.zeros(slots, jnp.int32)),
            jnp.zeros(shape, jnp.int32),
            jnp.zeros(shape, bool),
            jnp.zeros(shape, jnp.int32),
        )

    def ask(key: Key, state: BracketsState) -> Proposal:
        waits, lane = waiting(state), jnp.arange(lanes, dtype=jnp.int32)
        left = jnp.sum(waits, axis=1, dtype=jnp.int32)
        first = before(state, left, jnp.ones((slots, slots), bool))
        mine = (lane[:, None] >= first[None]) & (lane[:, None] < (first + left)[None])  # [B, W]
        slot = jnp.max(jnp.where(mine, jnp.arange(slots, dtype=jnp.int32)[None], -1), axis=1)
        active, slot = slot >= 0, jnp.maximum(slot, 0)
        order = jnp.cumsum(waits, axis=1, dtype=jnp.int32) - 1
        there = waits[slot] & (order[slot] == (lane - first[slot])[:, None])
        at = jnp.max(jnp.where(there, column[None], 0), axis=1)
        goes_on, row = active & (state.rung[slot] > 0), state.row[slot, at]
        return Proposal(
            point=jnp.where(goes_on[:, None], state.history.point[row], draw_new(key, space, state.history, lanes)),
            budget=look_up(budgets, state.number[slot], state.rung[slot]),
            source=jnp.where(goes_on, state.history.trial[row], FRESH),
            active=active,
            trial=jnp.full((lanes,), FRESH, jnp.int32),
        )

    def place_started(state: BracketsState, proposal: Proposal, recorded: Array) -> Array:
        """Return the places in brackets of new trials: [B] int32 in W * N, -1 if no bracket starts at their budget."""
        starts, budget = recorded & (proposal.source == FRESH), proposal.budget
        beginning = jnp.where(state.rung == 0, look_up(budgets, state.number, state.rung), 0)
        taken = jnp.sum(state.told, axis=1, dtype=jnp.int32)
        same = beginning[:, None] == beginning[None]
        room = jnp.where(state.rung == 0, state.size - taken, 0)
        first = before(state, room, same)
        order = jnp.arange(lanes, dtype=jnp.int32)
        earlier = starts[None] & (budget[None] == budget[:, None]) & (order[None] < order[:, None])
        nth = jnp.sum(earlier, axis=1, dtype=jnp.int32)[:, None]
        joins = (starts & (budget > 0))[:, None] & (budget[:, None] == beginning[None])
        joins = joins & (nth >= first[None]) & (nth < (first + room)[None])  # [B, W], at most one True per row
        target = jnp.arange(slots, dtype=jnp.int32)[None] * width + taken[None] + nth - first[None]
        return jnp.max(jnp.where(joins, target, -1), axis=1)

    def place_continued(state: BracketsState, proposal: Proposal, recorded: Array) -> Array:
        """Return the places in brackets of continued trials: [B] int32 in W * N, -1 if the trial was not waiting."""
        expected = waiting(state) & (state.rung > 0)[:, None]
        source = jnp.where(expected, state.history.trial[state.row], FRESH).reshape(-1)
        budget = jnp.repeat(look_up(budgets, state.number, state.rung), width, total_repeat_length=slots * width)
        same = (proposal.source[:, None] == source[None]) & (proposal.budget[:, None] == budget[None])
        same = same & (recorded & (proposal.source != FRESH))[:, None]
        target = jnp.max(jnp.where(same, jnp.arange(slots * width, dtype=jnp.int32)[None], -1), axis=1)
        return jnp.where(earliest(target), target, -1)

    def settle(state: BracketsState) -> BracketsState:
        """Return the state after the promotions of complete rungs, with a new bracket for each that has ended."""
        told = state.told
        done = jnp.sum(told, axis=1, dtype=jnp.int32) == state.size
        succeeded = told & jnp.isfinite(state.history.score[state.row])
        good = jnp.sum(succeeded, axis=1, dtype=jnp.int32)
        chosen = jnp.minimum(look_up(sizes, state.number, state.rung + 1), good)
        goes_up = done & (chosen > 0)
        ends = done & (chosen == 0)
        # The column of a promoted trial is its rank.
        place = jnp.where(goes_up[:, None] & told & (state.rank < chosen[:, None]), state.rank, width)
        row = state.row.at[jnp.arange(slots, dtype=jnp.int32)[:, None], place].set(state.row, mode="drop")
        row = jnp.where(goes_up[:, None], row, state.row)
        later = jnp.max(state.number) + jnp.cumsum(ends, dtype=jnp.int32)
        number = jnp.where(ends, later, state.number)
        rung = jnp.where(goes_up, state.rung + 1, jnp.where(ends, 0, state.rung))
        size = jnp.where(goes_up, chosen, jnp.where(ends, look_up(sizes, number, rung), state.size))
        return BracketsState(
            state.history,
            number,
            rung,
            size,
            row,
            told & ~done[:, None],
            jnp.where(done[:, None], 0, state.rank),
        )

    def tell(key: Key, state: BracketsState, proposal: Proposal, outcome: Outcome) -> tuple[BracketsState, Metrics]:
        del key
        history, place = record(state.history, proposal, outcome)
        recorded = place < history.score.shape[0]
        continued = place_continued(state, proposal, recorded)
        target = jnp.maximum(place_started(state, proposal, recorded), continued)
        group = jnp.where(state.told, jnp.arange(slots, dtype=jnp.int32)[:, None], -1).reshape(-1)
        new_group = jnp.where(target >= 0, target // width, -1)
        score = history.score[state.row].reshape(-1)
        rank, new_rank = insert_ranks(state.rank.reshape(-1), score, group, outcome.score, new_group)
        target = jnp.where(target >= 0, target, slots * width)  # out of range, hence dropped
        shape = (slots, width)
        state = BracketsState(
            history,
            state.number,
            state.rung,
            state.size,
            state.row.reshape(-1).at[target].set(place, mode="drop").reshape(shape),
            state.told.reshape(-1).at[target].set(True, mode="drop").reshape(shape),
            rank.at[target].set(new_rank, mode="drop").reshape(shape),
        )
        state = settle(state)
        metrics = {
            "bracket": jnp.min(state.number).astype(jnp.float32),
            "continued": jnp.sum(continued >= 0, dtype=jnp.float32),
        }
        return state, metrics

    def grow(state: BracketsState, trials: int) -> BracketsState:
        return state._replace(history=histories.grow(state.history, trials))

    def resumable(state: BracketsState) -> Array:
        promoted = look_up(sizes, state.number, state.rung + 1)[:, None]
        leads = state.told & jnp.isfinite(state.history.score[state.row]) & (state.rank < promoted)
        kept = leads | (waiting(state) & (state.rung > 0)[:, None])
        return jnp.where(kept, state.history.trial[state.row], FRESH).reshape(-1)

    return Algorithm(init, ask, tell, grow, resumable if depth > 1 else None)
