"""Thompson sampling over the configurations of a grid."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.model_based.linear_bandit import NOISE, SHARPNESS, Arms, Posterior
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Proposal

_FREQUENCIES = 64  # number of random Fourier features of a draw from the prior
_SERIES = [(-1.0) ** k * (2 * math.pi) ** (2 * k) / math.factorial(2 * k) for k in range(9, -1, -1)]  # cos(2 pi x)
_TOLD, _CHOSEN = 1e3, 1e6  # penalties, so that told and chosen arms are taken only if there is no other


def thompson(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    scale: float = 0.3,
    candidates: int = 256,
    sharpness: float = SHARPNESS,
    noise: float = NOISE,
) -> Algorithm:
    """Choose the arm that is best in a draw from the posterior: linear Thompson sampling (Agrawal & Goyal 2013).

    Every configuration of the grid is an arm; the model is that of `ucb` (`linear_bandit`). Every lane has a draw of
    its own, which is a draw from the prior with a correction (Wilson et al. 2020), so no matrix of arms by arms is
    factored.

    Use it for many lanes, whose trials differ by themselves, or for noisy scores. A round costs about a millisecond at
    128 trials, and grows with the cube of the trials. Memory: C x candidates numbers.

    Args:
        space: Search space; every dimension needs levels. The number of configurations is not limited.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs. Told trials of other budgets count
            alike.
        scale: Factor for the draws' deviations from the mean; 1 is the posterior.
        candidates: Number of arms considered in a round, half of them uniform draws, half neighbours of the best eight
            told arms. If there are at most twice as many arms, all are considered.
        sharpness: Rate at which the correlation of arms falls with the levels in which they differ.
        noise: Variance of the noise of a reward, where that of the rewards of all arms is 1.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    check_number("scale", scale, 0.0, 1e2)
    check_integer("candidates", candidates, 2)
    check_number("sharpness", sharpness, 1e-3, 1e3)
    check_number("noise", noise, 1e-3, 1e3)
    arms = Arms(space, "thompson", candidates, sharpness, noise)

    def ask(key: Key, state: History) -> Proposal:
        sample_key, draw_key = jax.random.split(key)
        point, levels = arms.sample(sample_key, state)
        name = arms.names(levels)
        value = draw(draw_key, arms, arms.posterior(state), arms.embed(levels), lanes, scale)
        value = value - jnp.where(arms.told(state, name), _TOLD, 0.0)[None]

        def step(handicap: Array, value: Array) -> tuple[Array, Array]:
            best = jnp.argmax(value + handicap).astype(jnp.int32)
            return jnp.where(name == name[best], -_CHOSEN, handicap), best

        _, chosen = jax.lax.scan(step, jnp.zeros(name.shape, jnp.float32), value)
        return fresh(point[chosen], budget)

    return histories.remembering(len(space), lanes, ask)


def draw(key: Key, arms: Arms, posterior: Posterior, embedding: Array, number: int, scale: float = 1.0) -> Array:
    """Return draws of the arms' mean rewards from the posterior: [N, R] embeddings -> [number, N].

    A draw from the prior is a sum of random Fourier features (Rahimi & Recht 2007). Its residuals at the told trials,
    with noise, are interpolated as the posterior mean interpolates rewards, and added.
    """
    size, rank = posterior.seen.shape
    shapes = ((rank, _FREQUENCIES), (2 * _FREQUENCIES, number), (size, number))
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    normal = jax.random.normal(key, (int(ends[-1]),), jnp.float32)
    waves, weight, noise = (part.reshape(s) for part, s in zip(jnp.split(normal, ends[:-1]), shapes, strict=True))

    def prior(embedding: Array) -> Array:
        turns = waves * (jnp.sqrt(jnp.float32(arms.sharpness)) / np.float32(2 * np.pi))
        turns = jnp.matmul(embedding, turns, precision="highest")
        basis = jnp.concatenate([_cosine(turns), _cosine(turns - 0.25)], axis=1) * np.float32(_FREQUENCIES**-0.5)
        return scale * jnp.matmul(basis, weight, precision="highest")

    noise = scale * jnp.sqrt(jnp.float32(arms.noise)) * noise
    left = jnp.where(posterior.there[:, None], posterior.reward[:, None] - prior(posterior.seen) - noise, 0.0)
    left = jnp.matmul(posterior.whitener, left, precision="highest")
    carried = jnp.matmul(posterior.whitener.T, left, precision="highest")  # [C, number]
    correction = jnp.matmul(carried.T, arms.covariance(posterior, embedding), precision="highest")
    return prior(embedding).T + correction


def _cosine(turns: Array) -> Array:
    """Return cos(2 pi turns) to about 1e-6, by a polynomial: XLA's own takes six times as long on a CPU."""
    square = (turns - jnp.round(turns)) ** 2
    value = jnp.zeros_like(square)
    for term in _SERIES:
        value = value * square + term
    return value
