"""Acquisition functions: expected improvement, its logarithm, and an upper confidence bound."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxhpo.types import Array

_FAR = -2.5  # below this the direct formula loses digits in float32
_TERMS = 20  # terms of the continued fraction, enough for float32 from 2.5 on
_ROOT = math.sqrt(2 * math.pi)


def log_improvement(z: Array) -> Array:
    """Return log(phi(z) + z Phi(z)) of float32 of any shape, accurate even if the improvement underflows float32.

    Ament et al. 2023 (arXiv 2310.20708). Below -2.5 it uses a continued fraction: with t = -z, Mills' ratio is 1 / (t +
    K) and K = 1 / (t + 2 / (t + 3 / ...)), so that 1 - t / (t + K) = K / (t + K), without cancellation.
    """
    near = jnp.maximum(z, _FAR)
    direct = jnp.exp(-0.5 * near * near) / _ROOT + near * jax.scipy.special.ndtr(near)
    t = jnp.maximum(-z, -_FAR)
    tail = t
    for term in range(_TERMS, 1, -1):
        tail = t + term / tail
    k = 1.0 / tail
    far = -0.5 * t * t - math.log(_ROOT) + jnp.log(k) - jnp.log(t + k)
    return jnp.where(z > _FAR, jnp.log(direct), far)


def log_ei(mean: Array, deviation: Array, best: Array) -> Array:
    """Return the logarithm of the expected improvement over `best`."""
    return jnp.log(deviation) + log_improvement((mean - best) / deviation)


def ei(mean: Array, deviation: Array, best: Array) -> Array:
    """Return the expected improvement over `best` (Jones et al. 1998); 0 if it underflows float32."""
    return jnp.exp(log_ei(mean, deviation, best))


def ucb(mean: Array, deviation: Array, best: Array) -> Array:
    """Return the upper confidence bound of two standard deviations (Srinivas et al. 2010)."""
    del best
    return mean + 2.0 * deviation


ACQUISITIONS: dict[str, Callable[[Array, Array, Array], Array]] = {"log_ei": log_ei, "ei": ei, "ucb": ucb}
