"""The weighted mean of what several networks return, on the host."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

PROBABILITIES, OUTPUTS = "probabilities", "outputs"
AVERAGES = (PROBABILITIES, OUTPUTS)


def check_mean(networks: int, weights: tuple[float, ...], averages: str, task: str) -> None:
    """Raise ValueError where a number of networks has no mean with these weights."""
    if not networks:
        raise ValueError("networks is empty; give at least one")
    if len(weights) != networks:
        raise ValueError(f"weights has {len(weights)} numbers for {networks} networks; give one for each")
    if not (min(weights) > 0 and math.isclose(sum(weights), 1, abs_tol=1e-5)):
        raise ValueError(f"weights={weights} must be above 0 and have the sum 1; leave out networks without a share")
    if averages not in AVERAGES:
        raise ValueError(f"averages={averages!r} is unknown; use one of {', '.join(AVERAGES)}")
    if averages == PROBABILITIES and task == "regression":
        raise ValueError("averages='probabilities' is of classes, and the task is regression; use 'outputs'")


def average(parts: Sequence[Any], weights: Sequence[float], averages: str) -> Any:
    """Return the weighted mean of networks' outputs; of a single network its outputs.

    Args:
        parts: Outputs of each network for the same examples: a pytree of arrays [n, ...].
        weights: Weight of each network, above 0.
        averages: "probabilities" or "outputs".

    Raises:
        ValueError: if the outputs have no such mean.
    """
    if len(parts) == 1:
        return parts[0]
    if averages == OUTPUTS:
        return mean_outputs(parts, weights)
    return mean_probabilities(parts, weights, parts[0].shape[-1])


def mean_probabilities(parts: Iterable[Any], weights: Iterable[float], classes: int | None) -> np.ndarray:
    """Return the logarithm of the weighted mean of the networks' probabilities: [n, classes] float32.

    Args:
        parts: Logits of each network: [n, classes].
        weights: Weight of each network, above 0.
        classes: Number of classes.

    Raises:
        ValueError: if the networks return no logits.
    """
    total = np.array(-np.inf)
    for logits, weight in zip(parts, weights, strict=True):
        if not are_logits(logits, classes):
            raise ValueError("the networks return no logits [n, classes]; give averages='outputs'")
        logits = logits.astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        logits += math.log(weight) - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        total = np.logaddexp(total, logits)
    # Of a class that no network holds possible the logarithm is finite, or a loss of it would be infinite.
    return np.maximum(total, np.finfo(np.float32).min).astype(np.float32)


def mean_outputs(parts: Iterable[Any], weights: Iterable[float]) -> Any:
    """Return the weighted mean of the networks' outputs, array by array, in their dtype and at least float32.

    Args:
        parts: Outputs of each network: a pytree of arrays [n, ...].
        weights: Weight of each network.

    Raises:
        ValueError: if outputs are not floating-point numbers, or networks differ in their shapes.
    """
    total, first = None, None
    for outputs, weight in zip(parts, weights, strict=True):
        if first is None:
            first = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), outputs)
            for leaf in jax.tree.leaves(first):
                if not jax.numpy.issubdtype(leaf.dtype, np.floating):
                    raise ValueError(f"the networks return {leaf.dtype}, which has no mean; ask each of `networks`")
            total = jax.tree.map(lambda leaf: np.zeros(leaf.shape), first)
        shapes, wanted = (jax.tree.map(lambda leaf: leaf.shape, tree) for tree in (outputs, first))
        if shapes != wanted:
            raise ValueError(
                f"the networks return shapes {wanted} and {shapes}, which have no mean; ask each of `networks`"
            )
        total = jax.tree.map(lambda sum_, leaf, w=weight: sum_ + w * leaf.astype(np.float64), total, outputs)
    return jax.tree.map(lambda leaf, sum_: sum_.astype(_wide(leaf.dtype)), first, total)


def are_logits(outputs: Any, classes: int | None) -> bool:
    """Return whether outputs are logits: [n, classes]."""
    return isinstance(outputs, np.ndarray) and outputs.shape[1:] == (classes,)


def _wide(dtype: np.dtype) -> np.dtype:
    """Return a dtype, or float32 where it has fewer bytes."""
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)
