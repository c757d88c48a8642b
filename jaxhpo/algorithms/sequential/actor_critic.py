"""Actor-critic: a policy whose every choice is judged by a critic's value of where it led."""

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
    """The actor and the critic."""

    history: History
    logits: Array  # [D, P, L] float32: the actor
    values: Array  # [D, P] float32: the critic; of what is next, after the choice before


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
    """Sample configurations from a policy whose choices a critic judges one by one (Sutton & Barto 2018, 13.5).

    As in `reinforce` the hyperparameters are chosen one after the other, and the reward, at the end, is the trial's
    rank among all told so far, in (0, 1). The critic learns the value V of every state, the next hyperparameter and
    the choice before it, by TD(lambda); a choice's advantage is the lambda-weighted sum of the errors
    V(s') - V(s) from it on, in the last the reward standing for V(s').

    Take it to compare with reinforcement learning as the field knows it; credit by choice makes it less noisy than
    `reinforce`. Costs under a millisecond, and D * 16 * L floats.

    Args:
        space: what to search; every dimension needs levels.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.
        rate: learning rate of the actor's logits.
        critic_rate: learning rate of the critic.
        trace: lambda; 0 judges a choice by the next value alone, 1 by the reward alone.
        entropy_bonus: weight of the policy's entropy.
        reach: levels over which a choice counts for its neighbours, e-fold, where levels have an order; 0 is not.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels.
    """
    check_common(space, lanes, budget)
    check_number("rate", rate, 0.0, 1e6)
    check_number("critic_rate", critic_rate, 0.0, 1.0)
    check_number("trace", trace, 0.0, 1.0)
    check_number("entropy_bonus", entropy_bonus, 0.0, 1e6)
    check_number("reach", reach, 0.0, 1e6)
    walk = Walk(space, "actor_critic", reach)
    # [D, D]: of the errors from a choice on, each weighed by lambda to the number of choices between.
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
        # Averaged, not summed: lanes in one state would multiply the learning rate by their number.
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
