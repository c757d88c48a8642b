"""Tabular Q-learning whose exploration decays by the variance of Q."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import proposals
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.epsilon import Schedule, VarianceRule
from jaxhpo.algorithms.tabular_q import q_table
from jaxhpo.algorithms.tabular_q.moves import Moves
from jaxhpo.algorithms.tabular_q.q_table import Packing, QTable
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal

_LEGAL = 4  # what a round's key is folded with to make points legal, beside the four that it is split into
_HISTORY = 1024  # rewards that the performance bins are quantiles of: the latest so many


class LaneState(NamedTuple):
    """Where each lane's walk stands: the state s of the decision process."""

    levels: Array  # [B, D] int32: configuration
    point: Array  # [B, D] float32: the same as it was told, which may lie between the levels
    bin: Array  # [B] int32: performance it reached, as a quantile of the history then
    rung: Array  # [B] int32: how far it was trained
    trial: Array  # [B] int32: the trial that did
    placed: Array  # [B] bool: False before the lane's first trial


class TabularQState(NamedTuple):
    """The agent."""

    table: QTable
    lane: LaneState
    rewards: Array  # [H] float32, a ring
    told: Array  # [] int32: trials told
    worst: Array  # [] float32: worst finite score so far, +inf before the first
    decay: Array  # [] float32: the sum of k


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
    """Search as a Markov decision process, solved by Q-learning in tables (Watkins & Dayan 1992).

    A lane's state is its configuration, the performance that it reached and how far it was trained. An action sets
    a hyperparameter to a level, moves it a level up or down, or, with several rungs, trains on. The reward is the
    score: Q(s, a) <- Q(s, a) + alpha [R + gamma max_a' Q(s', a') - Q(s, a)]. A failed trial earns the worst score so
    far. Every lane acts epsilon-greedily; epsilon decays with the trials told, and the variance of Q over the actions
    of the states where the decisions were made sets how fast (`jaxhpo.algorithms.common.epsilon`).

    Args:
        space: what to search; every dimension needs levels.
        lanes: rows a proposal has, each a walk of its own over one shared table.
        budget: every trial's full budget, such as epochs.
        rungs: increasing budgets that end with `budget`; None is `(budget,)`. With several, a changed configuration
            starts at the first, and the objective must be able to continue trials.
        alpha: learning rate of Q.
        gamma: discount.
        eps_min: what epsilon decays to.
        eps_max: what it starts from.
        k_0: decay a trial where Q has no variance; 0.05 leaves 4% of the range after 64 trials.
        lam: weight of the variance.
        variance_rule: "high_var_faster" (k = k_0 + lam V) or "high_var_slower" (k = k_0 / (1 + lam V)).
        bins: performance bins, quantiles of the latest 1,024 rewards.
        q_init: Q of a state not visited yet.
        capacity: visited states that the table holds; the oldest make room.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels; where hardly any combination of
            levels fulfils the space's constraints.
    """
    check_common(space, lanes, budget)
    levels = space.require_levels("tabular_q")
    if space.constrained:
        _ = space.feasible_levels  # raises where there are too few
    rungs = _check_rungs(rungs, budget)
    _check(levels, bins, capacity, lanes)
    check_number("alpha", alpha, 0.0, 1.0)
    check_number("gamma", gamma, 0.0, 1.0)
    check_number("q_init", q_init, -1e6, 1e6)
    schedule = Schedule(eps_min, eps_max, k_0, lam, variance_rule)
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
        if space.constrained:  # a lane's first configuration, and one from which no action leads to a legal one
            point = proposals.legal(jax.random.fold_in(key, _LEGAL), space, point, grid=True)
        rung = jnp.where(goes_on, lane.rung + 1, 0)
        return Proposal(
            # Training on must not change the configuration, and an enqueued one may lie between the levels.
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
        # What a padding lane holds must not matter: it stays where it is.
        after = jax.tree.map(lambda new, old: jnp.where(_like(active, new), new, old), after, lane)
        keys = jnp.concatenate([keys_of(lane), keys_of(after)])
        row, there = q_table.find(state.table, keys)
        both = q_table.read(state.table, row, there, q_init)
        q, ahead = both[:lanes], jnp.where(moves.legal(after.levels, after.rung), both[lanes:], -jnp.inf)
        error = (reward + gamma * jnp.max(ahead, axis=1))[:, None] - q
        goes_on = (proposal.source != FRESH) & (proposal.source == lane.trial)
        learns = moves.leading(lane.levels, lane.rung, after.levels, after.rung, goes_on)
        learns = learns & (active & lane.placed)[:, None]

        # The variance is that of the table in which the decision was made, before it learns from it.
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
    """Return the rungs, `(budget,)` for None; raise ValueError where they cannot be."""
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
    check_integer("capacity", capacity, 2 * lanes)  # a batch inserts so many rows at most


def _pick(key: Key, allowed: Array) -> Array:
    """Return one allowed column of each row at random: [B, A] bool -> [B] int32."""
    draw = jax.random.uniform(key, allowed.shape, jnp.float32)
    return jnp.argmax(jnp.where(allowed, draw, -1.0), axis=1).astype(jnp.int32)


def _like(mask: Array, leaf: Array) -> Array:
    return jnp.reshape(mask, mask.shape + (1,) * (leaf.ndim - 1))


def _rewards(score: Array, active: Array, worst: Array) -> tuple[Array, Array]:
    """Return rewards ([B] float32), and the worst finite score so far; a failed trial earns it, 0 if there is none."""
    there = active & jnp.isfinite(score)
    worst = jnp.minimum(worst, jnp.min(jnp.where(there, score, jnp.inf)))
    return jnp.where(there, score, jnp.where(jnp.isfinite(worst), worst, 0.0)), worst


def _remember(rewards: Array, told: Array, reward: Array, active: Array) -> tuple[Array, Array]:
    """Return the ring with the active lanes' rewards in it, and the number of trials told."""
    size = rewards.shape[0]
    rank = jnp.cumsum(active, dtype=jnp.int32)
    # Of a batch larger than the ring the last ones stay.
    keep = active & (rank > rank[-1] - size)
    place = jnp.where(keep, (told + rank - 1) % size, size)
    return rewards.at[place].set(reward, mode="drop"), told + rank[-1]


def _bin(reward: Array, rewards: Array, told: Array, bins: int) -> Array:
    """Return which quantile bin of the history each reward lies in: [B] float32 -> [B] int32 in 0 .. bins - 1."""
    number = jnp.minimum(told, rewards.shape[0])
    order = jnp.sort(jnp.where(jnp.arange(rewards.shape[0], dtype=jnp.int32) < number, rewards, jnp.inf))
    place = (jnp.arange(1, bins) / bins).astype(jnp.float32) * (number - 1).astype(jnp.float32)
    low = jnp.floor(place).astype(jnp.int32)
    high = jnp.minimum(low + 1, jnp.maximum(number - 1, 0))
    part = place - low.astype(jnp.float32)
    edges = order[low] + part * (order[high] - order[low])
    return jnp.sum(reward[:, None] > edges[None], axis=1).astype(jnp.int32)
