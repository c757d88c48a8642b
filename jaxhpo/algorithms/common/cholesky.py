"""Inverses of lower triangular matrices by matrix products."""

import jax
import jax.numpy as jnp

from jaxhpo.types import Array

_LEAF = 32


def inverse(lower: Array) -> Array:
    """Return the inverse of a lower triangular matrix: [N, N] -> [N, N] float32; N is 32 times a power of two, or less.

    It is computed by blocks, smallest first. `lax.linalg.triangular_solve` is as fast on an idle CPU, but a hundred
    times slower on a busy one, where the threads of its BLAS wait for each other; and it solves several matrices row by
    row.
    """
    size = lower.shape[0]
    width = min(_LEAF, size)
    blocks = _leaves(_blocks(lower, width, 0))
    while width < size:
        first, second = blocks[0::2], blocks[1::2]
        beside = _product(_product(second, _blocks(lower, width, 1)[0::2]), first)
        top = jnp.concatenate([first, jnp.zeros_like(first)], axis=2)
        blocks = jnp.concatenate([top, jnp.concatenate([-beside, second], axis=2)], axis=1)
        width *= 2
    return blocks[0]


def _blocks(lower: Array, width: int, below: int) -> Array:
    """Return the blocks on the diagonal, or `below` blocks below it: [M - below, width, width]."""
    count = lower.shape[0] // width
    rows = jnp.arange(count - below, dtype=jnp.int32)
    return lower.reshape(count, width, count, width)[rows + below, :, rows, :]


def _leaves(block: Array) -> Array:
    """Return the inverses of small blocks, [M, W, W], by forward substitution, one row of every block at a time."""
    width = block.shape[-1]
    unit = jnp.eye(width, dtype=jnp.float32)

    def substitute(i: Array, found: Array) -> Array:
        row = jax.lax.dynamic_index_in_dim(block, i, axis=1, keepdims=False)  # [M, W]
        pivot = jax.lax.dynamic_index_in_dim(row, i, axis=1)
        # Rows from i on are still 0. Products of powers would be faster, but lose digits if points are close.
        value = (unit[i][None] - jnp.sum(row[:, :, None] * found, axis=1)) / pivot
        return found.at[:, i].set(value)

    return jax.lax.fori_loop(jnp.int32(0), jnp.int32(width), substitute, jnp.zeros_like(block))


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
