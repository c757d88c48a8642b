"""Q-learning over a posterior of rewards."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.epsilon import Schedule, VarianceRule
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
_STARTUP = 4  # trials that are spread evenly where nothing is known


class QLearningState(NamedTuple):
    """The agent."""

    history: History
    theta: Array  # [P] float32: logarithms of the hyperparameters of the rewards' kernel
    opened: Array  # [C] bool: trials that may go on
    shift: Array  # [D] float32: where the first trials' sequence starts
    decay: Array  # [] float32: the sum of k


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

    A state s is all that has been told, of every trial its configuration, its score and its epochs; an action a trains
    a configuration x; the reward R is by how much its score improves on the incumbent's. Where an action leads is
    known, so rewards are all there is to learn, and every trial, whoever proposed it, tells of all of them: scores,
    softened by `jaxhpo.algorithms.gp.warp`, are a Gaussian process (Matern 5/2, a relevance for every hyperparameter),
    fitted again to the whole history at every tell. Then

        Q(s, a) = E[R] + gamma E[max_a' E[R' | s']]

    is one backup of Bellman's equation: s' has the score of x too, of which the process says how likely each value is,
    three nodes of Gauss and Hermite for the expectation. So an action is worth what it may gain and what it may teach.
    With gamma = 0, Q is the expected improvement (Jones et al. 1998) and this is Bayesian optimisation; looking one
    step further is due to Osborne et al. 2009 and Wu & Frazier 2019 (arXiv 1909.04238).

    The actions considered change one hyperparameter or several of the best configurations and of what looks best on the
    way, or jump anywhere; from the eight of the largest rewards it is looked ahead. The lanes of a batch act one after
    the other, the process supposing its own mean where the earlier ones go (kriging believer, Ginsbourger et al. 2010).
    Every lane is epsilon-greedy: with probability epsilon it jumps anywhere. Epsilon decays with the trials told by the
    posterior's variance of Q, as a part of the prior's, over the actions that set one of the incumbent's
    hyperparameters to one of four levels (`jaxhpo.algorithms.common.epsilon`).

    With a `min_budget` below the budget, trials begin at the lowest of the rungs budget, budget / eta, ..., and an
    action also lets one go on to its next rung. The share of epochs is one more input of the process, so that it tells
    from the first epochs what a configuration may reach in the end; that is what R and Q are of, divided by the epochs
    that the configuration lacks: what does not promise enough for these is left where it stands.

    Where hyperparameters have names that mean something (`jaxhpo.priors.hyperparameter_features`), such as
    learning_rate, units or dropout, the process begins with what they did in other studies: see `LearnedPrior`. It
    replaces the trials that are spread evenly; where no name is known nothing changes.

    Take it where a trial takes a tenth of a second or more. Ask and tell of 8 lanes at 100 trials take 5 to 6 ms on a
    CPU; of more than 512 trials the 256 best and the latest others are modelled (half as many in the fit), so the cost
    of a round stays bounded. Studies of many seeds run one after the other inside of one program.

    Args:
        space: what to search; hyperparameters need no levels.
        lanes: rows a proposal has.
        budget: the largest budget of a trial, such as epochs.
        gamma: discount; None is 0.9, and 0 with rungs, where what is learned ahead is not weighed against its epochs.
        eps_min: what epsilon decays to.
        eps_max: what it starts from.
        k_0: decay a trial where Q has no variance.
        lam: weight of the variance.
        variance_rule: "high_var_faster" (k = k_0 + lam V) or "high_var_slower" (k = k_0 / (1 + lam V)).
        prior: what is known before the first trial: "shipped", a `LearnedPrior`, the path of one that
            `LearnedPrior.save` wrote, or None.
        min_budget: no rung is below it; None trains every trial for the whole budget.
        eta: a rung has so many times the budget of the one below.
        keep: trials of a rung that may go on, the best; so an objective keeps as many training states a rung.
        startup: trials that are spread evenly before the agent chooses; None is 4, and where a prior knows the space
            none. Without one all of the first batch are.
        candidates: actions that change several hyperparameters at random, in each of two turns, beside those that
            change one.
        evaluations: of the likelihood in a tell, at most; a fit goes on where the last one stopped.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    rungs = read_rungs(budget, eta, budget if min_budget is None else min_budget)
    if gamma is None:
        gamma = _GAMMA if len(rungs) == 1 else 0.0
    check_number("gamma", gamma, 0.0, 1.0)
    schedule = Schedule(eps_min, eps_max, k_0, lam, variance_rule)
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
    blind = not knowledge  # without a trial one configuration is as good as another

    def init(key: Key) -> QLearningState:
        shift = jax.random.uniform(key, (dimensions,), jnp.float32)
        history = histories.empty(dimensions, lanes)
        opened = jnp.zeros(history.score.shape, bool)
        return QLearningState(history, jnp.asarray(model.start), opened, shift, jnp.float32(0))

    # Compiled on their own, so that eager calls are cheap and equal; and one seed after the other, as LAPACK takes one
    # matrix after the other anyway, while a batch of loops runs as long as its longest.
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
        again = jnp.any(same & np.tri(lanes, k=-1, dtype=bool), axis=1)  # as an earlier lane's
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
        # The variance is that of the predicted on which the decision was made, before they learn from it.
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
