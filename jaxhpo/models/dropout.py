"""Dropout with a traced rate, whose bits depend on the trial, the epoch and the example's place in the epoch.

A bit does not depend on how the epoch is divided into batches, or on other lanes: it comes from a counter of
Threefry-2x32 under the trial's epoch key. The cipher is unrolled here, because XLA then fuses it into one vectorised
loop on a CPU. There `jax.random.bits` compiles to a rolled loop, which took longer than the matrix products of a small
network.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxhpo.types import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_STEPS = 2.0**16  # a rate is rounded to a multiple of 2**-16
_EMBEDDING = 128  # number of the embedding among the layers, for the bits; there are fewer layers


class Dropout(NamedTuple):
    """The dropout of one training step.

    Attributes:
        rate: Rate in [0, 1): [] float32.
        key: Key data of the trial's epoch: [2] uint32.
        position: Place of each example in the epoch: [n] int32.
        embedding_rate: Rate of the embedding in [0, 1): [] float32; None drops nothing.
    """

    rate: Array
    key: Array
    position: Array
    embedding_rate: Array | None = None


@jax.jit  # so that it is traced once for all layers of a shape
def threefry(key: Array, left: Array, right: Array) -> tuple[Array, Array]:
    """Return Threefry-2x32 of two uint32 arrays of one shape (Salmon et al. 2011, 20 rounds): two such arrays."""
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
    """Return 16 random bits per unit: [n, blocks * units] uint32 below 2**16. A block of the cipher serves four units.

    The bits of a unit depend on its block and its place in it, not on the number of units. So the units of a narrower
    network have the same bits as in the wider one.
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
    """Return the factors of the units, 0 with probability `rate`, else 1 / (1 - rate): [n, blocks * units]."""
    threshold = jnp.round(dropout.rate * _STEPS)
    bits = drop_bits(dropout.key, dropout.position, layer, units, blocks)
    kept = jax.lax.bitcast_convert_type(bits, jnp.int32) >= threshold.astype(jnp.int32)
    gain = _STEPS / (_STEPS - threshold.astype(dtype))
    return jnp.where(kept, gain, jnp.zeros_like(gain))


def drop(x: Array, dropout: Dropout | None, layer: int, blocks: int = 1) -> Array:
    """Set each unit of [n, width] to zero with probability `rate` and scale up the others; None is the identity."""
    return x if dropout is None else x * keep(dropout, layer, x.shape[1] // blocks, x.dtype, blocks)


def drop_features(x: Array, dropout: Dropout | None) -> Array:
    """Drop features of an embedding [..., n, width] for a whole text at `embedding_rate`; None is the identity."""
    if dropout is None or dropout.embedding_rate is None:
        return x
    own = dropout._replace(rate=dropout.embedding_rate)
    return x * jnp.expand_dims(keep(own, _EMBEDDING, x.shape[-1], x.dtype), tuple(range(x.ndim - 2)))


def dropout(key: Array, x: Array, rate: Array | float) -> Array:
    """Set each number of `x` to zero with probability `rate`, and divide the others by 1 - rate.

    In contrast to the dropout layers of Flax the rate may be a traced array, so that it can be tuned in your own model.

    Args:
        key: Random key; in linen `self.make_rng("dropout")`.
        x: Array of any shape.
        rate: Probability in [0, 1), a Python number or a scalar array.

    Returns:
        Array of the shape and dtype of `x`.

    Raises:
        ValueError: if `rate` is a number outside [0, 1]; a traced rate is not checked.

    Example:
        >>> import jax, jaxhpo
        >>> y = jax.jit(jaxhpo.dropout)(jax.random.key(0), jax.numpy.ones(1000), 0.5)  # the rate is traced
        >>> set(y.tolist()) == {0.0, 2.0}
        True
    """
    if not isinstance(rate, Tracer) and (np.shape(rate) != () or not 0 <= rate <= 1):
        raise ValueError(f"rate={rate!r} must be a number in [0, 1), or a traced one")
    keep = jnp.maximum(1 - jnp.asarray(rate, jnp.float32), np.float32(2.0**-24))  # no division by 0 at a rate of 1
    return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep.astype(x.dtype), jnp.zeros_like(x))
