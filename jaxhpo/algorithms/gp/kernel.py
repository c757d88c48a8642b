"""The covariance of two configurations: Matern 5/2 with a relevance for each hyperparameter."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

NOISE = 1e-5
"""Smallest variance of the noise, where scores have variance 1: what float32 needs to factor a matrix."""


class Hyperparameters(NamedTuple):
    """The hyperparameters of the kernel, which are fitted.

    Attributes:
        relevance: 1 / lengthscale^2 of each dimension, in units of the cube; of unordered options, for any two
            different ones: [D] float32.
        signal: Variance of the function: [] float32.
        noise: Variance of the noise: [] float32.
    """

    relevance: Array
    signal: Array
    noise: Array


def unpack(theta: Array) -> Hyperparameters:
    """Return the hyperparameters whose logarithms are theta, [D + 2] float32. The noise is at least `NOISE`."""
    return Hyperparameters(jnp.exp(theta[:-2]), jnp.exp(theta[-2]), NOISE + jnp.exp(theta[-1]))


def squares(ordered: np.ndarray, point: Array, other: Array) -> list[Array]:
    """Return squared distances in each dimension: [N, D], [M, D] -> D arrays [N, M] float32.

    Two different unordered options are at distance 1, as in Optuna's GPSampler; so are an inactive and an active one.
    """
    result = []
    for d, has_order in enumerate(ordered):
        apart = point[:, None, d] - other[None, :, d]
        result.append(apart * apart if has_order else (apart != 0).astype(jnp.float32))
    return result


def matern(distance: Array) -> Array:
    """Return the Matern 5/2 correlation at squared distances, in units of the lengthscale, of any shape."""
    root = jnp.sqrt(5.0 * distance)
    return (1.0 + root + (5.0 / 3.0) * distance) * jnp.exp(-root)


def matern_slope(distance: Array) -> Array:
    """Return the derivative of `matern`, which is finite at 0."""
    root = jnp.sqrt(5.0 * distance)
    return (-5.0 / 6.0) * (1.0 + root) * jnp.exp(-root)


def covariance(ordered: np.ndarray, hyper: Hyperparameters, point: Array, other: Array) -> Array:
    """Return the covariance of the function between points: [N, D], [M, D] -> [N, M] float32.

    Columns after the D columns of `ordered` are features; their inner products are added.
    """
    distance = jnp.float32(0)
    # Differences: the faster matrix product has large rounding errors for points that are close.
    for d, square in enumerate(squares(ordered, point, other)):
        distance = distance + hyper.relevance[d] * square
    value = hyper.signal * matern(distance)
    if point.shape[1] > len(ordered):
        features = point[:, len(ordered) :], other[:, len(ordered) :]
        value = value + jnp.matmul(features[0], features[1].T, precision="highest")
    return value
