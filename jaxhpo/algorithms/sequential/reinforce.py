"""REINFORCE: a policy that samples configurations, with the rank of a trial as its reward."""

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


class ReinforceState(NamedTuple):
    """The state of the policy.

    Attributes:
        history: Told trials.
        logits: Logits of the policy: [D, P, L] float32.
        baseline: Moving average of the rewards: [] float32.
    """

    history: History
    logits: Array
    baseline: Array


def reinforce(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    rate: float = 2.0,
    smoothing: float = 0.9,
    entropy_bonus: float = 0.02,
    reach: float = 1.0,
) -> Algorithm:
    """Sample configurations from a policy trained by REINFORCE (Williams 1992; Zoph & Le 2017).

    The hyperparameters are chosen one after another, each by a softmax given the choice before it. The policy is a
    table, where Zoph & Le use an LSTM: a study has hundreds of trials, not thousands. The reward of a trial is its rank
    among all told trials, in (0, 1), minus a moving average as the baseline.

    Use it for comparison with common policy gradients. It learns from each trial once, so it needs more trials than
    methods with a model. A round costs less than a millisecond; the state has D * 16 * L numbers.

    Args:
        space: Search space; every dimension needs levels.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        rate: Learning rate of the logits.
        smoothing: Decay factor of the baseline per trial, in [0, 1].
        entropy_bonus: Weight of the policy's entropy.
        reach: Number of levels over which the effect of a choice on nearby ordered levels falls by a factor e; 0 is no
            effect.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    check_number("rate", rate, 0.0, 1e6)
    check_number("smoothing", smoothing, 0.0, 1.0)
    check_number("entropy_bonus", entropy_bonus, 0.0, 1e6)
    check_number("reach", reach, 0.0, 1e6)
    walk = Walk(space, "reinforce", reach)

    def init(key: Key) -> ReinforceState:
        del key
        logits = jnp.zeros(walk.shape, jnp.float32)
        return ReinforceState(histories.empty(len(space), lanes), logits, jnp.float32(0.5))

    def ask(key: Key, state: ReinforceState) -> Proposal:
        return fresh(policy.sample(walk, key, state.logits, state.history, lanes), budget)

    def tell(key: Key, state: ReinforceState, proposal: Proposal, outcome: Outcome) -> tuple[ReinforceState, Metrics]:
        del key
        active = proposal.active
        history = histories.append(state.history, proposal, outcome)
        reward = policy.relative(histories.ranks(history), history.trial, proposal.trial, active)
        advantage = jnp.where(active, reward - state.baseline, 0.0)
        levels = jnp.where(active[:, None], space.to_levels(proposal.point), 0)
        logits = policy.step(
            walk, state.logits, levels, jnp.repeat(advantage[:, None], len(space), axis=1), rate, entropy_bonus
        )
        number = jnp.sum(active, dtype=jnp.float32)
        mean = jnp.sum(jnp.where(active, reward, 0.0)) / jnp.maximum(number, 1.0)
        keep = smoothing**number
        baseline = keep * state.baseline + (1 - keep) * mean
        metrics = {"entropy": policy.entropy(walk, logits), "baseline": baseline}
        return ReinforceState(history, logits, baseline), metrics

    def grow(state: ReinforceState, trials: int) -> ReinforceState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)
