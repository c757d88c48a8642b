"""Convolution and pooling as XLA runs them fast, on a CPU as under `vmap`, forward and backward.

`vmap` over kernels turns `lax.conv` into a grouped convolution, and inside a loop XLA:CPU runs it on a slow path; both
cost a factor of ten and more. Here a convolution is one matrix product and copies of whole rows: no gather, no scatter.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array


def _columns(x: Array) -> Array:
    """Return each pixel of a zero-padded image beside its left and right neighbour: [n, h, w, c] -> [n(h+2)w, 3c]."""
    n, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, :, j : j + width] for j in range(3)]
    return jnp.concatenate(shifts, axis=-1).reshape(n * (height + 2) * width, 3 * channels)


def _as_matrix(kernel: Array) -> Array:
    """Return [3 (rows), 3 (columns), in, out] as [3 (columns) in, 3 (rows) out]."""
    _, _, inputs, outputs = kernel.shape
    return kernel.transpose(1, 2, 0, 3).reshape(3 * inputs, 3 * outputs)


@jax.custom_vjp
def convolve(x: Array, kernel: Array) -> Array:
    """Convolve with a 3x3 kernel and zero padding: [n, h, w, in], [3, 3, in, out] -> [n, h, w, out].

    Three horizontal neighbours are copied side by side, one matrix product gives what they add to the row above, their
    own and the row below, and the three are summed: a third of im2col's copying for 2 / h more arithmetic.
    """
    n, height, width, _ = x.shape
    rows = (_columns(x) @ _as_matrix(kernel)).reshape(n, height + 2, width, 3, kernel.shape[-1])
    return rows[:, :height, :, 0] + rows[:, 1 : height + 1, :, 1] + rows[:, 2:, :, 2]


def _convolve_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return convolve(x, kernel), (x, kernel)


def _convolve_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, kernel = saved
    n, height, width, inputs = x.shape
    outputs = kernel.shape[-1]
    padded = jnp.pad(dy, ((0, 0), (2, 2), (0, 0), (0, 0)))
    shifts = [padded[:, 2 - i : height + 4 - i] for i in range(3)]
    drows = jnp.concatenate(shifts, axis=-1).reshape(n * (height + 2) * width, 3 * outputs)
    dkernel = (_columns(x).T @ drows).reshape(3, inputs, 3, outputs).transpose(2, 0, 1, 3)
    dcolumns = (drows @ _as_matrix(kernel).T).reshape(n, height + 2, width, 3, inputs)[:, 1 : height + 1]
    left = jnp.pad(dcolumns[:, :, 1:, 0], ((0, 0), (0, 0), (0, 1), (0, 0)))
    right = jnp.pad(dcolumns[:, :, :-1, 2], ((0, 0), (0, 0), (1, 0), (0, 0)))
    return left + dcolumns[:, :, :, 1] + right, dkernel


convolve.defvjp(_convolve_forward, _convolve_backward)


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """Halve height and width by the maximum of 2x2 squares, odd edges dropped: [n, h, w, c] -> [n, h/2, w/2, c].

    As `flax.linen.max_pool`, which is three times slower on a CPU: of equal pixels the first gets the gradient. What
    the backward pass needs is one byte a square.
    """
    return _max_pool_forward(x)[0]


def _max_pool_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    n, height, width, channels = x.shape
    squares = x[:, : height // 2 * 2, : width // 2 * 2].reshape(n, height // 2, 2, width // 2, 2, channels)
    (a, b), (c, d) = ((squares[:, :, i, :, 0], squares[:, :, i, :, 1]) for i in range(2))
    upper, lower = jnp.maximum(a, b), jnp.maximum(c, d)
    place = jnp.where(upper >= lower, jnp.where(a >= b, np.uint8(0), np.uint8(1)), jnp.where(c >= d, np.uint8(2), 3))
    # The odd edge that was dropped, as an array: a residual holds no Python numbers.
    return jnp.maximum(upper, lower), (place.astype(jnp.uint8), jnp.zeros((height % 2, width % 2), jnp.uint8))


def _max_pool_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array]:
    place, edge = saved
    n, height, width, channels = dy.shape
    square = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 1, 2, 1)
    chosen = place[:, :, None, :, None] == square
    dx = jnp.where(chosen, dy[:, :, None, :, None], jnp.zeros((), dy.dtype)).reshape(n, 2 * height, 2 * width, channels)
    return (jnp.pad(dx, ((0, 0), (0, edge.shape[0]), (0, edge.shape[1]), (0, 0))),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)
