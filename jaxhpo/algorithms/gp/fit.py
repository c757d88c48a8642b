"""Hyperparameters of the kernel by their largest posterior density, its gradient in closed form, by BFGS."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.gp.kernel import matern, matern_slope, unpack
from jaxhpo.types import Array

EVALUATIONS = 30  # of the likelihood, of one fit from one start
_LARGEST_STEP = 1.0  # in the logarithms
_GRADIENT = 1e-2  # at which a fit ends: a nat is noise, and float32 has not much more
_GRID = 64.0  # fits are rounded to multiples of 1 / 64, which the order of a sum cannot tip

# The prior: lengthscales log-normal, signal and noise gamma.
_LENGTH, _LENGTH_SPREAD = 0.0, 1.0
_SIGNAL = (1.0, 1.0)
_NOISE = (0.1, 30.0)


class Data(NamedTuple):
    """What a Gaussian process is fitted to."""

    square: Array  # [D, N * N] float32: squared distances
    target: Array  # [N] float32, 0 in empty rows
    there: Array  # [N] bool
    covariance: Array | None = None  # [N, N] float32: of the targets, beside the kernel's
    centre: Array | None = None  # [D] float32: the relevances' logarithms that are expected, where not 0


def prior_mode(dimensions: int) -> np.ndarray:
    """Return where a fit starts: logarithms, [D + 2] float32."""
    return np.array([-2.0 * _LENGTH] * dimensions + [0.0, -6.0], np.float32)


def log_prior(theta: Array, centre: Array | None = None) -> tuple[Array, Array]:
    """Return the prior's log density of theta, up to a constant, and its gradient: [D + 2] -> [], [D + 2]."""
    relevance = theta[:-2] if centre is None else theta[:-2] - centre
    off = (-0.5 * relevance - _LENGTH) / _LENGTH_SPREAD
    signal, noise = jnp.exp(theta[-2]), jnp.exp(theta[-1])
    (a, b), (c, d) = _SIGNAL, _NOISE
    value = -0.5 * jnp.sum(off * off) + a * theta[-2] - b * signal + c * theta[-1] - d * noise
    return value, jnp.concatenate([0.5 * off / _LENGTH_SPREAD, jnp.stack([a - b * signal, c - d * noise])])


def log_likelihood(theta: Array, data: Data) -> tuple[Array, Array]:
    """Return the log marginal likelihood, up to a constant, and its gradient: [D + 2] -> [], [D + 2] float32.

    Both are nan where the covariance cannot be factored. Empty rows change nothing: they are rows of the identity.
    """
    hyper = unpack(theta)
    size = data.target.shape[0]
    pair = data.there[:, None] & data.there[None]
    distance = _product(hyper.relevance, data.square).reshape(size, size)
    signal = jnp.where(pair, hyper.signal * matern(distance), 0.0)
    known = jnp.diag(jnp.where(data.there, hyper.noise, 1.0))
    if data.covariance is not None:
        known = known + jnp.where(pair, data.covariance, 0.0)
    lower = jax.lax.linalg.cholesky(signal + known, symmetrize_input=False)
    root = cholesky.inverse(lower)
    precision = _product(root.T, root)
    weight = _product(precision, data.target)
    value = -0.5 * jnp.dot(data.target, weight, precision="highest") - jnp.sum(jnp.log(jnp.diagonal(lower)))
    # d value = sum of `outer` times d covariance.
    outer = 0.5 * (weight[:, None] * weight[None] - precision)
    slope = jnp.where(pair, outer * hyper.signal * matern_slope(distance), 0.0)
    relevance = hyper.relevance * _product(data.square, slope.reshape(-1))
    noise = jnp.exp(theta[-1]) * jnp.sum(jnp.where(data.there, jnp.diagonal(outer), 0.0))
    return value, jnp.concatenate([relevance, jnp.stack([jnp.sum(outer * signal), noise])])


