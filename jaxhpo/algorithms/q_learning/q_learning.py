"""Q-learning with a posterior of the rewards."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.epsilon import EpsilonSchedule, VarianceRule
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import legal
from jaxhpo.algorithms.gp.data import even_sequence
from jaxhpo.algorithms.gp.kernel import unpack
from jaxhpo.algorithms.gp.search import codes
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs, record
from jaxhpo.algorithms.q_learning.actions import STATES, Actions
from jaxhpo.algorithms.q_learning.promotion import Promotion
from jaxhpo.algorithms.q_learning.reward_posterior import RewardPosterior
from jaxhpo.algorithms.q_learning.value import Decision, choose, variance
from jaxhpo.priors.learned_prior import Knowledge, PriorOption, read_prior
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal

_GAMMA = 0.9
_STARTUP = 4  # number of evenly spread trials without a prior


class QLearningState(NamedTuple):
    """The state of the agent.

    Attributes:
        history: Told trials.
        theta: Logarithms of the hyperparameters of the rewards' kernel: [P] float32.
        opened: Whether a trial may continue: [C] bool.
        shift: Random shift of the sequence of the first trials: [D] float32.
        decay: Sum of the decay rates k: [] float32.
    """

    history: History
    theta: Array
    opened: Array
    shift: Array
    decay: Array


def q_learning(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    gamma: float | None = None,
    eps_min: float = 0.0,
    eps_max: float = 0.2,
    k_0: float = 0.1,
    lam: float = 10.0,
    variance_rule: VarianceRule = "high_var_slower",
    prior: PriorOption = "shipped",
    min_budget: int | None = None,
    eta: int = 3,
    keep: int = 32,
    startup: int | None = None,
    candidates: int = 64,
    evaluations: int = 6,
) -> Algorithm:
    """Search as a Markov decision process, solved by Q-learning with a posterior of the rewards of all configurations.

    A state s is the set of told trials: configuration, score and epochs of each. An action a trains a configuration x.
    The reward R is the improvement of its score over the incumbent. The state that follows an action is known up to the
    score, so only rewards must be learned, and every told trial informs about all configurations: the scores, softened
    by `jaxhpo.algorithms.gp.warp`, are a Gaussian process (Matern 5/2, a relevance for each hyperparameter) that is
    fitted to the whole history after every round. The square of a score's standard error, if the objective gives it, is
    added to the noise of its trial. Then::

        Q(s, a) = E[R] + gamma E[max_a' E[R' | s']]

    is one backup of Bellman's equation. The state s' contains the score of x; the expectation over its values uses
    three nodes of Gauss-Hermite quadrature. So the value of an action includes its expected gain and the value of what
    it teaches. With gamma = 0, Q is the expected improvement (Jones et al. 1998) and the method is Bayesian
    optimisation; the lookahead of one step is due to Osborne et al. 2009 and Wu & Frazier 2019 (arXiv 1909.04238).

    The actions considered change one or more hyperparameters of the best configurations and of promising ones found on
    the way, or lead to a uniform draw. The lookahead is computed for the eight actions of largest reward. The lanes of
    a round act one after another; the process assumes its own mean as the score of the earlier ones (kriging believer,
    Ginsbourger et al. 2010). Every lane is epsilon-greedy: with probability epsilon it takes a uniform draw. Epsilon
    decays with the told trials, at a rate set by the variance of Q: the posterior variance as a share of the prior
    variance, over the actions that set one of the incumbent's hyperparameters to one of four levels
    (`jaxhpo.algorithms.common.epsilon`).

    With a `min_budget` below the budget, trials start at the lowest of the rungs budget, budget / eta, ..., and an
    action may also continue a trial to its next rung. The share of the budget is a further input of the process, so
    that it predicts the final score from the first epochs. R and Q refer to the final score, divided by the epochs that
    the configuration still needs, so a trial that does not promise enough for them stays where it is.

    If hyperparameters have known names (`jaxhpo.priors.hyperparameter_features`), such as learning_rate, units or
    dropout, the process starts with a prior learned from other studies: see `LearnedPrior`. The prior replaces the
    evenly spread first trials. Without known names it has no effect.

    Use it if a trial takes a tenth of a second or more. With 8 lanes, ask and tell take 5 to 6 ms at 100 trials on a
    CPU. Predictions use at most 512 trials, the 256 best and the latest others (the fit half as many), so the cost of a
    round is bounded. Studies of many seeds run one after another inside one program.

    Args:
        space: Search space; levels are not needed.
        lanes: Number of lanes: trials of a round.
        budget: Largest budget of a trial, in units of the objective such as epochs.
        gamma: Discount; None is 0.9, or 0 with several rungs, because the lookahead does not account for the epochs
            that an action costs.
        eps_min: Limit of epsilon.
        eps_max: Initial epsilon.
        k_0: Decay rate of epsilon per trial if Q has no variance.
        lam: Weight of the variance of Q in the decay rate.
        variance_rule: "high_var_faster" (k = k_0 + lam V) or "high_var_slower" (k = k_0 / (1 + lam V)).
        prior: Prior of the rewards: "shipped", a `LearnedPrior`, the path of a file written by `LearnedPrior.save`, or
            None.
        min_budget: Lower bound of the rungs; None trains every trial for the whole budget.
        eta: Ratio of the budgets of successive rungs.
        keep: Number of best trials of a rung that may continue, and so of training states per rung that an objective
            keeps.
        startup: Number of evenly spread trials before the agent chooses; None is 4, or 0 if a prior applies to the
            space. Without a prior the whole first round is evenly spread.
        candidates: Number of random actions that change several hyperparameters, in each of two turns, in addition to
            actions that change one.
        evaluations: Largest number of evaluations of the likelihood per round; a fit continues from the last one.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"learning_rate": jaxhpo.Float(1e-4, 1e-1, log=True), "layers": jaxhpo.Int(1, 3)})
        >>> algorithm = jaxhpo.algorithms.q_learning(space, lanes=8, budget=27, min_budget=3)
        >>> algorithm.resumable is not None  # trials start with 3 epochs, and good ones continue
        True
    """
    check_common(space, lanes, budget)
    rungs = read_rungs(budget, eta, budget if min_budget is None else min_budget)
    if gamma is None:
        gamma = _GAMMA if len(rungs) == 1 else 0.0
    check_number("gamma", gamma, 0.0, 1.0)
    schedule = EpsilonSchedule(eps_min, eps_max, k_0, lam, variance_rule)
    schedule.check()
    knowledge = Knowledge(space, read_prior(prior))
    check_integer("keep", keep, 1)
    if startup is None:
        startup = 0 if knowledge else _STARTUP
    check_integer("startup", startup, 0)
    check_integer("candidates", candidates, 8)
    check_integer("evaluations", evaluations, 2)
    model, promotion = RewardPosterior(space, knowledge, budget, rungs[0]), Promotion(rungs, keep)
    actions, dimensions = Actions(space, candidates, lanes), len(space)
    blind = not knowledge  # without a prior all configurations are equal before the first trial

    def init(key: Key) -> QLearningState:
        shift = jax.random.uniform(key, (dimensions,), jnp.float32)
        history = histories.empty(dimensions, lanes)
        opened = jnp.zeros(history.score.shape, bool)
        return QLearningState(history, jnp.asarray(model.start), opened, shift, jnp.float32(0))

    # Compiled separately, so that eager calls are fast and give equal results. Seeds run one after another: LAPACK
    # factors one matrix at a time anyway, and a vmapped loop takes as long as its longest member.
    @jax.jit
    @sequential_vmap
    def fitted(theta: Array, history: History) -> Array:
        return model.fitted(theta, history, evaluations)

    @jax.jit
    @sequential_vmap
    def chosen(key: Key, state: QLearningState) -> Proposal:
        legal_key, action_key, coin_key = jax.random.split(key, 3)
        history = state.history
        told = model.condition(state.theta, history)
        code = jnp.where(histories.filled(history), codes(history.point), jnp.uint32(0))
        even = legal(legal_key, space, even_sequence(state.shift, history.count, lanes))
        best, rows = jax.lax.top_k(told.score, STATES - 1)
        start = jnp.where((best > -jnp.inf)[:, None], told.point[rows], even[:1])
        decision = Decision(space, model, told, code)
        considered = actions.consider(action_key, jnp.concatenate([even[:1], start]), decision.improvement)
        if promotion.top:
            considered = promotion.join(considered, decision, history, state.opened)
        explores = jax.random.uniform(coin_key, (lanes,), jnp.float32) < schedule.epsilon(state.decay)
        proposal = promotion.proposal(considered, choose(decision, considered, explores, gamma), history)
        early = ((history.count == 0) & blind) | (history.count + jnp.arange(lanes, dtype=jnp.int32) < startup)
        same = codes(even)[:, None] == codes(even)[None]
        again = jnp.any(same & np.tri(lanes, k=-1, dtype=bool), axis=1)  # equal to an earlier lane's
        early = early & ~again & ~jnp.any(code[:, None] == codes(even)[None], axis=0)
        return proposal._replace(
            point=jnp.where(early[:, None], even, proposal.point),
            budget=jnp.where(early, rungs[0], proposal.budget),
            source=jnp.where(early, FRESH, proposal.source),
        )

    @jax.jit
    @sequential_vmap
    def unsure(theta: Array, history: History) -> Array:
        told = model.condition(theta, history)
        best = jnp.argmax(told.score)
        there = told.score[best] > -jnp.inf
        around = actions.around(jnp.where(there, told.point[best], 0.5))
        return jnp.where(there, variance(model, told, around), 1.0)

    def ask(key: Key, state: QLearningState) -> Proposal:
        return chosen(key, state)

    def tell(key: Key, state: QLearningState, proposal: Proposal, outcome: Outcome) -> tuple[QLearningState, Metrics]:
        del key
        # The variance of the posterior with which the decision was made, before this round is learned from.
        q_variance = unsure(state.theta, state.history)
        k = schedule.rate(q_variance)
        opened = state.opened
        if promotion.top:
            history, place = record(state.history, proposal, outcome)
            opened = promotion.told(opened, place, history, proposal)
        else:
            history = histories.append(state.history, proposal, outcome)
        theta = jnp.where(jnp.any(proposal.active), fitted(state.theta, history), state.theta)
        hyper = unpack(theta)
        metrics = {
            "epsilon": schedule.epsilon(state.decay),
            "k": k,
            "q_variance": q_variance,
            "noise": hyper.noise,
            "relevance": jnp.max(hyper.relevance),
        }
        decay = state.decay + jnp.sum(proposal.active, dtype=jnp.float32) * k
        return QLearningState(history, theta, opened, state.shift, decay), metrics

    def grow(state: QLearningState, trials: int) -> QLearningState:
        history = histories.grow(state.history, trials)
        more = history.score.shape[0] - state.opened.shape[0]
        opened = histories.pad(state.opened, more, False) if more else state.opened
        return state._replace(history=history, opened=opened)

    def resumable(state: QLearningState) -> Array:
        return jnp.where(state.opened, state.history.trial, FRESH)

    return Algorithm(init, ask, tell, grow, resumable if promotion.top else None)
