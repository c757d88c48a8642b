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

_TWICE = 128  # rows up to which a fit also starts from the prior's mode


class GPState(NamedTuple):
    """What has been told, and the kernel that explains it."""

    history: History
    theta: Array  # [D + 2] float32: logarithms of the kernel's hyperparameters
    shift: Array  # [D] float32: where the first trials' sequence starts


def gp(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    acquisition: str = "log_ei",
    startup: int = 8,
    candidates: int = 64,
) -> Algorithm:
    """Model scores with a Gaussian process and try what may improve on the best: Bayesian optimisation.

    Expected improvement, in logarithms (Jones et al. 1998; Ament et al. 2023, arXiv 2310.20708), over the posterior
    mean of the best told trial, so that one lucky score of noisy training does not stop the search. The kernel is
    Matern 5/2 with a relevance for every hyperparameter, for options without an order whether they are the same, as in
    Optuna's GPSampler; its hyperparameters are those of the largest posterior density, fitted again at every tell.
    Scores are warped by `warp`. The acquisition is climbed over steps and mutants, never to a told configuration. Rows
    of a batch are chosen one after the other, the process supposing its own mean where the earlier ones are (kriging
    believer, Ginsbourger et al. 2010). The first `startup` trials are an even sequence's.

    Take it where a trial takes seconds or more, scores vary smoothly and trials are few. Of more than 512 trials the
    256 best and the latest others are modelled (half as many in the fit), so the cost of a round stays bounded. Ask and
    tell of 8 lanes at 100 trials take some 35 ms on two CPU cores, at 500 trials some 200 ms; memory is that of a few
    512 x 512 matrices and of D of 256 x 256. Studies of many seeds run one after the other inside of one program.

    Args:
        space: what to search; hyperparameters need no levels.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.
        acquisition: "log_ei", "ei" or "ucb", the upper confidence bound of two standard deviations.
        startup: trials that are spread evenly before the model chooses.
        candidates: random mutants that are scored in each of up to 8 turns of a search, beside steps in every
            dimension.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    if acquisition not in ACQUISITIONS:
        raise ValueError(f"acquisition={acquisition!r} is unknown; use one of {', '.join(ACQUISITIONS)}")
    check_integer("startup", startup, 1)
    check_integer("candidates", candidates, 8)
    has_order, dimensions = ordered(space), len(space)
    search = Search(space, candidates)
    worth, first = ACQUISITIONS[acquisition], prior_mode(dimensions)

    def init(key: Key) -> GPState:
        shift = jax.random.uniform(key, (dimensions,), jnp.float32)
        return GPState(histories.empty(dimensions, lanes), jnp.asarray(first), shift)

    # Compiled on their own, so that eager calls are cheap and equal; and one seed after the other, as LAPACK takes one
    # matrix after the other anyway, while a batch of loops runs as long as its longest.
    @jax.jit
    @sequential_vmap
    def fitted(theta: Array, history: History) -> Array:
        point, target, there, _ = modelled(history, FITTED)
        size = target.shape[0]
        square = jnp.stack(squares(has_order, point, point)).reshape(dimensions, size * size)
        data = Data(square, target, there)
        # Few trials cannot tell one explanation from another, and the last fit may be the wrong one.
        starts = jnp.stack([theta, first] if size <= _TWICE else [theta])
        found, density = jax.lax.map(lambda start: fit(start, data), starts)
        return found[jnp.argmax(density)]

    @jax.jit
    @sequential_vmap
    def chosen(key: Key, state: GPState) -> Array:
        point, target, there, _ = modelled(state.history, USED)
        size = target.shape[0]
        hyper = unpack(state.theta)
        posterior = condition(has_order, hyper, point, target, there, lanes)
        mean, _ = predict(has_order, posterior, point)
        top = jnp.max(jnp.where(there, mean, -jnp.inf))
        told = jnp.where(histories.filled(state.history), codes(state.history.point), jnp.uint32(0))
        # Climbs begin where it was best so far, and at a point of the even sequence, which is everywhere in the end.
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
