"""Bayesian optimisation with a Gaussian process."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import sequential_vmap

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh, legal, ordered
from jaxhpo.algorithms.gp.acquisition import ACQUISITIONS
from jaxhpo.algorithms.gp.data import FITTED, USED, even_sequence, modelled
from jaxhpo.algorithms.gp.fit import Data, fit, prior_mode
from jaxhpo.algorithms.gp.kernel import squares, unpack
from jaxhpo.algorithms.gp.posterior import Posterior, append, condition, predict
from jaxhpo.algorithms.gp.search import STARTS, Search, codes
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Metrics, Outcome, Proposal

_TWICE = 128  # largest number of rows for which a fit also starts from the mode of the prior


class GPState(NamedTuple):
    """The told trials and the fitted kernel.

    Attributes:
        history: Told trials.
        theta: Logarithms of the kernel's hyperparameters: [D + 2] float32.
        shift: Random shift of the sequence of the first trials: [D] float32.
    """

    history: History
    theta: Array
    shift: Array


def gp(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    acquisition: str = "log_ei",
    startup: int = 8,
    candidates: int = 64,
) -> Algorithm:
    """Search by Bayesian optimisation with a Gaussian process.

    The acquisition is the logarithm of the expected improvement (Jones et al. 1998; Ament et al. 2023, arXiv
    2310.20708) over the posterior mean of the best told trial, so that one lucky score of a noisy training does not
    stop the search. The kernel is Matern 5/2 with a relevance for each hyperparameter; unordered options are either
    equal or different, as in Optuna's GPSampler. After every round its hyperparameters are fitted to the largest
    posterior density. Scores are warped by `jaxhpo.algorithms.gp.warp`. The square of a score's standard error, if the
    objective gives it, is added to the noise of its trial. The acquisition is maximized by local search over steps and
    mutants, without told configurations. The trials of a round are chosen one after another; the process assumes its
    own mean as the score of the earlier ones (kriging believer, Ginsbourger et al. 2010). The first `startup` trials
    are an evenly spread sequence.

    Use it if a trial takes seconds or more, scores vary smoothly and trials are few. Predictions use at most 512
    trials, the 256 best and the latest others (the fit half as many), so the cost of a round is bounded. With 8 lanes,
    ask and tell take about 35 ms at 100 trials and 200 ms at 500 trials on two CPU cores. Memory: a few 512 x 512 and D
    256 x 256 matrices. Studies of many seeds run one after another inside one program.

    Args:
        space: Search space; levels are not needed.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        acquisition: "log_ei", "ei", or "ucb" for the upper confidence bound of two standard deviations.
        startup: Number of evenly spread trials before the first use of the model.
        candidates: Number of random mutants per step of the local search, which has up to 8 steps. It also tries steps
            in every dimension.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"learning_rate": jaxhpo.Float(1e-4, 1e-1, log=True), "layers": jaxhpo.Int(1, 3)})
        >>> algorithm = jaxhpo.algorithms.gp(space, lanes=8, startup=16)  # for jaxhpo.Study(space, algorithm, ...)
    """
    check_common(space, lanes, budget)
    if acquisition not in tuple(ACQUISITIONS):
        raise ValueError(f"acquisition={acquisition!r} is unknown; use one of {', '.join(ACQUISITIONS)}")
    check_integer("startup", startup, 1)
    check_integer("candidates", candidates, 8)
    has_order, dimensions = ordered(space), len(space)
    search = Search(space, candidates)
    worth, first = ACQUISITIONS[acquisition], prior_mode(dimensions)

    def init(key: Key) -> GPState:
        shift = jax.random.uniform(key, (dimensions,), jnp.float32)
        return GPState(histories.empty(dimensions, lanes), jnp.asarray(first), shift)

    # Compiled separately, so that eager calls are fast and give equal results. Seeds run one after another: LAPACK
    # factors one matrix at a time anyway, and a vmapped loop takes as long as its longest member.
    @jax.jit
    @sequential_vmap
    def fitted(theta: Array, history: History) -> Array:
        point, target, noise, there, _ = modelled(history, FITTED)
        size = target.shape[0]
        square = jnp.stack(squares(has_order, point, point)).reshape(dimensions, size * size)
        data = Data(square, target, there, noise)
        # With few trials several fits are plausible, and the last one may be a poor start.
        starts = jnp.stack([theta, first] if size <= _TWICE else [theta])
        found, density = jax.lax.map(lambda start: fit(start, data), starts)
        return found[jnp.argmax(density)]

    @jax.jit
    @sequential_vmap
    def chosen(key: Key, state: GPState) -> Array:
        point, target, noise, there, _ = modelled(state.history, USED)
        size = target.shape[0]
        hyper = unpack(state.theta)
        posterior = condition(has_order, hyper, point, target, there, lanes, noise)
        mean, _ = predict(has_order, posterior, point)
        top = jnp.max(jnp.where(there, mean, -jnp.inf))
        told = jnp.where(histories.filled(state.history), codes(state.history.point), jnp.uint32(0))
        # The search starts at the best trials, and at a point of the even sequence, which covers the whole space.
        even = legal(jax.random.fold_in(key, lanes), space, even_sequence(state.shift, state.history.count, lanes))
        order = jnp.argsort(jnp.where(there, -target, jnp.inf))[: STARTS - 1]
        elite, held = point[order], there[order][:, None]

        def lane(i: Array, carry: tuple[Posterior, Array, Array, Array]) -> tuple[Posterior, Array, Array, Array]:
            posterior, top, rows, batch = carry
            code = codes(even[i])
            early = (state.history.count + i < startup) & ~jnp.any(told == code) & ~jnp.any(batch == code)

            def look() -> Array:
                def value(point: Array) -> Array:
                    return worth(*predict(has_order, posterior, point), top)

                start = jnp.concatenate([even[i][None], jnp.where(held, elite, even[i][None])])
                return search.maximise(jax.random.fold_in(key, i), start, value, told, batch)

            row = jax.lax.cond(early, lambda: even[i], look)
            mean, _ = predict(has_order, posterior, row[None])
            posterior = append(has_order, posterior, row, size + i)
            return posterior, jnp.maximum(top, mean[0]), rows.at[i].set(row), batch.at[i].set(codes(row))

        begin = posterior, top, jnp.zeros((lanes, dimensions), jnp.float32), jnp.zeros(lanes, jnp.uint32)
        return jax.lax.fori_loop(jnp.int32(0), jnp.int32(lanes), lane, begin)[2]

    def ask(key: Key, state: GPState) -> Proposal:
        return fresh(chosen(key, state), budget)

    def tell(key: Key, state: GPState, proposal: Proposal, outcome: Outcome) -> tuple[GPState, Metrics]:
        del key
        history = histories.append(state.history, proposal, outcome)
        theta = jnp.where(jnp.any(proposal.active), fitted(state.theta, history), state.theta)
        hyper = unpack(theta)
        metrics = {"signal": hyper.signal, "noise": hyper.noise, "relevance": jnp.max(hyper.relevance)}
        return GPState(history, theta, state.shift), metrics

    def grow(state: GPState, trials: int) -> GPState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)
