"""Outputs of epochs that were chosen without the example: cross-fitting (Chernozhukov et al. 2018).

The epoch that counts is the one with the lowest validation loss. So the score after it is a little too good: the epoch
was chosen on the examples that are scored. The validation examples are dealt to parts. The cross-fitted outputs of a
part are those of the epoch that has the lowest loss on the other parts.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.types import Array

PARTS = 5


class CrossFit(NamedTuple):
    """The cross-fitted outputs of a training so far.

    Attributes:
        losses: Lowest validation loss without each part, inf before the first epoch: [P] float32.
        outputs: Outputs after the epoch of that loss, for the examples of the part: arrays [N, ...]. Example `i` is of
            part `i % P`.
    """

    losses: Array
    outputs: Any


def parts_of(examples: int) -> int:
    """Return the number of parts of so many examples."""
    return min(PARTS, examples)


def first_cross_fit(outputs: Any, parts: int) -> CrossFit:
    """Return the cross-fit before the first epoch; of `outputs`, arrays [N, ...], only the shapes count."""
    unset = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), outputs)
    return CrossFit(jnp.full((parts,), jnp.inf, jnp.float32), unset)


def losses_without_parts(loss: Callable[[Any, Array], Array], outputs: Any, y: Array, parts: int) -> Array:
    """Return the loss of the examples that are not of each part: [parts] float32.

    Parts have one size; the few examples that remain are left out. Where a part has no finite loss, or is the only one,
    the loss of all examples is returned.

    Args:
        loss: Mean loss of outputs and targets -> [].
        outputs: Arrays [n, ...].
        y: Targets: [n, ...].
        parts: Number of parts, at most n.
    """
    size = y.shape[0] // parts
    whole = loss(outputs, y).astype(jnp.float32)
    if parts == 1:
        return whole[None]

    def of_parts(leaf: Array) -> Array:
        return jnp.swapaxes(leaf[: size * parts].reshape(size, parts, *leaf.shape[1:]), 0, 1)

    # One after the other, as a user's loss may have no rule for `vmap`.
    each = jax.lax.map(lambda own: loss(*own).astype(jnp.float32), jax.tree.map(of_parts, (outputs, y)))
    without = jnp.where(jnp.eye(parts, dtype=bool), 0, each[None]).sum(1) / (parts - 1)
    return jnp.where(jnp.isfinite(without), without, whole)


def next_cross_fit(before: CrossFit, losses: Array, outputs: Any) -> CrossFit:
    """Return the cross-fit after an epoch.

    Args:
        before: The cross-fit before it.
        losses: Validation loss without each part: [P] float32. One that is nan is no lower one.
        outputs: Outputs for the validation examples after the epoch: arrays [N, ...].
    """
    lower, parts = losses < before.losses, losses.shape[0]

    def choose(new: Array, old: Array) -> Array:
        rows = lower[jnp.arange(new.shape[0], dtype=jnp.int32) % parts]
        return jnp.where(rows.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return CrossFit(jnp.where(lower, losses, before.losses), jax.tree.map(choose, outputs, before.outputs))
