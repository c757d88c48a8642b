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

    The population is the latest `population` told trials: the oldest leave it, however good they are. Every lane
    samples `sample` trials of it with replacement and proposes the best one with one hyperparameter changed: an ordered
    one moves a little or is drawn again, any other is drawn again. The first `initial` trials are uniform. Told
    configurations are not proposed again, if a few tries find a new one. Failed trials rank last.

    Use it for architectures, unordered options and noisy scores, and as a common baseline. A round costs a few tenths
    of a millisecond, a trial D + 3 numbers of memory.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        population: Number of latest trials in the population.
        sample: Number of sampled trials, of which the best is the parent; more is greedier.
        initial: Number of uniform trials before the first mutant.
        step: Average length of a small move, as a fraction of an ordered hyperparameter's range; it is at least one
            level.
        near: Share of small moves among the mutations of ordered hyperparameters.

    Raises:
        ValueError: if an argument is invalid; the message names it.
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
    """Return the rows of parents, each the best of a sample of the population: [number] int32; 0 if no trial is told.

    Of equal scores the latest trial wins.
    """
    told = jnp.minimum(history.count, history.score.shape[0])
    alive = jnp.minimum(told, population)
    draw = jax.random.uniform(key, (number, sample), jnp.float32)
    offset = jnp.floor(draw * alive.astype(jnp.float32)).astype(jnp.int32)
    rows = told - alive + jnp.minimum(offset, jnp.maximum(alive - 1, 0))
    score = jnp.where(histories.succeeded(history), history.score, -jnp.inf)[rows]
    return jnp.max(jnp.where(score == jnp.max(score, axis=1, keepdims=True), rows, 0), axis=1)
