"""Sequential Q-learning with experience replay, as in MetaQNN."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.sequential.walk import Walk
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Metrics, Outcome, Proposal


class MetaQNNState(NamedTuple):
    """The state of the agent.

    Attributes:
        history: Told trials.
        q: Q table: [D, P, L] float32.
    """

    history: History
    q: Array


def metaqnn(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    alpha: float = 0.3,
    gamma: float = 1.0,
    eps_min: float = 0.1,
    decay: float = 0.03,
    sweeps: int = 4,
    reach: float = 1.0,
    q_init: float = 0.5,
) -> Algorithm:
    """Choose hyperparameters one after another by Q-learning with experience replay (Baker et al. 2017, MetaQNN).

    The state is the next hyperparameter and the choice before it; an action is a level; the reward at the end is the
    rank of the trial among all told trials, in (0, 1). Replay goes over every told trial, last choice first: Q(s, a) <-
    Q(s, a) + alpha [gamma max_a' Q(s', a') - Q(s, a)], with the rank in place of the maximum at the end. The
    exploration is epsilon-greedy by configuration: all choices are random, or all are greedy. If a greedy configuration
    was already told, single choices of it are changed at random. Epsilon is eps_min + (1 - eps_min) exp(-decay * told
    trials).

    Use it for comparison with common reinforcement learning. With tens of trials it learns good levels of single
    hyperparameters, and little about combinations. A round costs about a millisecond; the state has D * 16 * L numbers.

    Args:
        space: Search space; every dimension needs levels.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        alpha: Learning rate of Q in each replay.
        gamma: Discount.
        eps_min: Limit of epsilon.
        decay: Decay rate of epsilon per trial.
        sweeps: Number of replays of the whole history after each round.
        reach: Number of levels over which the effect of a choice on nearby ordered levels falls by a factor e; 0 is no
            effect.
        q_init: Initial Q; 0.5 is the reward of a median trial.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    for name, value, high in (("alpha", alpha, 1.0), ("gamma", gamma, 1.0), ("eps_min", eps_min, 1.0)):
        check_number(name, value, 0.0, high)
    check_number("decay", decay, 0.0, 1e6)
    check_number("reach", reach, 0.0, 1e6)
    check_number("q_init", q_init, -1e6, 1e6)
    check_integer("sweeps", sweeps, 1)
    walk = Walk(space, "metaqnn", reach)
    valid = jnp.asarray(walk.valid)

    def init(key: Key) -> MetaQNNState:
        del key
        return MetaQNNState(histories.empty(len(space), lanes), jnp.full(walk.shape, q_init, jnp.float32))

    def epsilon(state: MetaQNNState) -> Array:
        return eps_min + (1 - eps_min) * jnp.exp(-decay * state.history.count.astype(jnp.float32))

    def ask(key: Key, state: MetaQNNState) -> Proposal:
        coin_key, walk_key = jax.random.split(key)
        explorer = jax.random.uniform(coin_key, (walk.tries(lanes),), jnp.float32) < epsilon(state)

        def pick(step_key: Key, d: Array, bins: Array) -> Array:
            noise_key, stray_key = jax.random.split(step_key)
            noise = jax.random.uniform(noise_key, (bins.shape[0], walk.width), jnp.float32)
            q = state.q[d, bins] + 1e-4 * noise  # ties at random
            explores = explorer | walk.strays(stray_key, lanes)
            score = jnp.where(explores[:, None], noise, q)
            return jnp.argmax(jnp.where(valid[d][None], score, -jnp.inf), axis=1).astype(jnp.int32)

        return fresh(walk.draw(walk_key, pick, state.history, lanes), budget)

    def tell(key: Key, state: MetaQNNState, proposal: Proposal, outcome: Outcome) -> tuple[MetaQNNState, Metrics]:
        del key
        history = histories.append(state.history, proposal, outcome)
        where, what = walk.taken(space.to_levels(history.point))
        rows = histories.filled(history)
        reward = histories.ranks(history)
        what = jnp.where(rows[:, None, None], what, 0.0)
        # For every (s, a): the total weight of the trials that took it, and the weighted mean of their targets.
        weight = jnp.einsum("ndp,ndl->dpl", where, what, precision="highest")
        rate = alpha * jnp.minimum(weight, 1.0)
        last = walk.dimensions - 1

        def replay(_: Array, q: Array) -> Array:
            for d in range(last, -1, -1):
                if d == last:
                    target = reward
                else:
                    ahead = jnp.where(valid[d + 1][None], q[d + 1], -jnp.inf)
                    target = gamma * jnp.matmul(where[:, d + 1], jnp.max(ahead, axis=1), precision="highest")
                total = jnp.einsum("np,nl,n->pl", where[:, d], what[:, d], target, precision="highest")
                mean = total / jnp.maximum(weight[d], 1e-6)
                q = q.at[d].add(jnp.where(weight[d] > 0, rate[d] * (mean - q[d]), 0.0))
            return q

        q = jax.lax.fori_loop(0, sweeps, replay, state.q)
        changed = jnp.any(proposal.active)
        q = jnp.where(changed, q, state.q)
        metrics = {"epsilon": epsilon(state), "q_max": jnp.max(jnp.where(valid[:, None], q, -jnp.inf))}
        return MetaQNNState(history, q), metrics

    def grow(state: MetaQNNState, trials: int) -> MetaQNNState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)
