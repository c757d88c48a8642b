"""Optimizers as one elementwise formula, so that every lane may use another; to add one, add a row to `_ROWS`.

Under `vmap` a `switch` over optimizers would run them all. Here an optimizer is a row of coefficients of

    mu <- b1 mu + w1 g,   nu <- b2 nu + w2 g^2,
    p  <- p - lr [ (mu / c1) / (sqrt(nu / c2 + inner) + outer) + decay p ],   c_i = 1 - b_i^t where it corrects bias

with optax's defaults: momentum 0.9 (Polyak 1964), rmsprop (Tieleman & Hinton 2012), adam (Kingma & Ba 2015), adamw
(Loshchilov & Hutter 2019). A row with ``b2 = w2 = 0, inner = 1, outer = 0`` divides by exactly one.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array


class Coefficients(NamedTuple):
    """One optimizer as scalars of the parameters' dtype; SGD unless given.

    Attributes:
        b1: Decay of the mean gradient.
        w1: Weight of a gradient in it.
        b2: Decay of the mean squared gradient.
        w2: Weight of a squared gradient in it.
        corrects: 1 where the moments are corrected for their zero start, else 0.
        inner: What is added under the root.
        outer: What is added to the root.
        decay: Decoupled weight decay.
    """

    b1: Any = 0.0
    w1: Any = 1.0
    b2: Any = 0.0
    w2: Any = 0.0
    corrects: Any = 0.0
    inner: Any = 1.0
    outer: Any = 0.0
    decay: Any = 0.0


_ROWS = {
    "sgd": Coefficients(),
    "momentum": Coefficients(b1=0.9),
    "rmsprop": Coefficients(b2=0.9, w2=0.1, inner=1e-8),
    "adam": Coefficients(b1=0.9, w1=0.1, b2=0.999, w2=0.001, corrects=1.0, inner=0.0, outer=1e-8),
    "adamw": Coefficients(b1=0.9, w1=0.1, b2=0.999, w2=0.001, corrects=1.0, inner=0.0, outer=1e-8, decay=1e-4),
}

OPTIMIZERS = tuple(_ROWS)
"""The optimizers that a lane can use, by name."""

DECAYS = {name: row.decay for name, row in _ROWS.items()}
"""The weight decay that each has of its own."""


class Moments(NamedTuple):
    """An optimizer's state; two moments whichever optimizer, so that all lanes have one shape."""

    mu: Any  # as the parameters
    nu: Any  # as the parameters
    count: Array  # [] int32: updates so far


def coefficients(
    names: tuple[str, ...],
    index: Array,
    dtype: Any = np.float32,
    *,
    momentum: Array | None = None,
    weight_decay: Array | None = None,
) -> Coefficients:
    """Return the coefficients of ``names[index]``, index a traced int32 scalar.

    Args:
        names: Of the optimizers that a lane may use.
        index: Which of them it uses.
        dtype: The parameters'.
        momentum: [] float32, b1 of the optimizer "momentum"; None is 0.9.
        weight_decay: [] float32, decoupled, of any optimizer; None is the optimizer's own.
    """
    table = np.array([_ROWS[name] for name in names], dtype)
    row = Coefficients(*jnp.asarray(table)[index])
    if momentum is not None:
        takes = jnp.asarray(np.array([name == "momentum" for name in names]))[index]
        row = row._replace(b1=jnp.where(takes, momentum.astype(dtype), row.b1))
    return row if weight_decay is None else row._replace(decay=weight_decay.astype(dtype))


def clip(grads: Any, largest: Array) -> Any:
    """Scale gradients down to a global norm of `largest`, [] float32; 0 leaves them (Pascanu et al. 2013)."""
    squares = jax.tree.reduce(jnp.add, jax.tree.map(lambda g: jnp.sum(g * g), grads))
    norm = jnp.sqrt(squares)
    limit = largest.astype(norm.dtype)
    gain = jnp.where((limit > 0) & (norm > limit), limit / norm, jnp.ones_like(norm))
    return jax.tree.map(lambda g: g * gain, grads)


def start(params: Any) -> Moments:
    """Return the state before the first update."""
    return Moments(jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params), jnp.int32(0))


def update(c: Coefficients, learning_rate: Array, grads: Any, moments: Moments, params: Any) -> tuple[Any, Moments]:
    """Return the parameters and state after one update; `learning_rate` is a float32 scalar."""
    count = moments.count + 1
    learning_rate, t = learning_rate.astype(c.b1.dtype), count.astype(c.b1.dtype)
    c1, c2 = (1 - c.corrects * b**t for b in (c.b1, c.b2))
    mu = jax.tree.map(lambda m, g: c.b1 * m + c.w1 * g, moments.mu, grads)
    nu = jax.tree.map(lambda v, g: c.b2 * v + c.w2 * g * g, moments.nu, grads)

    def move(p: Array, m: Array, v: Array) -> Array:
        return p - learning_rate * ((m / c1) / (jnp.sqrt(v / c2 + c.inner) + c.outer) + c.decay * p)

    return jax.tree.map(move, params, mu, nu), Moments(mu, nu, count)
