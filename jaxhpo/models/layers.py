"""Flax layers in which a lane may use a part of the units; without masks they are the plain layers.

Masks act on the initial weights alone: a unit whose weights in and out are zero puts out zero (ReLU), gets a zero
gradient and, under every optimizer here, stays exactly zero. So the training step multiplies no masks, and a masked
network computes what the narrow network computes. The arithmetic has the dtype of the input.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxhpo.models.images import convolve
from jaxhpo.types import Array

he_normal = nn.initializers.he_normal()
lecun_normal = nn.initializers.lecun_normal()


class Active(NamedTuple):
    """The part of a network that one lane uses."""

    layers: Array  # [] int32
    units: Array  # [] int32


def masked(init: Callable, inputs: Array | None, outputs: Array | None) -> Callable:
    """Return `init` for the narrow kernel inside the full one.

    It draws at the full shape [..., in, out], zeroes what the masks ([in] and [out] bool, None = all) leave out, and
    scales to the variance that the *active* fan-in asks for.
    """

    def narrow(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        kernel = init(key, shape, dtype)
        if inputs is not None:
            used = jnp.maximum(jnp.sum(inputs), 1).astype(dtype)
            gain = jnp.where(inputs, jnp.sqrt(shape[-2] / used), jnp.zeros_like(used))
            kernel = kernel * jnp.reshape(gain, (1,) * (len(shape) - 2) + (-1, 1))
        if outputs is not None:
            kernel = jnp.where(jnp.reshape(outputs, (1,) * (len(shape) - 1) + (-1,)), kernel, jnp.zeros_like(kernel))
        return kernel

    return narrow


class Dense(nn.Module):
    """`y = x @ kernel + bias`, as `flax.linen.Dense`: [n, in] -> [n, features]."""

    features: int
    kernel_init: Callable = he_normal

    @nn.compact
    def __call__(self, x: Array, inputs: Array | None = None, outputs: Array | None = None) -> Array:
        """Apply the layer; the masks ([in] and [features] bool) matter while initialising only."""
        kernel = self.param("kernel", masked(self.kernel_init, inputs, outputs), (x.shape[-1], self.features), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        return x @ kernel + bias[None]


class Conv(nn.Module):
    """A 3x3 convolution with zero padding, as `flax.linen.Conv`: [n, h, w, in] -> [n, h, w, features]."""

    features: int
    kernel_init: Callable = he_normal

    @nn.compact
    def __call__(self, x: Array, inputs: Array | None = None, outputs: Array | None = None) -> Array:
        """Apply the layer; the masks ([in] and [features] bool) matter while initialising only."""
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", masked(self.kernel_init, inputs, outputs), shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        return convolve(x, kernel) + bias[None, None, None]


def optional(module: nn.Module, use: Array | bool, layer: Callable[[nn.Module, Array], Array], x: Array) -> Array:
    """Return `layer(module, x)` where `use`, else x; both have one shape. The branch is real where `use` is no batch."""
    if isinstance(use, bool):
        return layer(module, x) if use else x
    if module.is_initializing():
        return jnp.where(use, layer(module, x), x)
    return nn.cond(use, layer, lambda _, h: h, module, x)


relu = jax.nn.relu
