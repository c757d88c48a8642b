"""Flax layers in which a lane may use some of the units. Without masks they are the plain layers.

Masks act only on the initial weights: a unit whose incoming and outgoing weights are zero has output zero (ReLU), gets
a zero gradient and, under every optimizer here, stays exactly zero. So the training step needs no masks, and a masked
network computes the same as the narrow network. The arithmetic has the dtype of the input.
"""

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.operations.images import convolve
from jaxhpo.types import Array


class Active(NamedTuple):
    """The part of a network that one lane uses.

    Attributes:
        layers: Number of layers: [] int32.
        units: Number of units of each layer: [] int32.
        representation: Place of the lane's representation among those of an MLP: [] int32; None is the first.
    """

    layers: Array
    units: Array
    representation: Array | None = None


def unit_mask(active: Active | None, units: int) -> Array | None:
    """Return which units of a layer a lane uses: [units] bool; None is all."""
    return None if active is None else active.units > np.arange(units, dtype=np.int32)


def output_mask(units: Array | None, use: Array | bool) -> Array | None:
    """Return which outputs of a layer have initial weights: those of `unit_mask`, none if the layer is not used."""
    return units if isinstance(use, bool) or units is None else units & use


def masked(inputs: Array | None, outputs: Array | None, deviation: float | None = None) -> Callable:
    """Return an initialiser of a narrow kernel inside the full kernel [..., in, out]: normal, zero outside.

    Unless a standard deviation is given, the variance is one over the *active* fan-in (LeCun et al. 1998), as in Flax.
    The masks ([in] and [out] bool, None is all) mark the used part.
    """

    def init(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        usual = math.sqrt(1 / math.prod(shape[:-1]))
        gain = jnp.full(shape[-2:], usual if deviation is None else deviation, dtype)
        if inputs is not None:
            used = jnp.maximum(jnp.sum(inputs), 1).astype(dtype)
            gain = gain * jnp.where(inputs, jnp.sqrt(shape[-2] / used), jnp.zeros_like(used))[:, None]
        if outputs is not None:
            gain = jnp.where(outputs[None], gain, jnp.zeros_like(gain))
        return standard_normal(key, shape, dtype) * gain.reshape((1,) * (len(shape) - 2) + gain.shape)

    return init


_ones = ContextVar("_ones", default=False)


def standard_normal(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return normal numbers, or ones while `init_together` computes standard deviations."""
    return jnp.ones(shape, dtype) if _ones.get() else jax.random.normal(key, shape, dtype)


def init_together(model: nn.Module, key: Array, example: Array, **options: Any) -> Any:
    """Return the initial weights of a model from one random draw, with the distribution of `model.init`.

    A network's dozen random draws take most of the time of compiling its initialisation.
    """
    token = _ones.set(True)
    try:
        deviations = model.init(key, example, **options)["params"]
    finally:
        _ones.reset(token)
    leaves, tree = jax.tree.flatten(deviations)
    normals = jax.random.normal(key, (sum(leaf.size for leaf in leaves),), leaves[0].dtype)
    # Otherwise XLA compiles the draw again into each of the parts.
    normals = jax.lax.optimization_barrier(normals)
    ends = np.cumsum([leaf.size for leaf in leaves])
    parts = [part.reshape(leaf.shape) for part, leaf in zip(jnp.split(normals, ends[:-1]), leaves, strict=True)]
    return jax.tree.unflatten(tree, [leaf * part for leaf, part in zip(leaves, parts, strict=True)])


class Dense(nn.Module):
    """`y = x @ kernel + bias`, like `flax.linen.Dense`: [n, in] -> [n, features]."""

    features: int

    @nn.compact
    def __call__(self, x: Array, inputs: Array | None = None, outputs: Array | None = None) -> Array:
        """Apply the layer. The masks ([in] and [features] bool) are used only during initialisation."""
        kernel = self.param("kernel", masked(inputs, outputs), (x.shape[-1], self.features), x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        return x @ kernel + bias[None]


class Conv(nn.Module):
    """A 3x3 convolution with zero padding, like `flax.linen.Conv`: [n, h, w, in] -> [n, h, w, features]."""

    features: int

    @nn.compact
    def __call__(self, x: Array, inputs: Array | None = None, outputs: Array | None = None) -> Array:
        """Apply the layer. The masks ([in] and [features] bool) are used only during initialisation."""
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param("kernel", masked(inputs, outputs), shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), x.dtype)
        return convolve(x, kernel) + bias[None, None, None]


def _same(_: nn.Module, x: Array) -> Array:
    return x


def optional(
    module: nn.Module,
    use: Array | bool,
    layer: Callable[[nn.Module, Array], Array],
    x: Array,
    otherwise: Callable[[nn.Module, Array], Array] = _same,
) -> Array:
    """Return `layer(module, x)` if `use`, else `otherwise(module, x)`, of the same shape if `use` is traced.

    Unless `use` is batched by `vmap`, only one of the two is computed.
    """
    if isinstance(use, bool):
        return layer(module, x) if use else otherwise(module, x)
    if module.is_initializing():
        return jnp.where(use, layer(module, x), otherwise(module, x))
    return nn.cond(use, layer, otherwise, module, x)


def _blocks(array: Array, axis: int, units: int) -> Array:
    """Return an axis of k blocks of units as two axes."""
    return array.reshape(*array.shape[:axis], -1, units, *array.shape[axis + 1 :])


def _merge(blocks: Array, axis: int) -> Array:
    """Return the two axes of `_blocks` as one."""
    return blocks.reshape(*blocks.shape[:axis], -1, *blocks.shape[axis + 2 :])


def narrow(params: Any, shapes: Any, units: tuple[int, int]) -> Any:
    """Return the part of a wide network's weights that a narrow network has.

    Of an axis of k blocks of units, the first units of each block are kept. Layers that the narrow network does not
    have are left out.

    Args:
        params: Weights of the wide network, nested dicts of arrays.
        shapes: Pytree of the narrow network, with a `shape` at the leaves.
        units: Numbers of units of the wide and of the narrow network.
    """
    wide, few = units

    def cut(path: tuple, leaf: Any) -> Array:
        full = params
        for key in path:
            full = full[key.key]
        for axis, size in enumerate(leaf.shape):
            if full.shape[axis] != size:
                full = _merge(jax.lax.slice_in_dim(_blocks(full, axis, wide), 0, few, axis=axis + 1), axis)
        return full

    return jax.tree_util.tree_map_with_path(cut, shapes)


def widen(params: Any, like: Any, units: tuple[int, int]) -> Any:
    """Return the weights of a narrow network in a wide network, zeros elsewhere; the inverse of `narrow`.

    Args:
        params: Weights of the narrow network, nested dicts of arrays.
        like: Pytree of the wide network, with a `shape` at the leaves.
        units: Numbers of units of the wide and of the narrow network.
    """
    wide, few = units

    def place(part: Array, leaf: Any) -> Array:
        for axis, size in enumerate(leaf.shape):
            if part.shape[axis] != size:
                padding = [(0, wide - few if i == axis + 1 else 0) for i in range(part.ndim + 1)]
                part = _merge(jnp.pad(_blocks(part, axis, few), padding), axis)
        return part

    return jax.tree.map(place, params, like)
