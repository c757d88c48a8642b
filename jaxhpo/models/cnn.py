"""The convolutional network for images."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.dropout import Dropout, drop
from jaxhpo.models.family import STRUCTURAL, Hyperparameter, NetworkFamily
from jaxhpo.models.layers import Active, Conv, Dense, optional, output_mask, unit_mask
from jaxhpo.models.norms import ACTIVATION, NORM, Norm, activate
from jaxhpo.models.operations.images import max_pool
from jaxhpo.types import Array

_POOLS = 2  # where channels do not grow
_MOST = 4  # times `units` that channels grow to
_DENSE = 4  # blocks of `units` in the dense layer
_SMALL_SIDE = 16  # pixels, up to which images afford more channels
_SMALLEST = 4  # pixels a side that pooling must leave: 28 -> 14 -> 7, 8 -> 4


def _blocks(growth: int, layer: int) -> int:
    """Return the number of channels of a convolution, in multiples of `units`."""
    return min(growth**layer, _MOST)


def _pools(growth: int, layer: int, side: int) -> bool:
    return (layer < _POOLS or growth > 1) and side >= 2 * _SMALLEST


def _depth(layers: int, growth: int) -> int:
    """Return the number of places for a convolution or a pooling."""
    return layers if growth > 1 else max(layers, _POOLS)


def _convolutions(cnn: "CNN", x: Array, channels: Array | None, active: Active | None) -> Array:
    """Return the last feature maps: [n, h, w, c]. The layers become submodules of the calling network."""
    for i in range(_depth(cnn.layers, cnn.growth)):
        # If channels grow, shapes depend on the depth, so all lanes have the depth of the network.
        fixed = i == 0 or i >= cnn.layers or cnn.growth > 1
        use = i < cnn.layers if active is None or fixed else i < active.layers
        pools = _pools(cnn.growth, i, min(x.shape[1:3]))

        def shrink(_: nn.Module, h: Array, pools: bool = pools) -> Array:
            return max_pool(h) if pools else h

        def block(module: nn.Module, h: Array, i: int = i, use: Array | bool = use, shrink: Callable = shrink) -> Array:
            inputs = None if i == 0 else _tiled(channels, _blocks(cnn.growth, i - 1))
            outputs = _tiled(channels, _blocks(cnn.growth, i))
            features = cnn.units * _blocks(cnn.growth, i)
            h = Conv(features, name=f"conv_{i}")(h, inputs, output_mask(outputs, use))
            # Pool first: norm and activation then process a quarter of the pixels.
            return activate(cnn.activation, Norm(cnn.norm, cnn.units, name=f"norm_{i}")(shrink(module, h), outputs))

        x = optional(cnn, use, block, x, shrink)
    return x


def _tiled(channels: Array | None, blocks: int) -> Array | None:
    return None if channels is None else jnp.tile(channels, blocks)


class CNN(nn.Module):
    """3x3 convolutions and a dense layer of 4 `units`: [n, h, w, c] -> [n, classes] logits.

    Each convolution is followed by the maximum of 2x2 squares, a norm and an activation. With `growth` 1 all
    convolutions have `units` channels. The image is then halved after the first two places for a convolution, used or
    not, so that the head has the same shape at every depth. With `growth` 2 they have `units`, 2 `units`, 4 `units`, 4
    `units`, ... channels, and each halves the image. The sides stay at least four pixels long. Dropout acts on the
    dense layer.

    With `active`, a lane uses the first `active.layers` convolutions (1 to `layers`; with `growth` 2 all) and
    `active.units` channels of each block. It then equals the smaller network.

    Attributes:
        layers: Number of convolutions.
        units: Number of channels of the first convolution.
        classes: Number of outputs.
        activation: One of `ACTIVATIONS`.
        norm: One of `NORMS`.
        growth: Factor by which the channels grow with each convolution: 1 or 2.
        tile: Number of examples that the convolutions process at a time, forward and backward; None is all.
            Intermediate arrays then fit into the processor's cache and need less memory.
    """

    layers: int
    units: int
    classes: int
    activation: str = "relu"
    norm: str = "none"
    growth: int = 1
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
        inputs = _tiled(channels, pixels * _blocks(self.growth, self.layers - 1))
        hidden = _tiled(channels, _DENSE)
        x = activate(self.activation, Dense(_DENSE * self.units, name="dense")(x, inputs, hidden))
        x = drop(x, dropout, 0, _DENSE)
        return Dense(self.classes, name="out")(x, hidden, None)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost of the network on images of a shape [h, w, c]."""
        height, width, channels = shape
        forward = backward = held = workspace = params = 0
        for i in range(_depth(self.layers, self.growth)):
            if i < self.layers:
                features = self.units * _blocks(self.growth, i)
                product = 18 * channels * features * height * width
                forward, backward = forward + product, backward + (1 if i == 0 else 2) * product
                held += height * width * (channels + features // 4)
                # The backward pass needs the columns of the input, their gradient, and the rows of the product.
                own = 19 * channels + features if 2 * channels <= features else 7 * channels + 4 * features
                workspace = max(workspace, height * width * own)
                params += (9 * channels + 1 + (0 if self.norm == "none" else 2)) * features
                channels = features
            if _pools(self.growth, i, min(height, width)):
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


def _default_units(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (16, 24, 32) if max(shape[:2], default=0) > _SMALL_SIDE else (32, 48, 64)


FAMILY = NetworkFamily(
    CNN,
    kinds=("image",),
    units=_default_units,
    structure={
        "activation": ACTIVATION,
        "norm": NORM,
        "growth": Hyperparameter(
            1,
            (1, 2),
            "2 doubles the channels with every convolution, to four times `units`, and pools after each",
            ("widening",),
            STRUCTURAL,
        ),
    },
    traced=("crop", "flip", "cutout"),
    tile=True,
    exact_depth=lambda options: options["growth"] > 1,
)
