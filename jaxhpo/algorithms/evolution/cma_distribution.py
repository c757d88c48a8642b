"""The normal distribution of CMA-ES: its constants, draws and update (Hansen 2016, arXiv 1604.00772)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array, Key

_FLAT = 1e-6  # smallest eigenvalue relative to the largest, near the precision of float32


class Constants(NamedTuple):
    """The constants for n dimensions and a population of lambda (table 1 of the tutorial).

    Attributes:
        weights: Weights by rank, best first; the positive ones sum to 1: [lambda] float32.
        mu_eff: Variance-effective selection mass: [] float32, like all below.
        c_sigma: Learning rate of the step-size path.
        d_sigma: Damping of the step size.
        c_c: Learning rate of the covariance path.
        c_1: Learning rate of the rank-one update.
        c_mu: Learning rate of the rank-mu update.
        chi: Expected length of a standard normal vector.
    """

    weights: np.ndarray
    mu_eff: np.ndarray
    c_sigma: np.ndarray
    d_sigma: np.ndarray
    c_c: np.ndarray
    c_1: np.ndarray
    c_mu: np.ndarray
    chi: np.ndarray


class Normal(NamedTuple):
    """The distribution mean + sigma * N(0, cov), and its evolution paths.

    Attributes:
        mean: Mean in the unit cube: [n] float32.
        sigma: Step size: [] float32.
        cov: Covariance: [n, n] float32.
        axes: Eigenvectors of cov, in columns: [n, n] float32.
        lengths: Square roots of the eigenvalues of cov: [n] float32.
        path_sigma: Evolution path of the step size: [n] float32.
        path_cov: Evolution path of the covariance: [n] float32.
        generation: Number of updates: [] int32.
    """

    mean: Array
    sigma: Array
    cov: Array
    axes: Array
    lengths: Array
    path_sigma: Array
    path_cov: Array
    generation: Array


def constants(n: int, size: int) -> Constants:
    """Return the constants for n dimensions and a population of `size`."""
    raw = math.log((size + 1) / 2) - np.log(np.arange(1, size + 1))
    mu = size // 2
    mu_eff = raw[:mu].sum() ** 2 / (raw[:mu] ** 2).sum()
    mu_eff_minus = raw[mu:].sum() ** 2 / (raw[mu:] ** 2).sum()
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)
    d_sigma = 1 + 2 * max(0.0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma
    c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n)
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + mu_eff))
    limits = (1 + c_1 / c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2), (1 - c_1 - c_mu) / (n * c_mu))
    positive, negative = raw[raw > 0].sum(), -raw[raw < 0].sum()
    weights = np.where(raw >= 0, raw / positive, raw * min(limits) / negative)
    chi = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
    return Constants(*(np.asarray(v, np.float32) for v in (weights, mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi)))


def start(mean: Array, sigma: float) -> Normal:
    """Return the initial distribution, which is spherical."""
    n = mean.shape[0]
    eye, zero = jnp.eye(n, dtype=jnp.float32), jnp.zeros(n, jnp.float32)
    return Normal(mean, jnp.float32(sigma), eye, eye, jnp.ones(n, jnp.float32), zero, zero, jnp.int32(0))


def draw(key: Key, normal: Normal, number: int) -> Array:
    """Return draws of N(0, cov): [number, n] float32."""
    z = jax.random.normal(key, (number, normal.mean.shape[0]), jnp.float32)
    return _product(z * normal.lengths[None], normal.axes.T)


def whitened(normal: Normal, step: Array) -> Array:
    """Return steps multiplied by cov^(-1/2): [N, n] -> [N, n]."""
    return _product(_product(step, normal.axes) / normal.lengths[None], normal.axes.T)


def spread(normal: Normal) -> Array:
    """Return the standard deviation along each coordinate: [n] float32."""
    return normal.sigma * jnp.sqrt(jnp.diagonal(normal.cov))


def update(normal: Normal, k: Constants, step: Array, stretch: Array) -> Normal:
    """Return the distribution after an update.

    Args:
        normal: Distribution before the update.
        k: Constants.
        step: Steps (x - mean) / (sigma * stretch), best first: [lambda, n] float32.
        stretch: Factor by which sampling widened each coordinate, which the covariance must not learn: [n] float32.
    """
    n = normal.mean.shape[0]
    weight = jnp.asarray(k.weights)
    mean_step = jnp.sum(jnp.maximum(weight, 0.0)[:, None] * step, axis=0)
    mean = normal.mean + normal.sigma * stretch * mean_step
    white = whitened(normal, jnp.concatenate([mean_step[None], step]))

    path_sigma = (1 - k.c_sigma) * normal.path_sigma
    path_sigma = path_sigma + jnp.sqrt(k.c_sigma * (2 - k.c_sigma) * k.mu_eff) * white[0]
    length = jnp.sqrt(jnp.sum(path_sigma**2))
    sigma = normal.sigma * jnp.exp(jnp.minimum(1.0, k.c_sigma / k.d_sigma * (length / k.chi - 1)))

    generation = normal.generation + 1
    grown = 1 - (1 - k.c_sigma) ** (2 * generation.astype(jnp.float32))
    calm = (length / jnp.sqrt(grown) < (1.4 + 2 / (n + 1)) * k.chi).astype(jnp.float32)
    path_cov = (1 - k.c_c) * normal.path_cov
    path_cov = path_cov + calm * jnp.sqrt(k.c_c * (2 - k.c_c) * k.mu_eff) * mean_step

    # Scale the negative weights so that the covariance stays positive definite.
    squares = jnp.maximum(jnp.sum(white[1:] ** 2, axis=1), 1e-12)
    adjusted = jnp.where(weight >= 0, weight, weight * n / squares)
    keep = 1 + k.c_1 * (1 - calm) * k.c_c * (2 - k.c_c) - k.c_1 - k.c_mu * jnp.sum(weight)
    rank_mu = _product((adjusted[:, None] * step).T, step)
    cov = keep * normal.cov + k.c_1 * path_cov[:, None] * path_cov[None] + k.c_mu * rank_mu
    cov = (cov + cov.T) / 2
    values, axes = jnp.linalg.eigh(cov, symmetrize_input=False)
    lengths = jnp.sqrt(jnp.maximum(values, _FLAT * jnp.maximum(values[-1], 1e-30)))
    return Normal(mean, sigma, cov, axes, lengths, path_sigma, path_cov, generation)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