class _Walk(NamedTuple):
    """Where a fit stands."""

    theta: Array  # [P]
    value: Array  # []: what is minimised
    gradient: Array  # [P]
    curvature: Array  # [P, P]: the inverse Hessian's estimate
    direction: Array  # [P]
    length: Array  # []: of the step to try, in directions
    scaled: Array  # [] bool: the curvature has its scale
    evaluations: Array  # [] int32
    done: Array  # [] bool


def fit(theta: Array, data: Data, evaluations: int = EVALUATIONS) -> tuple[Array, Array]:
    """Return the hyperparameters found from a start, and their log posterior density: [D + 2] -> [D + 2], [] float32.

    BFGS (Nocedal & Wright 2006, 6.1) with the whole matrix, of which L-BFGS saves nothing at a dozen parameters. A
    step is halved until the density rises, each try an evaluation, and one that cannot be factored is refused.
    """
    size = theta.shape[0]

    def loss(theta: Array) -> tuple[Array, Array]:
        likelihood, gradient = log_likelihood(theta, data)
        prior, slope = log_prior(theta, data.centre)
        value, gradient = -likelihood - prior, -gradient - slope
        fine = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        return jnp.where(fine, value, jnp.inf), jnp.where(fine, gradient, 0.0)

    def goes_on(walk: _Walk) -> Array:
        return ~walk.done & (walk.evaluations < evaluations)

    def step(walk: _Walk) -> _Walk:
        theta = walk.theta + walk.length * walk.direction
        value, gradient = loss(theta)
        expected = walk.length * jnp.dot(walk.gradient, walk.direction, precision="highest")
        better = value <= walk.value + 1e-4 * expected
        moved, turned = theta - walk.theta, gradient - walk.gradient
        product = jnp.dot(moved, turned, precision="highest")
        curved = product > 1e-6
        scale = jnp.where(walk.scaled, 1.0, product / jnp.maximum(jnp.dot(turned, turned, precision="highest"), 1e-12))
        after = _updated(walk.curvature * scale, moved, turned, jnp.where(curved, product, 1.0))
        curvature = jnp.where(better & curved, after, walk.curvature)
        theta = jnp.where(better, theta, walk.theta)
        gained = walk.value - value
        gradient = jnp.where(better, gradient, walk.gradient)
        length = jnp.where(better, 1.0, 0.4 * walk.length)
        settled = better & ((jnp.max(jnp.abs(gradient)) < _GRADIENT) | (gained < 5e-3))
        return _Walk(
            theta,
            jnp.where(better, value, walk.value),
            gradient,
            curvature,
            jnp.where(better, _downhill(curvature, gradient), walk.direction),
            length,
            walk.scaled | (better & curved),
            walk.evaluations + 1,
            settled | (length < 1e-3),
        )

    unit, zero, no = jnp.eye(size, dtype=jnp.float32), jnp.zeros(size, jnp.float32), jnp.zeros((), bool)
    # The first step goes nowhere: it evaluates the start.
    walk = _Walk(theta, jnp.float32(jnp.inf), zero, unit, zero, jnp.float32(1), no, jnp.int32(0), no)
    walk = jax.lax.while_loop(goes_on, step, walk)
    return jnp.round(walk.theta * _GRID) / _GRID, -walk.value


def _updated(curvature: Array, moved: Array, turned: Array, product: Array) -> Array:
    """Return the inverse Hessian's estimate after a step: [P, P]."""
    left = jnp.eye(moved.shape[0], dtype=jnp.float32) - moved[:, None] * turned[None] / product
    return _product(_product(left, curvature), left.T) + moved[:, None] * moved[None] / product


def _downhill(curvature: Array, gradient: Array) -> Array:
    """Return a direction in which the loss falls, of a length that is not too large: [P]."""
    direction = -_product(curvature, gradient)
    falls = jnp.dot(direction, gradient, precision="highest") < 0
    direction = jnp.where(falls, direction, -gradient)
    return direction * jnp.minimum(1.0, _LARGEST_STEP / jnp.maximum(jnp.max(jnp.abs(direction)), 1e-30))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
