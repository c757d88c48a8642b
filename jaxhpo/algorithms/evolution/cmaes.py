"""Covariance matrix adaptation."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History, first_new_rows
from jaxhpo.algorithms.common.proposals import fresh, uniform
from jaxhpo.algorithms.evolution import cma_distribution as cma
from jaxhpo.algorithms.evolution.cma_distribution import Normal
from jaxhpo.algorithms.evolution.cma_space import MixedSpace
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Metrics, Outcome, Proposal

_TRIES = 3  # draws per lane to find a new configuration, before as many uniform draws
_DOUBLINGS = 3  # largest number of doublings of the population size; a restart doubles it


class Generation(NamedTuple):
    """The trials told since the last update. G is the largest population size.

    Attributes:
        sample: Configurations as they were drawn: [G, D] float32.
        score: Scores, -inf if failed or not told: [G] float32.
        filled: Number of told trials: [] int32.
    """

    sample: Array
    score: Array
    filled: Array


class EvolutionState(NamedTuple):
    """The values that decide about restarts.

    Attributes:
        best: Best score since the last restart, -inf at first: [] float32.
        stalled: Number of updates since the best score improved: [] int32.
        stuck: Whether most draws of the last round were not new: [] bool.
        restarts: Number of restarts: [] int32.
    """

    best: Array
    stalled: Array
    stuck: Array
    restarts: Array


class CmaState(NamedTuple):
    """The state of the search, for n ordered and m unordered hyperparameters with at most L options.

    Attributes:
        history: Told trials.
        normal: Distribution of the ordered hyperparameters.
        odds: Probabilities of the options of the unordered ones: [m, L] float32.
        generation: Trials told since the last update.
        evolution: Values that decide about restarts.
        sample: Next round as it was drawn: [B, D] float32.
        point: Next round as it is proposed: [B, D] float32.
    """

    history: History
    normal: Normal
    odds: Array
    generation: Generation
    evolution: EvolutionState
    sample: Array
    point: Array


def cmaes(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    population: int | None = None,
    sigma: float = 0.25,
    option_rate: float = 0.5,
    tolerance: float = 1e-5,
) -> Algorithm:
    """Search by CMA-ES (Hansen 2016, arXiv 1604.00772): a normal distribution over the cube adapts to good trials.

    The method is that of the tutorial, with negative weights, and these additions:

    - The trials of an update come from as many rounds as are needed. Configurations that the user enqueued count too if
      their budget is the same (Hansen 2011, injected solutions); a step to them is shortened to the length of a draw.
    - Whole numbers and ordered options are drawn in the cube and rounded. A lower bound on each standard deviation
      keeps the probability that a draw leaves its cell at 1 / (population * D) or more: CMA-ES with margin (Hamano et
      al. 2022).
    - Unordered options have their own probabilities, which move towards those of the better half and never become 0:
      CatCMA (Hamano et al. 2024), with a fixed rate.
    - Draws outside the cube are moved to its face. Told configurations are not proposed again, if a few draws find a
      new one.
    - After convergence, a long time without improvement, or too few new draws, the search restarts from a random mean
      with twice the population, up to eight times the first (IPOP, Auger & Hansen 2005).

    Use it for a few hundred trials or more, mostly with real numbers. A round costs less than a millisecond, a
    trial D + 3 numbers of memory, and an update the eigendecomposition of an n x n matrix.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.
        population: Number of trials per update; None is 4 + 3 ln D, rounded to a multiple of `lanes`.
        sigma: Initial standard deviation, as a fraction of each range.
        option_rate: Learning rate of the probabilities of unordered options, in [0, 1].
        tolerance: Standard deviation of real numbers at which the search has converged, as a fraction of each range.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    check_common(space, lanes, budget)
    if population is None:
        population = default_population(len(space), lanes)
    check_integer("population", population, 4)
    check_number("sigma", sigma, 1e-3, 1.0)
    check_number("option_rate", option_rate, 0.0, 1.0)
    check_number("tolerance", tolerance, 0.0, 1.0)
    mixed = MixedSpace(space, 1 / (population * len(space)))
    n = len(mixed.normal)
    sizes = np.array([population << i for i in range(_DOUBLINGS + 1)], np.int32)
    tables = _by_size(max(n, 1), sizes)
    patience = (10 + np.ceil(30 * len(space) / sizes)).astype(np.int32)

    def stage(evolution: EvolutionState) -> Array:
        return jnp.minimum(evolution.restarts, _DOUBLINGS)

    def emptied() -> Generation:
        size = int(sizes[-1])
        samples = jnp.zeros((size, len(space)), jnp.float32)
        return Generation(samples, jnp.full(size, -jnp.inf, jnp.float32), jnp.int32(0))

    def draw(key: Key, state: CmaState) -> CmaState:
        """Return the state with a new next round."""
        draw_key, uniform_key = jax.random.split(key)
        sample, point = mixed.draw(draw_key, state.normal, state.odds, _TRIES * lanes)
        anywhere = uniform(uniform_key, space, _TRIES * lanes)
        sample, point = jnp.concatenate([sample, anywhere]), jnp.concatenate([point, anywhere])
        row = first_new_rows(state.history, point, lanes)
        stuck = 2 * jnp.sum(row < _TRIES * lanes, dtype=jnp.int32) < lanes
        return state._replace(sample=sample[row], point=point[row], evolution=state.evolution._replace(stuck=stuck))

    def gather(state: CmaState, proposal: Proposal, outcome: Outcome) -> Generation:
        """Return the generation with a told round; trials beyond its size are ignored."""
        generation, size = state.generation, jnp.asarray(sizes)[stage(state.evolution)]
        counts = proposal.active & (proposal.budget == budget)
        own = jnp.all(proposal.point == state.point, axis=1)
        sample = jnp.where(own[:, None], state.sample, proposal.point)
        place = generation.filled + jnp.cumsum(counts, dtype=jnp.int32) - 1
        place = jnp.where(counts & (place < size), place, sizes[-1])  # out of range, hence dropped
        score = jnp.where(jnp.isfinite(outcome.score), outcome.score, -jnp.inf)
        return Generation(
            generation.sample.at[place].set(sample, mode="drop"),
            generation.score.at[place].set(score, mode="drop"),
            jnp.minimum(generation.filled + jnp.sum(counts, dtype=jnp.int32), size),
        )

    def learn(key: Key, state: CmaState) -> CmaState:
        """Return the state after an update, restarted if necessary."""
        generation, evolution = state.generation, state.evolution
        order = jnp.argsort(-generation.score)
        sample = generation.sample[order]
        k = jax.tree.map(lambda table: jnp.asarray(table)[stage(evolution)], tables)
        learned = jnp.isfinite(generation.score[order[0]])  # False if all trials failed
        normal, odds = state.normal, state.odds
        if n:
            normal = cma.update(normal, k, mixed.steps(normal, sample), mixed.stretch(normal))
            normal = mixed.clamped(normal)
        odds = mixed.learned(odds, sample, jnp.maximum(k.weights, 0.0), option_rate)
        normal, odds = jax.tree.map(
            lambda new, old: jnp.where(learned, new, old), (normal, odds), (state.normal, state.odds)
        )
        top = generation.score[order[0]]
        stalled = jnp.where(top > evolution.best, 0, evolution.stalled + 1)
        late = stalled >= jnp.asarray(patience)[stage(evolution)]
        again = late | evolution.stuck | mixed.settled(normal, odds, tolerance)
        evolution = EvolutionState(
            jnp.where(again, -jnp.inf, jnp.maximum(evolution.best, top)),
            jnp.where(again, 0, stalled),
            jnp.bool_(False),
            evolution.restarts + again.astype(jnp.int32),
        )
        anew = cma.start(jax.random.uniform(key, (n,), jnp.float32), sigma), jnp.asarray(mixed.even)
        normal, odds = jax.tree.map(lambda new, old: jnp.where(again, new, old), anew, (normal, odds))
        return state._replace(normal=normal, odds=odds, generation=emptied(), evolution=evolution)

    def init(key: Key) -> CmaState:
        batch = jnp.zeros((lanes, len(space)), jnp.float32)
        evolution = EvolutionState(jnp.float32(-jnp.inf), jnp.int32(0), jnp.bool_(False), jnp.int32(0))
        normal = cma.start(jnp.full(n, 0.5, jnp.float32), sigma)
        history = histories.empty(len(space), lanes)
        return draw(key, CmaState(history, normal, jnp.asarray(mixed.even), emptied(), evolution, batch, batch))

    def ask(key: Key, state: CmaState) -> Proposal:
        del key  # the round was drawn when the last one was told
        return fresh(state.point, budget)

    def tell(key: Key, state: CmaState, proposal: Proposal, outcome: Outcome) -> tuple[CmaState, Metrics]:
        learn_key, draw_key = jax.random.split(key)
        after = state._replace(
            history=histories.append(state.history, proposal, outcome), generation=gather(state, proposal, outcome)
        )
        full = after.generation.filled >= jnp.asarray(sizes)[stage(after.evolution)]
        after = draw(draw_key, jax.lax.cond(full, learn, lambda _, same: same, learn_key, after))
        # A round without active lanes changes nothing.
        after = jax.tree.map(lambda new, old: jnp.where(jnp.any(proposal.active), new, old), after, state)
        return after, {"sigma": after.normal.sigma, "restarts": after.evolution.restarts}

    def grow(state: CmaState, trials: int) -> CmaState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)


def default_population(dimensions: int, lanes: int) -> int:
    """Return 4 + 3 ln D, rounded to a multiple of `lanes`, at least 4."""
    wanted = 4 + math.floor(3 * math.log(dimensions))
    size = lanes * max(1, round(wanted / lanes))
    return size if size >= 4 else lanes * -(-4 // lanes)


def _by_size(n: int, sizes: np.ndarray) -> cma.Constants:
    """Return the constants for all population sizes, stacked; weights are padded with zeros."""
    rows = [cma.constants(n, int(size)) for size in sizes]
    padded = [row._replace(weights=np.pad(row.weights, (0, int(sizes[-1]) - len(row.weights)))) for row in rows]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
