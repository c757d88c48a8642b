"""Dropout whose rate is traced and whose bits depend on the trial, the epoch and the example's place in it.

A bit never depends on how the epoch is cut into batches or on which lanes train beside this one: it is one counter
of Threefry-2x32 under the trial's epoch key. The cipher is written out here, unrolled, because XLA on a CPU then
fuses it into one vectorised loop; `jax.random.bits` compiles to a rolled loop there, and cost a small network more
than its matrix products.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_STEPS = 2.0**16  # a rate is rounded to a multiple of 2**-16


class Dropout(NamedTuple):
    """What the layers of one training step drop."""

    rate: Array  # [] float32 in [0, 1)
    key: Array  # [2] uint32: key data of the trial's epoch
    position: Array  # [n] int32: each example's place in the epoch
    embedding_rate: Array | None = None  # [] float32 in [0, 1); None drops nothing


@jax.jit  # so that it is traced once for all layers of a shape
def threefry(key: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """Return Threefry-2x32 of two uint32 arrays of one shape (Salmon et al. 2011, 20 rounds): two of that shape."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    left, right = left + schedule[0], right + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            left = left + right
            right = ((right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))) ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return left, right


def drop_bits(key: Array, position: Array, layer: int, units: int, blocks: int = 1) -> Array:
    """Return 16 random bits a unit: [n, blocks * units] uint32 below 2**16. One cipher block serves four units.

    A unit's bits follow from its block and its place in it, whatever their numbers: a narrower network's units get
    the bits that they have in the wider one.
    """
    quads = -(-units // 4)
    shape = (position.shape[0], blocks, quads)
    left = jnp.broadcast_to(position.astype(jnp.uint32)[:, None, None], shape)
    place = (np.arange(blocks, dtype=np.uint32)[:, None] << 16) + np.arange(quads, dtype=np.uint32)[None]
    right = jnp.broadcast_to((place + np.uint32(layer << 24))[None], shape)
    words = threefry(key, left, right)
    low = np.uint32(0xFFFF)
    parts = [part for word in words for part in (word & low, word >> np.uint32(16))]
    return jnp.stack(parts, axis=-1).reshape(*shape[:2], 4 * quads)[:, :, :units].reshape(shape[0], blocks * units)


def keep(dropout: Dropout, layer: int, units: int, dtype: Any, blocks: int = 1) -> Array:
    """Return what dropout multiplies units by: [n, blocks * units], 0 with the rate's probability or 1 / (1 - rate)."""
    threshold = jnp.round(dropout.rate * _STEPS)
    bits = drop_bits(dropout.key, dropout.position, layer, units, blocks)
    kept = jax.lax.bitcast_convert_type(bits, jnp.int32) >= threshold.astype(jnp.int32)
    gain = _STEPS / (_STEPS - threshold.astype(dtype))
    return jnp.where(kept, gain, jnp.zeros_like(gain))


def drop(x: Array, dropout: Dropout | None, layer: int, blocks: int = 1) -> Array:
    """Zero each unit of [n, width] with the rate's probability and scale up the rest; None is the identity."""
    return x if dropout is None else x * keep(dropout, layer, x.shape[1] // blocks, x.dtype, blocks)


def dropout(key: Array, x: Array, rate: Array | float) -> Array:
    """Zero each number of `x` with the probability `rate`, which may be traced, and scale up the rest.

    For models of one's own: the layers of Flax take a rate that is a Python number.

    Args:
        key: a random key; in linen `self.make_rng("dropout")`.
        x: an array of any shape.
        rate: a number in [0, 1).
    """
    keep = jnp.maximum(1 - jnp.asarray(rate, jnp.float32), np.float32(2.0**-24))  # a rate of 1 divides by no zero
    return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep.astype(x.dtype), jnp.zeros_like(x))
