"""A genetic algorithm."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.evolution.variation import TRIES, Variation, brood, crossover
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Proposal


def genetic(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    population: int = 16,
    tournament: int = 3,
    initial: int = 8,
    mating: float = 0.7,
    mutation: float = 1.0,
    step: float = 0.1,
    near: float = 0.5,
) -> Algorithm:
    """Breed the best trials: a steady-state genetic algorithm (Goldberg 1989; Syswerda 1989, uniform crossover).

    The population is the best `population` of all told trials, so the elite survives. A child takes each hyperparameter
    from either of two parents, or all from one parent. Each is then mutated with probability `mutation` / D: an ordered
    one moves a little or is drawn again, any other is drawn again. A parent is the best of `tournament` trials drawn
    from the population. A round of any size is bred from the trials told before it. The first `initial` trials are
    uniform. Told configurations are not proposed again, if a few tries find a new one. Failed trials rank last.

    Use it for many lanes and for spaces of mixed kinds in which good values of single hyperparameters combine well. A
    round costs a few tenths of a millisecond, a trial D + 3 numbers of memory.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        population: Number of trials that may be parents.
        tournament: Number of drawn trials, of which the best is a parent; more is greedier.
        initial: Number of uniform trials before the first child.
        mating: Share of children with two parents.
        mutation: Average number of mutated hyperparameters of a child.
        step: Average length of a small move, as a fraction of an ordered hyperparameter's range; it is at least one
            level.
        near: Share of small moves among the mutations of ordered hyperparameters.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    check_common(space, lanes, budget)
    for name, value in (("population", population), ("tournament", tournament), ("initial", initial)):
        check_integer(name, value, 1)
    for name, value, high in (("mating", mating, 1.0), ("mutation", mutation, 1e6), ("step", step, 1.0)):
        check_number(name, value, 0.0, high)
    check_number("near", near, 0.0, 1.0)
    variation = Variation(space, step, near)

    def ask(key: Key, state: History) -> Proposal:
        select_key, mate_key, cross_key, mutate_key, uniform_key = jax.random.split(key, 5)
        number = TRIES * lanes
        rows = parents(select_key, state, population, tournament, 2 * number)
        first, second = state.point[rows[:number]], state.point[rows[number:]]
        mates = jax.random.uniform(mate_key, (number,), jnp.float32) < mating
        child = jnp.where(mates[:, None], crossover(cross_key, first, second), first)
        # A child that equals a parent is always mutated, so that it is not evaluated again.
        copy = jnp.all(child == first, axis=1) | jnp.all(child == second, axis=1)
        child = variation.mutate(mutate_key, child, mutation / len(space), copy)
        return fresh(brood(uniform_key, space, state, child, initial, lanes), budget)

    return histories.remembering(len(space), lanes, ask)


def parents(key: Key, history: History, population: int, tournament: int, number: int) -> Array:
    """Return the rows of parents, each the winner of a tournament: [number] int32; 0 if no trial is told.

    Of equal scores the earliest trial wins.
    """
    size = history.score.shape[0]
    # Sorting keeps the order of equals, so failed trials come before empty rows.
    best = jnp.argsort(jnp.where(histories.succeeded(history), -history.score, jnp.inf)).astype(jnp.int32)
    alive = jnp.minimum(jnp.minimum(history.count, size), population)
    draw = jax.random.uniform(key, (number, tournament), jnp.float32)
    # The trials are in order, so the best of a tournament is the first.
    place = jnp.floor(jnp.min(draw, axis=1) * alive.astype(jnp.float32)).astype(jnp.int32)
    return best[jnp.clip(place, 0, jnp.maximum(alive - 1, 0))]
