"""The multilayer perceptron."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.cost import Cost, dense_cost
from jaxhpo.models.dropout import Dropout, drop
from jaxhpo.models.family import NetworkFamily
from jaxhpo.models.layers import Active, Dense, optional, output_mask, unit_mask
from jaxhpo.models.norms import ACTIVATION, NORM, Norm, activate
from jaxhpo.models.representations import (
    EMBEDDED,
    FREQUENCIES,
    PERIODIC,
    REPRESENTATION,
    STANDARD,
    Periodic,
    names_of,
    width_of,
)
from jaxhpo.types import Array

_REPRESENTING = 8  # consecutive operations that a representation adds to a training step


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
        representation: How numbers are represented: "standard", "quantile", "piecewise" or "periodic". The network
            takes examples as `represent` returns them, and makes waves itself. Of several, "periodic" not among them,
            a lane uses that of `active.representation`. The network then takes the inputs of all side by side, and
            has a first layer for each.
        numbers: Places of the numbers among the features; of no effect where they are standardised.
    """

    layers: int
    units: int
    classes: int
    activation: str = "relu"
    norm: str = "none"
    representation: str | tuple[str, ...] = STANDARD
    numbers: tuple[int, ...] = ()

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        x = x.reshape(x.shape[0], -1)
        if self.representation == PERIODIC:
            waves, others = Periodic(name="periodic")(x[:, : len(self.numbers)]), x[:, len(self.numbers) :]
            x = jnp.concatenate([waves, others], axis=1)
        first = None if isinstance(self.representation, str) else partial(self._first, active)
        return dense_layers(self, x, None, active, dropout, self.activation, self.norm, first)

    def _first(self, active: Active | None, x: Array, outputs: Array | None) -> Array:
        """Return the first layer of the lane's representation, before norm and activation: [n, W] -> [n, units]."""
        names, numbers = names_of(self.representation), len(self.numbers)
        chosen = jnp.int32(0) if active is None or active.representation is None else active.representation
        # Each has the features that are no numbers, beside what it makes of the numbers.
        others = (x.shape[1] - sum(width_of(name, numbers, 0) for name in names)) // len(names)
        ends = np.cumsum([width_of(name, numbers, others) for name in names]).tolist()

        def layer(i: int) -> Callable[[nn.Module, Array], Array]:
            def compute(module: nn.Module, x: Array) -> Array:
                del module
                own = x[:, ends[i - 1] if i else 0 : ends[i]]
                return Dense(self.units, name=f"hidden_0_{names[i]}")(own, None, output_mask(outputs, chosen == i))

            return compute

        def one_of_first(count: int) -> Callable[[nn.Module, Array], Array]:
            last = layer(count - 1)
            if count == 1:
                return last
            return lambda module, x: optional(module, chosen == count - 1, last, x, one_of_first(count - 1))

        return one_of_first(len(names))(self, x)

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the network's input for an example of a shape."""
        if self.representation == STANDARD:
            return shape
        numbers = len(self.numbers)
        return (sum(width_of(name, numbers, shape[0] - numbers) for name in names_of(self.representation)),)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost of the network on examples of a shape."""
        width, numbers = math.prod(self.input_shape(shape)), len(self.numbers)
        inputs = width + numbers * (EMBEDDED - 1) if self.representation == PERIODIC else width
        forward, backward, params = dense_cost((inputs, *[self.units] * self.layers, self.classes))
        held, workspace = inputs + 2 * self.layers * self.units + self.classes, 2 * self.units
        launches = 12 + 12 * self.layers
        if self.representation == STANDARD:
            return Cost(forward, backward, held, workspace, params, launches)
        if self.representation != PERIODIC:
            params += self.units * (len(names_of(self.representation)) - 1)  # biases of the further first layers
            return Cost(forward, backward, held, max(workspace, inputs), params, launches + _REPRESENTING)
        ahead, _, weights = dense_cost((2 * FREQUENCIES, EMBEDDED))
        forward, params = forward + numbers * ahead, params + weights + numbers * FREQUENCIES
        held, workspace = held + width + numbers * 3 * FREQUENCIES, max(workspace, numbers * 3 * FREQUENCIES)
        # The frequencies need the gradients of the inputs of every layer.
        return Cost(forward, 2 * forward, held, workspace, params, launches + 2 * _REPRESENTING)


def of_representation(params: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the weights of an MLP of one representation from those of one with several."""
    first = "hidden_0"
    return {first: params[f"{first}_{name}"]} | {
        layer: weights for layer, weights in params.items() if not layer.startswith(f"{first}_")
    }


def dense_layers(
    network: Any,
    x: Array,
    inputs: Array | None,
    active: Active | None,
    dropout: Dropout | None,
    activation: str = "relu",
    norm: str = "none",
    first: Callable[[Array, Array | None], Array] | None = None,
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
        first: Makes the first layer from features and the mask of its outputs; None is a `Dense`.
    """
    mask = unit_mask(active, network.units)
    for i in range(network.layers):
        use = True if active is None or i == 0 else i < active.layers

        def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
            del module
            outputs = output_mask(mask, use)
            if i == 0 and first is not None:
                h = first(h, outputs)
            else:
                h = Dense(network.units, name=f"hidden_{i}")(h, inputs if i == 0 else mask, outputs)
            h = Norm(norm, network.units, name=f"norm_{i}")(h, mask)
            return drop(activate(activation, h), dropout, i)

        x = optional(network, use, layer, x)
    return Dense(network.classes, name="out")(x, mask, None)


FAMILY = NetworkFamily(
    MLP,
    kinds=("vector", "image"),
    units=lambda shape: (64, 128, 256),
    structure={"activation": ACTIVATION, "norm": NORM, "representation": REPRESENTATION},
    traced=("crop", "flip", "cutout"),
)
