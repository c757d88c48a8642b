"""The recurrent network for sequences of tokens or of numbers."""

import flax.linen as nn
import jax.numpy as jnp

from jaxhpo.models.cost import Cost
from jaxhpo.models.dropout import Dropout, drop_features, keep
from jaxhpo.models.family import STRUCTURAL, Hyperparameter, NetworkFamily
from jaxhpo.models.layers import Active, Dense, masked, optional, output_mask, standard_normal, unit_mask
from jaxhpo.models.operations.recurrent import CELLS, gru, hold, lstm, vanilla
from jaxhpo.space import Choice, Int
from jaxhpo.types import Array

PADDING = 0
"""The padding token. It does not change the state, at any place of a sequence."""

POOLINGS = ("mean", "last")


class Recurrent(nn.Module):
    """One layer of cells in one direction: [T, n, in], padding [T, n] bool -> states [T, n, units]."""

    units: int
    cell: str
    backwards: bool = False

    @nn.compact
    def __call__(self, x: Array, padding: Array, inputs: Array | None, outputs: Array | None) -> Array:
        """Return the states after every step. The masks ([in] and [units] bool) are used only during initialisation."""
        blocks = CELLS[self.cell]
        if self.backwards:
            x, padding = x[::-1], padding[::-1]
        time, n, width = x.shape
        everywhere = None if outputs is None else jnp.tile(outputs, blocks)
        shape = (width, blocks * self.units)
        kernel = self.param("kernel", masked(inputs, everywhere), shape, x.dtype)
        shape = (self.units, blocks * self.units)
        recurrent = self.param("recurrent_kernel", masked(outputs, everywhere), shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (blocks * self.units,), x.dtype)
        projected = (x.reshape(time * n, width) @ kernel + bias[None]).reshape(time, n, blocks * self.units)
        projected = hold(self.cell, projected, padding)
        if self.cell == "gru":
            bias = self.param("recurrent_bias", nn.initializers.zeros, (self.units,), x.dtype)
            states = gru(projected, recurrent, bias)
        else:
            states = {"lstm": lstm, "vanilla": vanilla}[self.cell](projected, recurrent, padding.astype(x.dtype))
        return states[::-1] if self.backwards else states


class RNN(nn.Module):
    """An embedding, `layers` of `units` cells, and pooling of their states: tokens [n, T] -> [n, classes] logits.

    Tokens are whole numbers in the dtype in which the network computes; 0 is padding. Without a vocabulary the network
    takes numbers [n, T, F], a dense layer embeds each step, and steps of nan are padding.

    A bidirectional layer has `units` cells that read forwards and as many that read backwards (Schuster & Paliwal
    1997). Dropout sets units to zero for a whole sequence (Gal & Ghahramani 2016), after each layer; and features of
    the embedding, if it has a rate.

    With `active`, a lane uses the first `active.layers` layers (1 to `layers`) and `active.units` units of each. It
    then equals the smaller network, because a unit without weights has state 0.

    Attributes:
        layers: Number of layers.
        units: Number of cells of a layer in each direction.
        classes: Number of outputs.
        vocabulary: Number of tokens; None for sequences of numbers.
        cell: "gru", "lstm" or "vanilla".
        bidirectional: Whether layers read in both directions.
        pooling: "mean" over the states at tokens, or "last": the state after the last token that is read.
        embedding: Number of features of the embedding.
    """

    layers: int
    units: int
    classes: int
    vocabulary: int | None
    cell: str = "gru"
    bidirectional: bool = False
    pooling: str = "mean"
    embedding: int = 32

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        h, padding = self._embedded(x)
        h = drop_features(h, dropout)
        mask = unit_mask(active, self.units)
        inside = None if mask is None else jnp.tile(mask, self.directions)
        for i in range(self.layers):
            use = True if active is None or i == 0 else i < active.layers

            def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
                del module
                inputs, outputs = None if i == 0 else inside, output_mask(mask, use)
                name = f"{self.cell}_{i}"
                states = Recurrent(self.units, self.cell, name=name)(h, padding, inputs, outputs)
                if self.bidirectional:
                    back = Recurrent(self.units, self.cell, True, name=f"{name}_back")(h, padding, inputs, outputs)
                    states = jnp.concatenate([states, back], axis=-1)
                if dropout is None:
                    return states
                return states * keep(dropout, i, self.units, h.dtype, self.directions)[None]

            h = optional(self, use, layer, h)
        counts = (~padding).astype(h.dtype)
        if self.pooling == "mean":
            pooled = jnp.sum(h * counts[:, :, None], axis=0) / jnp.maximum(jnp.sum(counts, axis=0), 1)[:, None]
        else:  # padding after the last token keeps its state
            pooled = jnp.concatenate([h[-1, :, : self.units], h[0, :, self.units :]], axis=-1)
        return Dense(self.classes, name="out")(pooled, inside, None)

    def _embedded(self, x: Array) -> tuple[Array, Array]:
        """Return the features of each step, [T, n, embedding], and which steps are padding: [T, n] bool."""
        if self.vocabulary is None:
            n, time, numbers = x.shape
            gaps = jnp.isnan(x)
            flat = jnp.where(gaps, jnp.zeros_like(x), x).swapaxes(0, 1).reshape(time * n, numbers)
            h = Dense(self.embedding, name="input")(flat)
            return h.reshape(time, n, self.embedding), jnp.all(gaps, axis=-1).T
        table = self.param("embedding", standard_normal, (self.vocabulary, self.embedding), x.dtype)
        tokens = x.T.astype(jnp.int32)
        return table[tokens], tokens == PADDING

    @property
    def directions(self) -> int:
        """The number of directions in which a layer reads."""
        return 2 if self.bidirectional else 1

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost of the network on sequences of a shape: [T] tokens, or [T, F] numbers."""
        (steps, *numbers), blocks, units, ways = shape, CELLS[self.cell], self.units, self.directions
        forward, params, inputs = 2 * ways * units * self.classes, (ways * units + 1) * self.classes, self.embedding
        for _ in range(self.layers):
            forward += ways * 2 * steps * (inputs + units) * blocks * units
            params += ways * (inputs + units + 2) * blocks * units
            inputs = ways * units
        backward = 2 * forward
        if self.vocabulary is None:  # nothing needs the gradient of the numbers
            dense = 2 * steps * numbers[0] * self.embedding
            forward, backward, params = forward + dense, backward + dense, params + (numbers[0] + 1) * self.embedding
        else:
            params += self.vocabulary * self.embedding
        held = steps * (sum(numbers) + 2 * self.embedding + ways * self.layers * (2 * blocks + 1) * units)
        workspace = steps * 3 * blocks * units
        launches = 30 + ways * self.layers * (20 + 20 * steps)
        return Cost(forward, backward, held, workspace, params, launches)


FAMILY = NetworkFamily(
    RNN,
    kinds=("sequence", "text"),
    units=lambda shape: (32, 48, 64),
    structure={
        "cell": Hyperparameter(
            "gru", tuple(CELLS), "what a step of the recurrence computes", ("cell_type", "rnn_cell"), STRUCTURAL
        ),
        "bidirectional": Hyperparameter(
            False, (False, True), "whether texts and sequences are read backwards too", ("bidir",), STRUCTURAL
        ),
    },
    traced=("embedding_dropout",),
    ranges={"layers": Int(1, 2, default=2), "cell": Choice(("gru", "lstm"), default="gru")},
    smallest_batch=64,
)
