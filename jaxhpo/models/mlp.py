"""The multilayer perceptron."""

import math
from typing import Any

import flax.linen as nn

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.dropout import Dropout, drop
from jaxhpo.models.family import NetworkFamily
from jaxhpo.models.layers import Active, Dense, lecun, optional, output_mask, unit_mask
from jaxhpo.models.norms import ACTIVATION, NORM, Norm, activate
from jaxhpo.types import Array


class MLP(nn.Module):
    """`layers` hidden layers of `units`, each with an optional norm and dropout: [n, ...] -> [n, classes] logits.

    With `active`, a lane uses the first `active.layers` layers (1 to `layers`) and `active.units` units of each. It
    then equals the smaller network.

    Attributes:
        layers: Number of hidden layers.
        units: Number of units of each layer.
        classes: Number of outputs.
        activation: One of `ACTIVATIONS`.
        norm: One of `NORMS`.
    """

    layers: int
    units: int
    classes: int
    activation: str = "relu"
    norm: str = "none"

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        return dense_layers(self, x.reshape(x.shape[0], -1), None, active, dropout, self.activation, self.norm)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost of the network on examples of a shape."""
        forward, backward, params = dense_cost((math.prod(shape), *[self.units] * self.layers, self.classes))
        held = math.prod(shape) + 2 * self.layers * self.units + self.classes
        return Cost(forward, backward, held, 2 * self.units, params, 12 + 12 * self.layers)


def dense_layers(
    network: Any,
    x: Array,
    inputs: Array | None,
    active: Active | None,
    dropout: Dropout | None,
    activation: str = "relu",
    norm: str = "none",
) -> Array:
    """Return the logits of a network whose last part are hidden layers: [n, in] -> [n, classes].

    Args:
        network: Flax module with `layers`, `units` and `classes`, which gets the weights.
        x: Features: [n, in].
        inputs: The features that a lane uses: [in] bool; None is all.
        active: The layers and units that a lane uses.
        dropout: Dropout after each layer.
        activation: One of `ACTIVATIONS`.
        norm: One of `NORMS`.
    """
    mask = unit_mask(active, network.units)
    for i in range(network.layers):
        use = True if active is None or i == 0 else i < active.layers

        def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
            del module
            outputs = output_mask(mask, use)
            h = Dense(network.units, name=f"hidden_{i}")(h, inputs if i == 0 else mask, outputs)
            h = Norm(norm, network.units, name=f"norm_{i}")(h, mask)
            return drop(activate(activation, h), dropout, i)

        x = optional(network, use, layer, x)
    return Dense(network.classes, deviation=lecun, name="out")(x, mask, None)


FAMILY = NetworkFamily(
    MLP,
    kinds=("vector", "image"),
    units=lambda shape: (32, 64, 128, 256),
    structure={"activation": ACTIVATION, "norm": NORM},
    traced=("crop", "flip", "cutout"),
)
