"""Convolution and pooling that XLA runs fast on a CPU and under `vmap`, forward and backward.

`vmap` over kernels turns `lax.conv` into a grouped convolution, and inside a loop XLA runs it on a slow path on a CPU;
each costs a factor of ten or more. Here a convolution is one matrix product and copies of whole rows, without gather
and scatter. Of two methods the one that copies fewer numbers is used, because copying dominates the time.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array


def convolve(x: Array, kernel: Array) -> Array:
    """Convolve with a 3x3 kernel and zero padding: [n, h, w, in], [3, 3, in, out] -> [n, h, w, out]."""
    inputs, outputs = kernel.shape[2:]
    return _convolve_pixels(x, kernel) if 2 * inputs <= outputs else _convolve_rows(x, kernel)


def _neighbours(x: Array) -> Array:
    """Return each pixel with its eight neighbours, zeros outside: [n, h, w, c] -> [nhw, 9c]."""
    n, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, axis=-1).reshape(n * height * width, 9 * channels)


@jax.custom_vjp
def _convolve_pixels(x: Array, kernel: Array) -> Array:
    """Convolve few channels into many: nine copies of the input, and one product (im2col)."""
    inputs, outputs = kernel.shape[2:]
    return (_neighbours(x) @ kernel.reshape(9 * inputs, outputs)).reshape(*x.shape[:3], outputs)


def _pixels_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve_pixels(x, kernel), (x, kernel)


def _pixels_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, kernel = saved
    n, height, width, inputs = x.shape
    dy = dy.reshape(n * height * width, -1)
    dkernel = (_neighbours(x).T @ dy).reshape(kernel.shape)
    shifts = (dy @ kernel.reshape(9 * inputs, -1).T).reshape(n, height, width, 3, 3, inputs)
    dx = jnp.zeros((n, height + 2, width + 2, inputs), x.dtype)
    for i in range(3):
        for j in range(3):
            around = ((0, 0), (i, 2 - i), (j, 2 - j), (0, 0))  # to the place that the pixel was copied from
            dx = dx + jnp.pad(shifts[:, :, :, i, j], around)
    return dx[:, 1:-1, 1:-1], dkernel


_convolve_pixels.defvjp(_pixels_forward, _pixels_backward)


def _columns(x: Array) -> Array:
    """Return each pixel with its left and right neighbour, zeros outside: [n, h, w, c] -> [nhw, 3c]."""
    n, height, width, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    shifts = [padded[:, :, j : j + width] for j in range(3)]
    return jnp.concatenate(shifts, axis=-1).reshape(n * height * width, 3 * channels)


def _as_matrix(kernel: Array) -> Array:
    """Return [3 (rows), 3 (columns), in, out] as [3 (columns) in, 3 (rows) out]."""
    _, _, inputs, outputs = kernel.shape
    return kernel.transpose(1, 2, 0, 3).reshape(3 * inputs, 3 * outputs)


@jax.custom_vjp
def _convolve_rows(x: Array, kernel: Array) -> Array:
    """Convolve by rows: a third of im2col's copies.

    Three horizontal neighbours are placed side by side. One matrix product gives their contributions to the row below,
    their own row and the row above, and the three are summed.
    """
    n, height, width, _ = x.shape
    rows = (_columns(x) @ _as_matrix(kernel)).reshape(n, height, width, 3, kernel.shape[-1])
    if height == 1:
        return rows[:, :, :, 1]
    first = rows[:, :1, :, 1] + rows[:, 1:2, :, 2]
    inner = rows[:, :-2, :, 0] + rows[:, 1:-1, :, 1] + rows[:, 2:, :, 2]
    last = rows[:, -2:-1, :, 0] + rows[:, -1:, :, 1]
    return jnp.concatenate([first, inner, last], axis=1)


def _rows_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _convolve_rows(x, kernel), (x, kernel)


def _rows_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    x, kernel = saved
    n, height, width, inputs = x.shape
    outputs = kernel.shape[-1]
    padded = jnp.pad(dy, ((0, 0), (1, 1), (0, 0), (0, 0)))
    shifts = [padded[:, 2 - i : height + 2 - i] for i in range(3)]
    drows = jnp.concatenate(shifts, axis=-1).reshape(n * height * width, 3 * outputs)
    dkernel = (_columns(x).T @ drows).reshape(3, inputs, 3, outputs).transpose(2, 0, 1, 3)
    dcolumns = (drows @ _as_matrix(kernel).T).reshape(n, height, width, 3, inputs)
    left = jnp.pad(dcolumns[:, :, 1:, 0], ((0, 0), (0, 0), (0, 1), (0, 0)))
    right = jnp.pad(dcolumns[:, :, :-1, 2], ((0, 0), (0, 0), (1, 0), (0, 0)))
    return left + dcolumns[:, :, :, 1] + right, dkernel


_convolve_rows.defvjp(_rows_forward, _rows_backward)


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """Halve height and width by the maximum of 2x2 squares: [n, h, w, c] -> [n, h // 2, w // 2, c].

    An odd last row or column is dropped. The result equals that of `flax.linen.max_pool`, which is three times slower
    on a CPU. Of equal pixels the first gets the gradient. The backward pass needs one byte per square.

    Args:
        x: Images: [n, h, w, c].

    Returns:
        Images [n, h // 2, w // 2, c].

    Example:
        >>> import jax, numpy as np
        >>> from jaxhpo.models import max_pool
        >>> images = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
        >>> np.asarray(jax.jit(max_pool)(images))[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    return _max_pool_forward(x)[0]


def _max_pool_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    n, height, width, channels = x.shape
    squares = x[:, : height // 2 * 2, : width // 2 * 2].reshape(n, height // 2, 2, width // 2, 2, channels)
    (a, b), (c, d) = ((squares[:, :, i, :, 0], squares[:, :, i, :, 1]) for i in range(2))
    upper, lower = jnp.maximum(a, b), jnp.maximum(c, d)
    place = jnp.where(upper >= lower, jnp.where(a >= b, np.uint8(0), np.uint8(1)), jnp.where(c >= d, np.uint8(2), 3))
    # The dropped odd edge, as the shape of an array: a residual cannot hold Python numbers.
    return jnp.maximum(upper, lower), (place.astype(jnp.uint8), jnp.zeros((height % 2, width % 2), jnp.uint8))


def _max_pool_backward(saved: tuple[Array, Array], dy: Array) -> tuple[Array]:
    place, edge = saved
    n, height, width, channels = dy.shape
    square = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 1, 2, 1)
    chosen = place[:, :, None, :, None] == square
    dx = jnp.where(chosen, dy[:, :, None, :, None], jnp.zeros((), dy.dtype)).reshape(n, 2 * height, 2 * width, channels)
    return (jnp.pad(dx, ((0, 0), (0, edge.shape[0]), (0, edge.shape[1]), (0, 0))),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)
