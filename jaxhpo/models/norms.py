"""Activations and norms that keep a unit without weights at exactly zero."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.family import STRUCTURAL, Hyperparameter
from jaxhpo.types import Array

_ACTIVATIONS = {"relu": jax.nn.relu, "gelu": jax.nn.gelu, "silu": jax.nn.silu, "tanh": jnp.tanh}

ACTIVATIONS = tuple(_ACTIVATIONS)
"""Names of activations. Each is 0 at 0, so that masked units stay 0."""

NORMS = ("none", "layer", "group")
"""Names of norms: none, over all units of an example, over groups of `GROUP` units of an example."""

ACTIVATION = Hyperparameter("relu", ACTIVATIONS, "after every hidden layer", ("nonlinearity",), STRUCTURAL)
NORM = Hyperparameter("none", NORMS, "before the activation; a group is 8 units", ("normalization",), STRUCTURAL)

GROUP = 8
_EPSILON = 1e-6  # as in Flax


def activate(name: str, x: Array) -> Array:
    """Return an activation, elementwise."""
    return _ACTIVATIONS[name](x)


class Norm(nn.Module):
    """Layer norm (Ba et al. 2016) or group norm (Wu & He 2018) over units and pixels: [n, ..., k units], same shape.

    Groups hold eight units of the same block, so that the groups of a narrow network are those of the wide one. The
    scale is stored as its difference from 1.

    Attributes:
        name_of: One of `NORMS`.
        units: Number of units of a block.
    """

    name_of: str
    units: int

    @nn.compact
    def __call__(self, x: Array, used: Array | None = None) -> Array:
        """Normalise; `used` ([k units] bool, None is all) are the units that count."""
        if self.name_of == "none":
            return x
        width, pixels = x.shape[-1], int(np.prod(x.shape[1:-1]))
        zeros = nn.initializers.zeros
        scale = 1 + self.param("scale", zeros, (width,), x.dtype)
        bias = self.param("bias", zeros, (width,), x.dtype)
        mask = jnp.ones(width, x.dtype) if used is None else used.astype(x.dtype)
        flat = x.reshape(x.shape[0], pixels, width)
        # Masked units are zero; without them in the sums they get no gradient either.
        count = self._spread(mask[None] * np.asarray(pixels, x.dtype))
        count = jnp.maximum(count, 1)
        mean = self._spread(jnp.sum(flat, axis=1) * mask[None]) / count
        square = self._spread(jnp.sum(flat * flat, axis=1) * mask[None]) / count
        gain = jax.lax.rsqrt(jnp.maximum(square - mean * mean, 0) + _EPSILON) * (scale * mask)[None]
        shift = bias[None] - mean * gain
        middle = (1,) * (x.ndim - 2)
        return x * gain.reshape(x.shape[0], *middle, width) + shift.reshape(x.shape[0], *middle, width)

    def _spread(self, sums: Array) -> Array:
        """Return the sum over its group at each unit: [n, k units], same shape."""
        n, width = sums.shape
        if self.name_of == "layer":
            return jnp.broadcast_to(jnp.sum(sums, axis=1, keepdims=True), sums.shape)
        blocks, groups = width // self.units, -(-self.units // GROUP)
        padding = groups * GROUP - self.units
        grouped = jnp.pad(sums.reshape(n, blocks, self.units), ((0, 0), (0, 0), (0, padding)))
        grouped = jnp.sum(grouped.reshape(n, blocks, groups, GROUP), axis=3, keepdims=True)
        spread = jnp.broadcast_to(grouped, (n, blocks, groups, GROUP)).reshape(n, blocks, groups * GROUP)
        return spread[:, :, : self.units].reshape(n, width)
