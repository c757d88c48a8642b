"""REINFORCE: a controller that samples configurations and is rewarded by how they rank."""

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
    """The controller."""

    history: History
    logits: Array  # [D, P, L] float32
    baseline: Array  # [] float32: moving average of the rewards


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

    The controller chooses hyperparameters one after the other, each by a softmax that knows the choice before it (a
    table, where Zoph & Le have an LSTM: a study has hundreds of trials, not thousands). The reward of a trial is its
    rank among all told so far, in (0, 1), less a moving average as the baseline.

    Take it to compare with reinforcement learning as the field knows it: it learns from a trial once, and so needs
    more of them than methods that keep a model. Costs under a millisecond, and D * 16 * L floats.

    Args:
        space: what to search; every dimension needs levels.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.
        rate: learning rate of the logits.
        smoothing: of the baseline, a trial.
        entropy_bonus: weight of the policy's entropy.
        reach: levels over which a choice counts for its neighbours, e-fold, where levels have an order; 0 is not.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels.
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
