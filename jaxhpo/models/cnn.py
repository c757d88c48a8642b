"""The convolutional network for images."""

import flax.linen as nn
import jax.numpy as jnp

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.dropout import Dropout, drop
from jaxhpo.models.images import max_pool
from jaxhpo.models.layers import Active, Conv, Dense, lecun, optional, output_mask, relu, unit_mask
from jaxhpo.types import Array

_POOLS = 2
_DENSE = 4  # blocks of `units` in the dense layer
_SMALLEST = 4  # pixels a side that pooling must leave: 28 -> 14 -> 7, 8 -> 4


def _convolutions(cnn: "CNN", x: Array, channels: Array | None, active: Active | None) -> Array:
    """Return the last feature maps: [n, h, w, units]; the layers become submodules of the network that calls it."""
    for i in range(max(cnn.layers, _POOLS)):
        use = i < cnn.layers if active is None or i == 0 or i >= cnn.layers else i < active.layers
        pools = i < _POOLS and min(x.shape[1:3]) >= 2 * _SMALLEST

        def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
            del module
            outputs = output_mask(channels, use)
            return Conv(cnn.units, name=f"conv_{i}")(h, None if i == 0 else channels, outputs)

        if not isinstance(use, bool):
            x = optional(cnn, use, lambda m, h, layer=layer: relu(layer(m, h)), x)
            x = max_pool(x) if pools else x
        elif use:
            x = layer(cnn, x)
            # The maximum first: the ReLU then sees a quarter of the pixels, and gives the same.
            x = relu(max_pool(x) if pools else x)
        elif pools:
            x = max_pool(x)
    return x


class CNN(nn.Module):
    """3x3 convolutions of `units` channels, a dense layer of 4 `units`: [n, h, w, c] -> [n, classes] logits.

    The image is halved after the first convolution and where the second is or would be, while four pixels a side
    are left; so every depth sees a head of one shape. Dropout acts on the dense layer. With `active`, a lane uses
    the first `active.layers` convolutions (1 to `layers`) and `active.units` channels, and equals the smaller network.

    With `tile`, the convolutions see so many examples at a time, forward and backward: what they compute in between
    then stays in a processor's cache, and is not there twice for a large batch.
    """

    layers: int
    units: int
    classes: int
    tile: int | None = None

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        channels = unit_mask(active, self.units)

        def features(module: "CNN", carry: None, x: Array) -> tuple[None, Array]:
            return carry, _convolutions(module, x, channels, active)

        examples, tile = x.shape[0], self.tile
        if tile is None or examples <= tile or examples % tile or self.is_initializing():
            x = _convolutions(self, x, channels, active)
        else:
            tiles = x.reshape(examples // tile, tile, *x.shape[1:])
            in_tiles = nn.scan(features, variable_broadcast="params", split_rngs={"params": False})
            x = in_tiles(self, None, tiles)[1]
            x = x.reshape(examples, *x.shape[2:])
        pixels = x.shape[1] * x.shape[2]
        x = x.reshape(x.shape[0], -1)
        inputs = None if channels is None else jnp.tile(channels, pixels)
        hidden = None if channels is None else jnp.tile(channels, _DENSE)
        x = drop(relu(Dense(_DENSE * self.units, name="dense")(x, inputs, hidden)), dropout, 0, _DENSE)
        return Dense(self.classes, deviation=lecun, name="out")(x, hidden, None)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return what the network costs on images of a shape [h, w, c]."""
        height, width, channels = shape
        forward = backward = held = workspace = params = 0
        for i in range(max(self.layers, _POOLS)):
            if i < self.layers:
                product = 18 * channels * self.units * height * width
                forward, backward = forward + product, backward + (1 if i == 0 else 2) * product
                held += height * width * (channels + self.units // 4)
                # In the backward pass: the input's columns and their gradient, and the product's rows.
                own = 19 * channels + self.units if 2 * channels <= self.units else 7 * channels + 4 * self.units
                workspace = max(workspace, height * width * own)
                params += (9 * channels + 1) * self.units
                channels = self.units
            if i < _POOLS and min(height, width) >= 2 * _SMALLEST:
                height, width = height // 2, width // 2
        flat, hidden = height * width * channels, _DENSE * self.units
        ahead, _, weights = dense_cost((flat, hidden, self.classes))
        return Cost(
            forward + ahead,
            backward + 2 * ahead,
            held + 2 * flat + 2 * hidden,
            workspace,
            params + weights,
            30 + 40 * self.layers,
        )
