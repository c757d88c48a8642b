"""Augmentation of training images inside the compiled step, with a separate strength for every lane.

The random numbers are computed as those of dropout: by a counter of Threefry under the trial's epoch key and the
example's place in the epoch. So an image changes in the same way however the epoch is divided into batches.
"""

import jax.numpy as jnp
import numpy as np

from jaxhpo.models.dropout import threefry
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.types import Array

_PLACE = 129 << 24  # number of these bits among the layers, for dropout's counter
_16 = np.uint32(16)
_LOW = np.uint32(0xFFFF)


def move(x: Array, hyper: Hyper, key: Array, position: Array) -> Array:
    """Shift and mirror stored images [n, h, w, c]. Pixels that a shift uncovers are filled by reflection.

    A shift by up to `crop` pixels, with equal probabilities in both directions, is a random crop of the padded image.
    `key` is [2] uint32, `position` [n] int32.
    """
    if hyper.crop is None and hyper.flip is None:
        return x
    n, height, width, _ = x.shape
    rows = jnp.broadcast_to(np.arange(height, dtype=np.int32)[None], (n, height))
    columns = jnp.broadcast_to(np.arange(width, dtype=np.int32)[None], (n, width))
    if hyper.flip is not None:
        coin, _ = _bits(key, position, 1)
        heads = (coin & _LOW).astype(jnp.float32) < hyper.flip * np.float32(2.0**16)
        if hyper.crop is None:
            return jnp.where(heads[:, None, None, None], x[:, :, ::-1], x)
        columns = jnp.where(heads[:, None], width - 1 - columns, columns)
    if hyper.crop is not None:
        down, across = (_below(bits, 2 * hyper.crop + 1) - hyper.crop for bits in _bits(key, position, 0))
        rows, columns = _mirrored(rows + down[:, None], height), _mirrored(columns + across[:, None], width)
    return x[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def blank(x: Array, hyper: Hyper, key: Array, position: Array) -> Array:
    """Set a square with a side of `cutout` pixels to 0, the mean: [n, h, w, c] after normalisation.

    All pixels are equally likely as its centre. Squares are cut off at the edges (DeVries & Taylor 2017).
    """
    if hyper.cutout is None:
        return x
    down, across = _bits(key, position, 2)
    inside = []
    for bits, size in ((down, x.shape[1]), (across, x.shape[2])):
        first = _below(bits, jnp.int32(size)) - hyper.cutout // 2
        pixel = np.arange(size, dtype=np.int32)[None]
        inside.append((pixel >= first[:, None]) & (pixel < first[:, None] + hyper.cutout))
    square = inside[0][:, :, None] & inside[1][:, None, :]
    return jnp.where(square[..., None], jnp.zeros((), x.dtype), x)


def _bits(key: Array, position: Array, place: int) -> tuple[Array, Array]:
    """Return two arrays of random bits, [n] uint32 each."""
    right = jnp.full(position.shape, np.uint32(_PLACE + place), jnp.uint32)
    return threefry(key, position.astype(jnp.uint32), right)


def _below(bits: Array, end: Array) -> Array:
    """Return random whole numbers from 0 to `end` - 1, where `end` < 2**15: [n] int32."""
    return (((bits & _LOW) * end.astype(jnp.uint32)) >> _16).astype(jnp.int32)


def _mirrored(index: Array, size: int) -> Array:
    """Return pixel indices, where those outside are reflected at the edges."""
    index = jnp.abs(index)
    return size - 1 - jnp.abs(size - 1 - index)
