"""The recurrent network for sequences of tokens."""

import flax.linen as nn
import jax.numpy as jnp

from jaxhpo.models.cost import Cost
from jaxhpo.models.dropout import Dropout, keep
from jaxhpo.models.layers import Active, Dense, lecun, masked, optional, output_mask, standard_normal, unit_mask
from jaxhpo.models.recurrent import CELLS, gru, hold, lstm
from jaxhpo.types import Array

PADDING = 0
"""The token that is no token: it changes no state, wherever in a sequence it stands."""

POOLINGS = ("mean", "last")


class Recurrent(nn.Module):
    """One layer of GRU or LSTM cells: [T, n, in], padding [T, n] bool -> states [T, n, units]."""

    units: int
    cell: str

    @nn.compact
    def __call__(self, x: Array, padding: Array, inputs: Array | None, outputs: Array | None) -> Array:
        """Return the states after every step; the masks ([in] and [units] bool) matter while initialising only."""
        blocks = CELLS[self.cell]
        time, n, width = x.shape
        everywhere = None if outputs is None else jnp.tile(outputs, blocks)
        shape = (width, blocks * self.units)
        kernel = self.param("kernel", masked(lecun, inputs, everywhere), shape, x.dtype)
        shape = (self.units, blocks * self.units)
        recurrent = self.param("recurrent_kernel", masked(lecun, outputs, everywhere), shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (blocks * self.units,), x.dtype)
        projected = (x.reshape(time * n, width) @ kernel + bias[None]).reshape(time, n, blocks * self.units)
        projected = hold(self.cell, projected, padding)
        if self.cell == "lstm":
            return lstm(projected, recurrent, padding.astype(x.dtype))
        return gru(projected, recurrent, self.param("recurrent_bias", nn.initializers.zeros, (self.units,), x.dtype))


class RNN(nn.Module):
    """An embedding, `layers` of `units` GRU or LSTM cells, their states pooled: tokens [n, T] -> [n, classes] logits.

    Tokens are whole numbers in the dtype that the network computes in; 0 is padding. Dropout zeroes units for a whole
    sequence (Gal & Ghahramani 2016), after each layer. With `active`, a lane uses the first `active.layers` layers (1
    to `layers`) and `active.units` units of each, and equals the smaller network: a unit without weights has state 0.
    """

    layers: int
    units: int
    classes: int
    vocabulary: int
    cell: str = "gru"  # or "lstm"
    pooling: str = "mean"  # of the states at tokens, or "last": the state after the last of them
    embedding: int = 32

    @nn.compact
    def __call__(self, x: Array, *, active: Active | None = None, dropout: Dropout | None = None) -> Array:
        """Return the logits; without `dropout` nothing is dropped."""
        table = self.param("embedding", standard_normal, (self.vocabulary, self.embedding), x.dtype)
        tokens = x.T.astype(jnp.int32)
        padding = tokens == PADDING
        h = table[tokens]
        mask = unit_mask(active, self.units)
        for i in range(self.layers):
            use = True if active is None or i == 0 else i < active.layers

            def layer(module: nn.Module, h: Array, i: int = i, use: Array | bool = use) -> Array:
                del module
                outputs = output_mask(mask, use)
                states = Recurrent(self.units, self.cell, name=f"{self.cell}_{i}")
                h = states(h, padding, None if i == 0 else mask, outputs)
                return h if dropout is None else h * keep(dropout, i, self.units, h.dtype)[None]

            h = optional(self, use, layer, h)
        counts = (~padding).astype(h.dtype)
        if self.pooling == "mean":
            pooled = jnp.sum(h * counts[:, :, None], axis=0) / jnp.maximum(jnp.sum(counts, axis=0), 1)[:, None]
        else:
            pooled = h[-1]  # padding after the last token has kept its state
        return Dense(self.classes, deviation=lecun, name="out")(pooled, mask, None)

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return what the network costs on sequences of a shape [T]."""
        (steps,), blocks, units = shape, CELLS[self.cell], self.units
        forward, params, inputs = 2 * units * self.classes, (units + 1) * self.classes, self.embedding
        for _ in range(self.layers):
            forward += 2 * steps * (inputs + units) * blocks * units
            params += (inputs + units + 2) * blocks * units
            inputs = units
        params += self.vocabulary * self.embedding
        held = steps * (2 * self.embedding + self.layers * (2 * blocks + 1) * units)
        workspace = steps * 3 * blocks * units
        launches = 30 + self.layers * (20 + 20 * steps)
        return Cost(forward, 2 * forward, held, workspace, params, launches)
