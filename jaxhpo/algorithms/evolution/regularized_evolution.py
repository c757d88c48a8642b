"""Regularized (aging) evolution."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.evolution.variation import TRIES, Variation, brood
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Proposal


def regularized_evolution(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    population: int = 32,
    sample: int = 16,
    initial: int = 8,
    step: float = 0.1,
    near: float = 0.5,
) -> Algorithm:
    """Mutate the best of a sample of the latest trials: regularized evolution (Real et al. 2019).

    The population is the latest `population` trials told, of whoever proposed them: the oldest die, however good. Every
    lane samples `sample` of them with replacement and proposes the best with one hyperparameter changed: an ordered
    one moves a little or is drawn anew, another is drawn anew. The first `initial` trials are drawn uniformly. What was
    told already is not proposed again, as far as a few tries find something new. Failed trials count as the worst.

    Take it for architectures, unordered options and noisy scores, and as the baseline of the field. Costs a few tenths
    of a millisecond, and D + 3 numbers a trial.

    Args:
        space: what to search.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.
        population: trials that are alive.
        sample: trials that a parent is the best of; more is greedier.
        initial: trials drawn uniformly before any is mutated.
        step: mean length of a small move, in units of an ordered hyperparameter's range; at least a level.
        near: how many mutations of ordered hyperparameters are small moves.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    for name, value in (("population", population), ("sample", sample), ("initial", initial)):
        check_integer(name, value, 1)
    check_number("step", step, 0.0, 1.0)
    check_number("near", near, 0.0, 1.0)
    variation = Variation(space, step, near)

    def ask(key: Key, state: History) -> Proposal:
        sample_key, mutate_key, uniform_key = jax.random.split(key, 3)
        rows = parents(sample_key, state, population, sample, TRIES * lanes)
        child = variation.mutate_one(mutate_key, state.point[rows])
        return fresh(brood(uniform_key, space, state, child, initial, lanes), budget)

    return histories.remembering(len(space), lanes, ask)


def parents(key: Key, history: History, population: int, sample: int, number: int) -> Array:
    """Return the rows of parents: [number] int32, each the best of a sample of the latest trials; 0 where none is told.

    Of equal scores the latest trial's.
    """
    told = jnp.minimum(history.count, history.score.shape[0])
    alive = jnp.minimum(told, population)
    draw = jax.random.uniform(key, (number, sample), jnp.float32)
    offset = jnp.floor(draw * alive.astype(jnp.float32)).astype(jnp.int32)
    rows = told - alive + jnp.minimum(offset, jnp.maximum(alive - 1, 0))
    score = jnp.where(histories.succeeded(history), history.score, -jnp.inf)[rows]
    return jnp.max(jnp.where(score == jnp.max(score, axis=1, keepdims=True), rows, 0), axis=1)
