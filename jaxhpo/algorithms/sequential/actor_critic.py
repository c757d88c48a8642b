"""Actor-critic: a policy whose choices are evaluated by a critic."""

from typing import NamedTuple

import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.sequential import policy
from jaxhpo.algorithms.sequential.walk import Walk
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Metrics, Outcome, Proposal


class ActorCriticState(NamedTuple):
    """The state of actor and critic.

    Attributes:
        history: Told trials.
        logits: Logits of the actor: [D, P, L] float32.
        values: Values of the critic, for the next dimension and the bin of the choice before it: [D, P] float32.
    """

    history: History
    logits: Array
    values: Array


def actor_critic(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    rate: float = 2.0,
    critic_rate: float = 0.2,
    trace: float = 0.9,
    entropy_bonus: float = 0.02,
    reach: float = 1.0,
) -> Algorithm:
    """Sample configurations from a policy whose choices are evaluated by a critic (Sutton & Barto 2018, 13.5).

    As in `reinforce`, the hyperparameters are chosen one after another, and the reward at the end is the rank of the
    trial among all told trials, in (0, 1). The critic learns the value V of every state (the next hyperparameter and
    the choice before it) by TD(lambda). The advantage of a choice is the lambda-weighted sum of the errors V(s') - V(s)
    from it on; in the last one the reward replaces V(s').

    Use it for comparison with common reinforcement learning. The critic makes it less noisy than `reinforce`. A round
    costs less than a millisecond; the state has D * 16 * L numbers.

    Args:
        space: Search space; every dimension needs levels.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        rate: Learning rate of the actor's logits.
        critic_rate: Learning rate of the critic.
        trace: Weight lambda in [0, 1]. With 0 the advantage uses only the next value, with 1 only the reward.
        entropy_bonus: Weight of the policy's entropy.
        reach: Number of levels over which the effect of a choice on nearby ordered levels falls by a factor e; 0 is no
            effect.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    check_number("rate", rate, 0.0, 1e6)
    check_number("critic_rate", critic_rate, 0.0, 1.0)
    check_number("trace", trace, 0.0, 1.0)
    check_number("entropy_bonus", entropy_bonus, 0.0, 1e6)
    check_number("reach", reach, 0.0, 1e6)
    walk = Walk(space, "actor_critic", reach)
    # [D, D]: the weight of each error in the advantage of a choice, lambda to the number of choices between.
    weights = jnp.array([[trace ** (j - i) if j >= i else 0.0 for j in range(len(space))] for i in range(len(space))])

    def init(key: Key) -> ActorCriticState:
        del key
        history = histories.empty(len(space), lanes)
        values = jnp.full(walk.shape[:2], 0.5, jnp.float32)
        return ActorCriticState(history, jnp.zeros(walk.shape, jnp.float32), values)

    def ask(key: Key, state: ActorCriticState) -> Proposal:
        return fresh(policy.sample(walk, key, state.logits, state.history, lanes), budget)

    def tell(
        key: Key, state: ActorCriticState, proposal: Proposal, outcome: Outcome
    ) -> tuple[ActorCriticState, Metrics]:
        del key
        active = proposal.active
        history = histories.append(state.history, proposal, outcome)
        reward = policy.relative(histories.ranks(history), history.trial, proposal.trial, active)
        levels = jnp.where(active[:, None], space.to_levels(proposal.point), 0)
        where, _ = walk.taken(levels)
        value = jnp.einsum("ndp,dp->nd", where, state.values, precision="highest")
        error = jnp.concatenate([value[:, 1:], reward[:, None]], axis=1) - value
        error = jnp.where(active[:, None], error, 0.0)
        advantage = jnp.matmul(error, weights.astype(jnp.float32).T, precision="highest")
        # Averaged: the sum over lanes in one state would multiply the learning rate by their number.
        visits = jnp.sum(where * active[:, None, None].astype(jnp.float32), axis=0)
        change = jnp.einsum("ndp,nd->dp", where, advantage, precision="highest") / jnp.maximum(visits, 1.0)
        values = state.values + critic_rate * change
        logits = policy.step(walk, state.logits, levels, advantage, rate, entropy_bonus)
        number = jnp.maximum(jnp.sum(active, dtype=jnp.float32), 1.0)
        metrics = {
            "entropy": policy.entropy(walk, logits),
            "value": state.values[0, 0],
            "td_error": jnp.sum(jnp.abs(error)) / (number * len(space)),
        }
        return ActorCriticState(history, logits, values), metrics

    def grow(state: ActorCriticState, trials: int) -> ActorCriticState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)
