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

_FREQUENCIES = 64  # of the waves whose sum is a draw from the prior
_SERIES = [(-1.0) ** k * (2 * math.pi) ** (2 * k) / math.factorial(2 * k) for k in range(9, -1, -1)]  # of cosine
_TOLD, _CHOSEN = 1e3, 1e6  # what draws lose by, so that a told arm is taken when there is no other


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
    """Pull the arm that is best in a draw from the posterior: Thompson sampling, linear (Agrawal & Goyal 2013).

    Every configuration of the grid is an arm; the model is that of `ucb` (`linear_bandit`). Every
    lane of a batch has a draw of its own, made by correcting one from the prior (Wilson et al. 2020): no matrix of
    arms by arms is factored.

    Take it for large batches, whose lanes it spreads by itself, or where trials are noisy. Costs about a
    millisecond at 128 trials and grows with the cube of the trials; C x candidates floats.

    Args:
        space: what to search; every dimension needs levels, and there may be any number of configurations.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs. Trials told at other budgets count as any other.
        scale: by which the draws' deviations from the mean are multiplied; 1 is the posterior as it is.
        candidates: arms looked at in an ask: all of them where there are at most twice so many; else half of so many
            drawn uniformly, and half neighbours of the best eight told.
        sharpness: how fast arms that share fewer levels get unlike.
        noise: variance of a reward about the model, where that of all arms is 1.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels.
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

    A draw from the prior is a sum of waves of random frequencies (Rahimi & Recht 2007); the residuals that it leaves of
    the rewards, its own noise included, are then carried over as the posterior mean carries rewards.
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
    """Return cos(2 pi turns), within 1e-6 near 0: a polynomial, as XLA's own takes six times as long on a CPU."""
    square = (turns - jnp.round(turns)) ** 2
    value = jnp.zeros_like(square)
    for term in _SERIES:
        value = value * square + term
    return value
