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

    The population is the best `population` of all trials told, of whoever proposed them, so the elite never dies. A
    lane's child has each hyperparameter of either of two parents, or all of one, and each is mutated with probability
    `mutation` / D: an ordered one moves a little or is drawn anew, another is drawn anew. A parent is the best of
    `tournament` drawn from the population. There are no generations: a batch of any size is bred from what was told
    before it. The first `initial` trials are drawn uniformly. What was told already is not proposed again, as far as a
    few tries find something new. Failed trials count as the worst.

    Take it for large batches and for spaces of mixed kinds, where good values of single hyperparameters go together.
    Costs a few tenths of a millisecond, and D + 3 numbers a trial.

    Args:
        space: what to search.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.
        population: trials that may be parents.
        tournament: trials that a parent is the best of; more is greedier.
        initial: trials drawn uniformly before any is bred.
        mating: how many children have two parents.
        mutation: hyperparameters of a child that are mutated on average.
        step: mean length of a small move, in units of an ordered hyperparameter's range; at least a level.
        near: how many mutations of ordered hyperparameters are small moves.

    Raises:
        ValueError: naming the argument that cannot be.
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
        # A copy of a parent would be told again.
        copy = jnp.all(child == first, axis=1) | jnp.all(child == second, axis=1)
        child = variation.mutate(mutate_key, child, mutation / len(space), copy)
        return fresh(brood(uniform_key, space, state, child, initial, lanes), budget)

    return histories.remembering(len(space), lanes, ask)


def parents(key: Key, history: History, population: int, tournament: int, number: int) -> Array:
    """Return the rows of parents: [number] int32, each the winner of a tournament; 0 where none is told.

    Of equal scores the earliest trial's.
    """
    size = history.score.shape[0]
    # Sorting keeps the order of equals, so failed trials come before empty rows.
    best = jnp.argsort(jnp.where(histories.succeeded(history), -history.score, jnp.inf)).astype(jnp.int32)
    alive = jnp.minimum(jnp.minimum(history.count, size), population)
    draw = jax.random.uniform(key, (number, tournament), jnp.float32)
    # The trials are in order, so the best of a tournament is the first.
    place = jnp.floor(jnp.min(draw, axis=1) * alive.astype(jnp.float32)).astype(jnp.int32)
    return best[jnp.clip(place, 0, jnp.maximum(alive - 1, 0))]
