"""The covariance of two configurations: Matern 5/2 with a relevance of its own for every hyperparameter."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

NOISE = 1e-5
"""Smallest variance of the noise, where scores have variance 1: what float32 needs to factor a matrix."""


class Hyperparameters(NamedTuple):
    """What the likelihood decides."""

    relevance: Array  # [D] float32: 1 / lengthscale^2, in units of the cube; of unordered options, of any two
    signal: Array  # [] float32: variance of the function
    noise: Array  # [] float32: variance of the noise


def unpack(theta: Array) -> Hyperparameters:
    """Return the hyperparameters whose logarithms are theta: [D + 2] float32. Noise is above `NOISE`."""
    return Hyperparameters(jnp.exp(theta[:-2]), jnp.exp(theta[-2]), NOISE + jnp.exp(theta[-1]))


def squares(ordered: np.ndarray, point: Array, other: Array) -> list[Array]:
    """Return squared distances in each dimension: [N, D], [M, D] -> D of [N, M] float32.

    Two different options without an order are 1 apart, as in Optuna's GPSampler; so is an inactive one from any.
    """
    result = []
    for d, has_order in enumerate(ordered):
        apart = point[:, None, d] - other[None, :, d]
        result.append(apart * apart if has_order else (apart != 0).astype(jnp.float32))
    return result


def matern(distance: Array) -> Array:
    """Return the correlation at a squared distance, in units of the lengthscale: Matern 5/2, any shape."""
    root = jnp.sqrt(5.0 * distance)
    return (1.0 + root + (5.0 / 3.0) * distance) * jnp.exp(-root)


def matern_slope(distance: Array) -> Array:
    """Return the derivative of `matern` by its argument; it is finite at 0."""
    root = jnp.sqrt(5.0 * distance)
    return (-5.0 / 6.0) * (1.0 + root) * jnp.exp(-root)


def covariance(ordered: np.ndarray, hyper: Hyperparameters, point: Array, other: Array) -> Array:
    """Return the function's covariance between points: [N, D], [M, D] -> [N, M] float32.

    Columns beyond the D that `ordered` speaks of are features, whose products are added.
    """
    distance = jnp.float32(0)
    # Differences, not the matrix product that is faster: it rounds where points are near.
    for d, square in enumerate(squares(ordered, point, other)):
        distance = distance + hyper.relevance[d] * square
    value = hyper.signal * matern(distance)
    if point.shape[1] > len(ordered):
        features = point[:, len(ordered) :], other[:, len(ordered) :]
        value = value + jnp.matmul(features[0], features[1].T, precision="highest")
    return value
