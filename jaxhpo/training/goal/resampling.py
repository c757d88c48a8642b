"""The score of outputs on resampled examples, which tells its standard error: the bootstrap (Efron 1979)."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

SAMPLES, SAMPLES_ON_ARRAYS, FEWEST = 64, 32, 16
"""Resamplings of the examples: the standard error is itself known to 9%, 13% and 18%. Metrics on arrays are slow."""

_DRAWS = 128_000


def samples_for(examples: int, most: int) -> int:
    """Return how many resamplings there are of so many examples: fewer of many, as some metrics sort them all."""
    return min(max(_DRAWS // examples, FEWEST), most)


def resampled(metric: Callable[..., Array], outputs: Any, y: Array) -> tuple[Array, Array]:
    """Return the mean score of some networks, and that on resampled examples; traceable.

    Args:
        metric: Function of outputs and targets -> [].
        outputs: Arrays [R, N, ...], of R networks.
        y: Labels or targets: [N, ...].

    Returns:
        [] and [S] float32, with S = `samples_for` the examples. The resamplings are the same for all outputs of as many
        examples, so that differences of scores are paired.
    """

    def of_rows(rows: Array | None) -> Array:
        def one(own: Any) -> Array:
            chosen = own if rows is None else jax.tree.map(lambda leaf: leaf[rows], own)
            return metric(chosen, y if rows is None else y[rows]).astype(jnp.float32)

        return jnp.mean(jax.lax.map(one, outputs))

    number = y.shape[0]
    samples = samples_for(number, SAMPLES)
    drawn = jax.random.randint(jax.random.key(0, impl="threefry2x32"), (samples, number), 0, number, jnp.int32)
    return of_rows(None), jax.lax.map(of_rows, drawn)


def resampled_on_arrays(metric: Callable[..., Any], outputs: Sequence[Any], y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what `resampled` does for a metric that is called on arrays.

    Args:
        metric: Function of outputs and targets, NumPy arrays -> a number.
        outputs: Arrays [N, ...] of each network.
        y: Labels or targets: [N, ...].

    Returns:
        A number and [S] float64, nan where the metric refuses a resampling.

    Raises:
        Exception: whatever the metric raises for all the examples.
    """
    score = float(np.mean([metric(own, y) for own in outputs]))
    random, scores = np.random.default_rng(0), np.full(samples_for(len(y), SAMPLES_ON_ARRAYS), math.nan)
    for i in range(len(scores)):
        rows = random.integers(0, len(y), len(y))
        scores[i] = np.mean([score_on_arrays(metric, own, y, rows) for own in outputs])
    return score, scores


def score_on_arrays(metric: Callable[..., Any], outputs: Any, y: np.ndarray, rows: np.ndarray | None = None) -> float:
    """Return the score of some examples by a metric that is called on arrays; nan where it fails.

    Args:
        metric: Function of outputs and targets, NumPy arrays -> a number.
        outputs: Arrays [N, ...].
        y: Labels or targets: [N, ...].
        rows: The examples: [n] int; None for all.
    """
    if rows is not None:
        outputs, y = jax.tree.map(lambda leaf: leaf[rows], outputs), y[rows]
    try:
        with warnings.catch_warnings(action="ignore"):
            return float(metric(outputs, y))
    except Exception:  # of the user's code, or scikit-learn's: a sample may lack a class
        return math.nan


def error_of(scores: np.ndarray) -> float:
    """Return the standard error that resampled scores tell, [S]; nan if fewer than two are finite."""
    finite = np.asarray(scores, np.float64)[np.isfinite(scores)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan
