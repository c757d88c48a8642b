"""The posterior of a Gaussian process, in float32: after its data, and after values that are only supposed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.gp.kernel import Hyperparameters, covariance
from jaxhpo.types import Array

_TRIES = 6  # of ten times more noise each, where the covariance cannot be factored


class Posterior(NamedTuple):
    """A Gaussian process given data; N rows of them and room for more, of which empty ones change nothing."""

    hyper: Hyperparameters
    point: Array  # [N + B, D] float32
    there: Array  # [N + B] bool
    root: Array  # [N + B, N + B] float32: the inverse of the covariance's lower triangular factor
    weight: Array  # [N + B] float32: the covariance's inverse times the targets


def condition(
    ordered: np.ndarray, hyper: Hyperparameters, point: Array, target: Array, there: Array, room: int
) -> Posterior:
    """Return the posterior given N rows of data, with room for more.

    Args:
        ordered: which dimensions have an order, [D] bool.
        hyper: of the kernel.
        point: [N, D] float32.
        target: [N] float32.
        there: which rows hold data: [N] bool.
        room: rows that `append` may fill.
    """
    signal = jnp.where(there[:, None] & there[None], covariance(ordered, hyper, point, point), 0.0)

    def factor(noise: Array) -> Array:
        return jax.lax.linalg.cholesky(signal + jnp.diag(jnp.where(there, noise, 1.0)), symmetrize_input=False)

    def fails(carry: tuple[Array, Array, Array]) -> Array:
        lower, _, tries = carry
        return ~jnp.isfinite(lower[-1, -1]) & (tries < _TRIES)

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        _, noise, tries = carry
        return factor(10.0 * noise), 10.0 * noise, tries + 1

    lower, noise, _ = jax.lax.while_loop(fails, again, (factor(hyper.noise), hyper.noise, jnp.int32(0)))
    root = cholesky.inverse(lower)
    target = jnp.where(there, target, 0.0)
    weight = _product(root.T, _product(root, target))
    return Posterior(
        hyper._replace(noise=noise),
        jnp.pad(point, ((0, room), (0, 0))),
        jnp.pad(there, (0, room)),
        jnp.pad(root, ((0, room), (0, room))),
        jnp.pad(weight, (0, room)),
    )


def predict(ordered: np.ndarray, posterior: Posterior, point: Array) -> tuple[Array, Array]:
    """Return the function's mean and standard deviation at points: [M, D] -> [M], [M] float32."""
    mean, _, variance = known(ordered, posterior, point)
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-6 * posterior.hyper.signal))


def known(ordered: np.ndarray, posterior: Posterior, point: Array) -> tuple[Array, Array, Array]:
    """Return the function's mean at points, what of it is known, and the variance left: [M, D] -> [M], [M, N], [M].

    What is known of two points is the product of their rows: their covariance less that is the posterior's.
    """
    across = jnp.where(posterior.there[None], covariance(ordered, posterior.hyper, point, posterior.point), 0.0)
    mean = _product(across, posterior.weight)
    white = _product(across, posterior.root.T)
    before = posterior.hyper.signal + jnp.sum(point[:, len(ordered) :] ** 2, axis=1)
    return mean, white, before - jnp.sum(white * white, axis=1)


def append(ordered: np.ndarray, posterior: Posterior, point: Array, row: Array) -> Posterior:
    """Return the posterior that also supposes its own mean at a point, [D], in the empty row `row`, [] int32.

    So its mean stays as it is everywhere, and its deviation shrinks around the point. One row of the inverse factor is
    appended: O(N^2).
    """
    across = jnp.where(posterior.there, covariance(ordered, posterior.hyper, point[None], posterior.point)[0], 0.0)
    known = _product(posterior.root, across)
    left = posterior.hyper.signal + posterior.hyper.noise - jnp.dot(known, known, precision="highest")
    pivot = jnp.sqrt(jnp.maximum(left, posterior.hyper.noise))
    added = (-_product(known, posterior.root) / pivot).at[row].set(1.0 / pivot)
    return posterior._replace(
        point=posterior.point.at[row].set(point),
        there=posterior.there.at[row].set(True),
        root=posterior.root.at[row].set(added),
    )


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
