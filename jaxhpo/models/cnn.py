"""The convolutional network for images."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.dropout import Dropout, drop
from jaxhpo.models.layers import Active, Conv, Dense, lecun_normal, max_pool, optional, relu
from jaxhpo.types import Array

_POOLS = 2
_SMALLEST = 4  # pixels a side that pooling must leave: 28 -> 14 -> 7, 8 -> 4


class CNN(nn.Module):
    """3x3 convolutions of `units` channels, a dense layer of 4 `units`: [n, h, w, c] -> [n, classes] logits.

    The image is halved after the first convolution and where the second is or would be, while four pixels a side
    are left; so every depth sees a head of one shape. Dropout acts on the dense layer. With `active`, a lane uses
    the first `active.layers` convolutions (1 to `layers`) and `active.units` channels, and equals the smaller network.
    """

    layers: int
    units: int
    classes: int

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        channels = None if active is None else np.arange(self.units, dtype=np.int32) < active.units
        for i in range(max(self.layers, _POOLS)):
            use = i < self.layers if active is None or i == 0 or i >= self.layers else i < active.layers

            def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
                del module
                outputs = channels if isinstance(use, bool) or channels is None else channels & use
                return relu(Conv(self.units, name=f"conv_{i}")(h, None if i == 0 else channels, outputs))

            x = optional(self, use, layer, x)
            if i < _POOLS and min(x.shape[1:3]) >= 2 * _SMALLEST:
                x = max_pool(x)
        pixels = x.shape[1] * x.shape[2]
        x = x.reshape(x.shape[0], -1)
        inputs = None if channels is None else jnp.tile(channels, pixels)
        hidden = None if active is None else np.arange(4 * self.units, dtype=np.int32) < 4 * active.units
        x = drop(relu(Dense(4 * self.units, name="dense")(x, inputs, hidden)), dropout, 0)
        return Dense(self.classes, kernel_init=lecun_normal, name="out")(x, hidden, None)
