"""Tabular Q-learning whose exploration decays by the variance of Q."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import proposals
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.epsilon import EpsilonSchedule, VarianceRule
from jaxhpo.algorithms.tabular_q import q_table
from jaxhpo.algorithms.tabular_q.moves import Moves
from jaxhpo.algorithms.tabular_q.q_table import Packing, QTable
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal

_LEGAL = 4  # number folded into a round's key to make points legal; the key is also split into four
_HISTORY = 1024  # number of latest rewards whose quantiles are the performance bins


class LaneState(NamedTuple):
    """The position of each lane's walk: the state s of the decision process.

    Attributes:
        levels: Levels of the configuration: [B, D] int32.
        point: Configuration as it was told, possibly between levels: [B, D] float32.
        bin: Performance bin that the configuration reached, a quantile of the history at that time: [B] int32.
        rung: Rung to which it was trained: [B] int32.
        trial: Id of its trial: [B] int32.
        placed: Whether the lane has had a trial: [B] bool.
    """

    levels: Array
    point: Array
    bin: Array
    rung: Array
    trial: Array
    placed: Array


class TabularQState(NamedTuple):
    """The state of the agent.

    Attributes:
        table: Q table.
        lane: Position of each lane.
        rewards: Latest rewards, a ring buffer: [H] float32.
        told: Number of told trials: [] int32.
        worst: Worst finite score so far, +inf before the first: [] float32.
        decay: Sum of the decay rates k: [] float32.
    """

    table: QTable
    lane: LaneState
    rewards: Array
    told: Array
    worst: Array
    decay: Array


def tabular_q(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    rungs: tuple[int, ...] | None = None,
    alpha: float = 0.5,
    gamma: float = 0.9,
    eps_min: float = 0.05,
    eps_max: float = 1.0,
    k_0: float = 0.05,
    lam: float = 1.0,
    variance_rule: VarianceRule = "high_var_slower",
    bins: int = 5,
    q_init: float = 0.0,
    capacity: int = 4096,
) -> Algorithm:
    """Search as a Markov decision process, solved by tabular Q-learning (Watkins & Dayan 1992).

    The state of a lane is its configuration, the performance that it reached and the rung to which it was trained. An
    action sets a hyperparameter to a level, moves it one level up or down, or, with several rungs, continues the
    training. The reward is the score: Q(s, a) <- Q(s, a) + alpha [R + gamma max_a' Q(s', a') - Q(s, a)]. The reward of
    a failed trial is the worst score so far. Every lane is epsilon-greedy. Epsilon decays with the told trials, at a
    rate set by the variance of Q over the actions of the states in which the decisions were made
    (`jaxhpo.algorithms.common.epsilon`).

    Args:
        space: Search space; every dimension needs levels.
        lanes: Number of lanes: trials of a round. Each lane is a walk of its own; all share one table.
        budget: Full budget of a trial, in units of the objective such as epochs.
        rungs: Increasing budgets that end with `budget`; None is `(budget,)`. With several rungs, a changed
            configuration starts at the first one, and the objective must be able to continue trials.
        alpha: Learning rate of Q.
        gamma: Discount.
        eps_min: Limit of epsilon.
        eps_max: Initial epsilon.
        k_0: Decay rate of epsilon per trial if Q has no variance; 0.05 leaves 4% of the range after 64 trials.
        lam: Weight of the variance of Q in the decay rate.
        variance_rule: "high_var_faster" (k = k_0 + lam V) or "high_var_slower" (k = k_0 / (1 + lam V)).
        bins: Number of performance bins, quantiles of the latest 1,024 rewards.
        q_init: Initial Q of an unvisited state.
        capacity: Largest number of visited states in the table; new states replace the oldest.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels, and the message names it; if almost no
            combination of levels satisfies the space's constraints.
    """
    check_common(space, lanes, budget)
    levels = space.require_levels("tabular_q")
    if space.constrained:
        _ = space.feasible_levels  # raises ValueError if there are too few
    rungs = _check_rungs(rungs, budget)
    _check(levels, bins, capacity, lanes)
    check_number("alpha", alpha, 0.0, 1.0)
    check_number("gamma", gamma, 0.0, 1.0)
    check_number("q_init", q_init, -1e6, 1e6)
    schedule = EpsilonSchedule(eps_min, eps_max, k_0, lam, variance_rule)
    schedule.check()
    moves = Moves(space, levels, len(rungs))
    packing = Packing((*levels, bins, len(rungs)))
    sizes = np.array(levels, np.int32)

    def keys_of(lane: LaneState) -> Array:
        return packing.pack(jnp.concatenate([lane.levels, lane.bin[:, None], lane.rung[:, None]], axis=1))

    def init(key: Key) -> TabularQState:
        del key
        zero = jnp.zeros(lanes, jnp.int32)
        lowest = jnp.zeros((lanes, len(sizes)), jnp.int32)
        lane = LaneState(lowest, space.from_levels(lowest), zero, zero, zero + FRESH, zero > 0)
        table = q_table.empty(capacity, packing.words, moves.count)
        return TabularQState(
            table, lane, jnp.zeros(_HISTORY, jnp.float32), jnp.int32(0), jnp.float32(jnp.inf), jnp.float32(0.0)
        )

    def ask(key: Key, state: TabularQState) -> Proposal:
        coin_key, tie_key, explore_key, start_key = jax.random.split(key, 4)
        lane = state.lane
        legal = moves.legal(lane.levels, lane.rung)
        q = q_table.read(state.table, *q_table.find(state.table, keys_of(lane)), q_init)
        best = legal & (q >= jnp.max(jnp.where(legal, q, -jnp.inf), axis=1, keepdims=True))
        explores = jax.random.uniform(coin_key, (lanes,), jnp.float32) < schedule.epsilon(state.decay)
        action = jnp.where(explores, _pick(explore_key, legal), _pick(tie_key, best))
        goes_on = moves.continues(action) & lane.placed
        start = jax.random.randint(start_key, (lanes, len(sizes)), 0, jnp.asarray(sizes)[None], jnp.int32)
        chosen = jnp.where(lane.placed[:, None], moves.apply(lane.levels, action), start)
        point = space.from_levels(chosen)
        if space.constrained:  # for a lane's first configuration, and one without an allowed action
            point = proposals.legal(jax.random.fold_in(key, _LEGAL), space, point, grid=True)
        rung = jnp.where(goes_on, lane.rung + 1, 0)
        return Proposal(
            # Continued training must not change the configuration, and an enqueued one may lie between levels.
            point=jnp.where(goes_on[:, None], lane.point, point),
            budget=jnp.asarray(np.array(rungs, np.int32))[rung],
            source=jnp.where(goes_on, lane.trial, FRESH),
            active=jnp.ones((lanes,), bool),
            trial=jnp.full((lanes,), FRESH, jnp.int32),
        )

    def tell(key: Key, state: TabularQState, proposal: Proposal, outcome: Outcome) -> tuple[TabularQState, Metrics]:
        del key
        lane, active = state.lane, proposal.active
        reward, worst = _rewards(outcome.score, active, state.worst)
        rewards, told = _remember(state.rewards, state.told, reward, active)
        after = LaneState(
            levels=space.to_levels(proposal.point),
            point=proposal.point,
            bin=_bin(reward, rewards, told, bins),
            rung=jnp.minimum(
                jnp.searchsorted(jnp.asarray(np.array(rungs, np.int32)), proposal.budget), len(rungs) - 1
            ).astype(jnp.int32),
            trial=proposal.trial,
            placed=active,
        )
        # A padding lane does not move, whatever its row holds.
        after = jax.tree.map(lambda new, old: jnp.where(_like(active, new), new, old), after, lane)
        keys = jnp.concatenate([keys_of(lane), keys_of(after)])
        row, there = q_table.find(state.table, keys)
        both = q_table.read(state.table, row, there, q_init)
        q, ahead = both[:lanes], jnp.where(moves.legal(after.levels, after.rung), both[lanes:], -jnp.inf)
        error = (reward + gamma * jnp.max(ahead, axis=1))[:, None] - q
        goes_on = (proposal.source != FRESH) & (proposal.source == lane.trial)
        learns = moves.leading(lane.levels, lane.rung, after.levels, after.rung, goes_on)
        learns = learns & (active & lane.placed)[:, None]

        # The variance in the table with which the decision was made, before this round is learned from.
        legal = moves.legal(lane.levels, lane.rung)
        variance = jnp.where(lane.placed, jnp.var(q, axis=1, where=legal), 0.0)
        number = jnp.sum(active, dtype=jnp.float32)
        k = jnp.sum(jnp.where(active, schedule.rate(variance), 0.0)) / jnp.maximum(number, 1.0)

        wanted = jnp.concatenate([active & lane.placed, active])
        table, row, own = q_table.insert(state.table, keys, row, there, wanted, q_init)
        learns = learns & own[:lanes, None]
        table = q_table.add_mean(table, row[:lanes], alpha * error, learns)

        moved = jnp.maximum(jnp.sum(learns, dtype=jnp.float32), 1.0)
        held = jnp.minimum(table.inserted, capacity)
        in_use = jnp.arange(capacity, dtype=jnp.int32) < held
        metrics = {
            "epsilon": schedule.epsilon(state.decay),
            "k": k,
            "q_variance": jnp.sum(jnp.where(active, variance, 0.0)) / jnp.maximum(number, 1.0),
            "q_mean": jnp.sum(jnp.where(in_use[:, None], table.values, 0.0))
            / jnp.maximum(held * moves.count, 1).astype(jnp.float32),
            "q_max": jnp.max(jnp.where(in_use[:, None], table.values, jnp.float32(q_init))),
            "td_error": jnp.sum(jnp.where(learns, jnp.abs(error), 0.0)) / moved,
            "states": held.astype(jnp.float32),
        }
        return TabularQState(table, after, rewards, told, worst, state.decay + number * k), metrics

    def resumable(state: TabularQState) -> Array:
        goes_on = state.lane.placed & (state.lane.rung < len(rungs) - 1)
        return jnp.where(goes_on, state.lane.trial, FRESH)

    return Algorithm(init, ask, tell, resumable=resumable if len(rungs) > 1 else None)


def _check_rungs(rungs: Any, budget: int) -> tuple[int, ...]:
    """Return the rungs, `(budget,)` for None; raise ValueError if they are invalid."""
    if rungs is None:
        return (budget,)
    remedy = f"rungs={rungs!r} must be increasing budgets that end with budget={budget}, such as ({budget},)"
    if not isinstance(rungs, tuple | list):
        raise ValueError(remedy)
    for rung in rungs:
        check_integer("rungs", rung, 1)
    if not rungs or list(rungs) != sorted(set(rungs)) or rungs[-1] != budget:
        raise ValueError(remedy)
    return tuple(rungs)


def _check(levels: tuple[int, ...], bins: int, capacity: int, lanes: int) -> None:
    if max(levels) < 2:
        raise ValueError("tabular_q needs a choice to make, but every hyperparameter of the space has one level")
    check_integer("bins", bins, 1)
    check_integer("capacity", capacity, 2 * lanes)  # the largest number of rows that a round inserts


def _pick(key: Key, allowed: Array) -> Array:
    """Return a random allowed column of each row: [B, A] bool -> [B] int32."""
    draw = jax.random.uniform(key, allowed.shape, jnp.float32)
    return jnp.argmax(jnp.where(allowed, draw, -1.0), axis=1).astype(jnp.int32)


def _like(mask: Array, leaf: Array) -> Array:
    return jnp.reshape(mask, mask.shape + (1,) * (leaf.ndim - 1))


def _rewards(score: Array, active: Array, worst: Array) -> tuple[Array, Array]:
    """Return rewards ([B] float32) and the worst finite score so far, which failed trials get; 0 if there is none."""
    there = active & jnp.isfinite(score)
    worst = jnp.minimum(worst, jnp.min(jnp.where(there, score, jnp.inf)))
    return jnp.where(there, score, jnp.where(jnp.isfinite(worst), worst, 0.0)), worst


def _remember(rewards: Array, told: Array, reward: Array, active: Array) -> tuple[Array, Array]:
    """Return the ring buffer with the rewards of active lanes, and the number of told trials."""
    size = rewards.shape[0]
    rank = jnp.cumsum(active, dtype=jnp.int32)
    # If a round is larger than the buffer, its last rewards are kept.
    keep = active & (rank > rank[-1] - size)
    place = jnp.where(keep, (told + rank - 1) % size, size)
    return rewards.at[place].set(reward, mode="drop"), told + rank[-1]


def _bin(reward: Array, rewards: Array, told: Array, bins: int) -> Array:
    """Return the quantile bin of the history for each reward: [B] float32 -> [B] int32 in 0 .. bins - 1."""
    number = jnp.minimum(told, rewards.shape[0])
    order = jnp.sort(jnp.where(jnp.arange(rewards.shape[0], dtype=jnp.int32) < number, rewards, jnp.inf))
    place = (jnp.arange(1, bins) / bins).astype(jnp.float32) * (number - 1).astype(jnp.float32)
    low = jnp.floor(place).astype(jnp.int32)
    high = jnp.minimum(low + 1, jnp.maximum(number - 1, 0))
    part = place - low.astype(jnp.float32)
    edges = order[low] + part * (order[high] - order[low])
    return jnp.sum(reward[:, None] > edges[None], axis=1).astype(jnp.int32)
