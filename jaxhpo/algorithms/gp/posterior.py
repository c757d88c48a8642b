"""The posterior of a Gaussian process in float32, after told scores and after assumed ones."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.gp.kernel import Hyperparameters, covariance
from jaxhpo.types import Array

_TRIES = 6  # attempts with ten times more noise each, if the covariance cannot be factored


class Posterior(NamedTuple):
    """A Gaussian process conditioned on N rows of data, with room for B more rows. Empty rows have no effect.

    Attributes:
        hyper: Hyperparameters of the kernel.
        point: Points: [N + B, D] float32.
        there: Whether the row is filled: [N + B] bool.
        root: Inverse of the covariance's lower Cholesky factor: [N + B, N + B] float32.
        weight: Inverse of the covariance times the targets: [N + B] float32.
    """

    hyper: Hyperparameters
    point: Array
    there: Array
    root: Array
    weight: Array


def condition(
    ordered: np.ndarray,
    hyper: Hyperparameters,
    point: Array,
    target: Array,
    there: Array,
    room: int,
    noise: Array | float = 0.0,
) -> Posterior:
    """Return the posterior given N rows of data, with room for more rows.

    Args:
        ordered: Whether each dimension is ordered: [D] bool.
        hyper: Hyperparameters of the kernel.
        point: Points: [N, D] float32.
        target: Targets: [N] float32.
        there: Whether the row is filled: [N] bool.
        room: Number of rows for `append`.
        noise: Known variances of the targets' noise, in addition to that of `hyper`: [N] float32, or 0 for all.
    """
    signal = jnp.where(there[:, None] & there[None], covariance(ordered, hyper, point, point), 0.0)

    def factor(unknown: Array) -> Array:
        diagonal = jnp.where(there, unknown + noise, 1.0)
        return jax.lax.linalg.cholesky(signal + jnp.diag(diagonal), symmetrize_input=False)

    def fails(carry: tuple[Array, Array, Array]) -> Array:
        lower, _, tries = carry
        return ~jnp.isfinite(lower[-1, -1]) & (tries < _TRIES)

    def again(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        _, unknown, tries = carry
        return factor(10.0 * unknown), 10.0 * unknown, tries + 1

    lower, unknown, _ = jax.lax.while_loop(fails, again, (factor(hyper.noise), hyper.noise, jnp.int32(0)))
    root = cholesky.inverse(lower)
    target = jnp.where(there, target, 0.0)
    weight = _product(root.T, _product(root, target))
    return Posterior(
        hyper._replace(noise=unknown),
        jnp.pad(point, ((0, room), (0, 0))),
        jnp.pad(there, (0, room)),
        jnp.pad(root, ((0, room), (0, room))),
        jnp.pad(weight, (0, room)),
    )


def predict(ordered: np.ndarray, posterior: Posterior, point: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of the function at points: [M, D] -> [M], [M] float32."""
    mean, _, variance = known(ordered, posterior, point)
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-6 * posterior.hyper.signal))


def known(ordered: np.ndarray, posterior: Posterior, point: Array) -> tuple[Array, Array, Array]:
    """Return the mean at points, the whitened covariance with the data, and the posterior variance: [M], [M, N], [M].

    The inner product of two rows of the second array is the difference of the prior and the posterior covariance of two
    points, [M, D].
    """
    across = jnp.where(posterior.there[None], covariance(ordered, posterior.hyper, point, posterior.point), 0.0)
    mean = _product(across, posterior.weight)
    white = _product(across, posterior.root.T)
    before = posterior.hyper.signal + jnp.sum(point[:, len(ordered) :] ** 2, axis=1)
    return mean, white, before - jnp.sum(white * white, axis=1)


def append(ordered: np.ndarray, posterior: Posterior, point: Array, row: Array) -> Posterior:
    """Return the posterior that assumes its own mean at a point, [D], stored in the empty row `row`, [] int32.

    The mean does not change anywhere, and the standard deviation decreases around the point. One row is appended to the
    inverse factor, in O(N^2).
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
