"""The kernel's hyperparameters of largest posterior density, by BFGS with gradients in closed form."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.gp.kernel import matern, matern_slope, unpack
from jaxhpo.types import Array

EVALUATIONS = 30  # evaluations of the likelihood in a fit from one start
_LARGEST_STEP = 1.0  # in the logarithms
_GRADIENT = 1e-2  # largest gradient at which a fit ends, near the precision of float32
_GRID = 64.0  # results are rounded to multiples of 1 / 64, to hide rounding errors

# The prior: lengthscales log-normal, signal and noise gamma.
_LENGTH, _LENGTH_SPREAD = 0.0, 1.0
_SIGNAL = (1.0, 1.0)
_NOISE = (0.1, 30.0)


class Data(NamedTuple):
    """The data that a Gaussian process is fitted to.

    Attributes:
        square: Squared distances: [D, N * N] float32.
        target: Targets, 0 in empty rows: [N] float32.
        there: Whether the row is filled: [N] bool.
        known: Known variances of the targets' noise, in addition to the fitted one: [N] float32, or 0 for all.
        covariance: Covariance of the targets in addition to the kernel's, or None: [N, N] float32.
        centre: Prior mean of the relevances' logarithms; None is 0: [D] float32.
    """

    square: Array
    target: Array
    there: Array
    known: Array | float = 0.0
    covariance: Array | None = None
    centre: Array | None = None


def prior_mode(dimensions: int) -> np.ndarray:
    """Return the start of a fit: logarithms of the hyperparameters, [D + 2] float32."""
    return np.array([-2.0 * _LENGTH] * dimensions + [0.0, -6.0], np.float32)


def log_prior(theta: Array, centre: Array | None = None) -> tuple[Array, Array]:
    """Return the log density of the prior at theta, up to a constant, and its gradient: [D + 2] -> [], [D + 2]."""
    relevance = theta[:-2] if centre is None else theta[:-2] - centre
    off = (-0.5 * relevance - _LENGTH) / _LENGTH_SPREAD
    signal, noise = jnp.exp(theta[-2]), jnp.exp(theta[-1])
    (a, b), (c, d) = _SIGNAL, _NOISE
    value = -0.5 * jnp.sum(off * off) + a * theta[-2] - b * signal + c * theta[-1] - d * noise
    return value, jnp.concatenate([0.5 * off / _LENGTH_SPREAD, jnp.stack([a - b * signal, c - d * noise])])


def log_likelihood(theta: Array, data: Data) -> tuple[Array, Array]:
    """Return the log marginal likelihood, up to a constant, and its gradient: [D + 2] -> [], [D + 2] float32.

    Both are nan if the covariance cannot be factored. Empty rows are rows of the identity and have no effect.
    """
    hyper = unpack(theta)
    size = data.target.shape[0]
    pair = data.there[:, None] & data.there[None]
    distance = _product(hyper.relevance, data.square).reshape(size, size)
    signal = jnp.where(pair, hyper.signal * matern(distance), 0.0)
    rest = jnp.diag(jnp.where(data.there, hyper.noise + data.known, 1.0))
    if data.covariance is not None:
        rest = rest + jnp.where(pair, data.covariance, 0.0)
    lower = jax.lax.linalg.cholesky(signal + rest, symmetrize_input=False)
    root = cholesky.inverse(lower)
    precision = _product(root.T, root)
    weight = _product(precision, data.target)
    value = -0.5 * jnp.dot(data.target, weight, precision="highest") - jnp.sum(jnp.log(jnp.diagonal(lower)))
    # The derivative of the value is the sum of `outer` times the derivative of the covariance.
    outer = 0.5 * (weight[:, None] * weight[None] - precision)
    slope = jnp.where(pair, outer * hyper.signal * matern_slope(distance), 0.0)
    relevance = hyper.relevance * _product(data.square, slope.reshape(-1))
    noise = jnp.exp(theta[-1]) * jnp.sum(jnp.where(data.there, jnp.diagonal(outer), 0.0))
    return value, jnp.concatenate([relevance, jnp.stack([jnp.sum(outer * signal), noise])])


class _Walk(NamedTuple):
    """The state of a fit.

    Attributes:
        theta: Logarithms of the hyperparameters: [P].
        value: Minimized value: [].
        gradient: Gradient: [P].
        curvature: Estimate of the inverse Hessian: [P, P].
        direction: Search direction: [P].
        length: Length of the next step, in units of the direction: [].
        scaled: Whether the curvature has been scaled: [] bool.
        evaluations: Number of evaluations: [] int32.
        done: Whether the fit has ended: [] bool.
    """

    theta: Array
    value: Array
    gradient: Array
    curvature: Array
    direction: Array
    length: Array
    scaled: Array
    evaluations: Array
    done: Array


def fit(theta: Array, data: Data, evaluations: int = EVALUATIONS) -> tuple[Array, Array]:
    """Return the hyperparameters found from a start, and their log posterior density: [D + 2] -> [D + 2], [] float32.

    BFGS (Nocedal & Wright 2006, 6.1) with the full matrix: L-BFGS saves nothing for a dozen parameters. A step is
    shortened until the density rises; each attempt is an evaluation. A step to a covariance that cannot be factored is
    rejected.
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
    # The first step has length 0: it evaluates the start.
    walk = _Walk(theta, jnp.float32(jnp.inf), zero, unit, zero, jnp.float32(1), no, jnp.int32(0), no)
    walk = jax.lax.while_loop(goes_on, step, walk)
    return jnp.round(walk.theta * _GRID) / _GRID, -walk.value


def _updated(curvature: Array, moved: Array, turned: Array, product: Array) -> Array:
    """Return the estimate of the inverse Hessian after a step: [P, P]."""
    left = jnp.eye(moved.shape[0], dtype=jnp.float32) - moved[:, None] * turned[None] / product
    return _product(_product(left, curvature), left.T) + moved[:, None] * moved[None] / product


def _downhill(curvature: Array, gradient: Array) -> Array:
    """Return a descent direction of limited length: [P]."""
    direction = -_product(curvature, gradient)
    falls = jnp.dot(direction, gradient, precision="highest") < 0
    direction = jnp.where(falls, direction, -gradient)
    return direction * jnp.minimum(1.0, _LARGEST_STEP / jnp.maximum(jnp.max(jnp.abs(direction)), 1e-30))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
