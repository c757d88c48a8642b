"""How the numbers of tables and vectors reach a network: standardised, by their quantiles, or as waves.

Features that say whether a row has a category, or a missing cell, are no numbers: they stay as they are.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.models.family import STRUCTURAL, Hyperparameter
from jaxhpo.models.layers import Dense, standard_normal
from jaxhpo.types import Array, Key

STANDARD, QUANTILE, PIECEWISE, PERIODIC = "standard", "quantile", "piecewise", "periodic"

BY_QUANTILES = (QUANTILE, PIECEWISE)
"""Representations that read the quantiles of the training examples."""

SHARING = (STANDARD, QUANTILE, PIECEWISE)
"""Representations whose lanes share a program: they differ in the input and the first layer alone."""

REPRESENTATION = Hyperparameter(
    STANDARD,
    (STANDARD, QUANTILE, PIECEWISE, PERIODIC),
    "how the numbers of tables and vectors reach the network",
    kind=STRUCTURAL,
    vectors=True,
)

BINS = 16  # of the piecewise representation
FREQUENCIES, EMBEDDED = 16, 8  # of a number in the periodic one, and the features that they become
_DEVIATION = 0.1  # of the initial frequencies; the standardised numbers then pass through part of a wave
_LEAST = 1e-7  # share of the examples that is taken to lie beyond the ends, as scikit-learn has it


def names_of(representation: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the representations that the lanes of a program may have."""
    return (representation,) if isinstance(representation, str) else representation


def width_of(name: str, numbers: int, others: int) -> int:
    """Return the width of the network's input, of so many numbers and other features."""
    return numbers * (BINS if name == PIECEWISE else 1) + others


def represent(name: str, numbers: tuple[int, ...], x: Array, standard: Array, quantiles: Array | None) -> Array:
    """Return the network's input: [n, W], of `width_of`. What is made of the numbers comes first.

    - "standard": the standardised numbers, and all features in their own order.
    - "quantile": the normal score of each number's rank among the training examples, within -5.2 .. 5.2. Equal numbers
      share the middle of their ranks. scikit-learn's QuantileTransformer does the same, but for ties at either end.
    - "piecewise": for each of 16 bins with equally many training examples, the share of it that lies below the number
      (Gorishniy et al. 2022). It is 0 in a bin without width. Beyond the ends it is that of the end.
    - "periodic": the standardised numbers, of which the network makes waves.

    Args:
        name: One of the representations.
        numbers: Places of the numbers among the features.
        x: Examples as stored, in the dtype of the network: [n, F].
        standard: Examples as they are standardised: [n, F].
        quantiles: Values at equally spaced ranks of each number, in order: [numbers, K + 1], K a power of two from 16
            on; None for "standard" and "periodic".
    """
    if name == STANDARD:
        return standard
    others = tuple(sorted(set(range(x.shape[1])) - set(numbers)))
    if name == PERIODIC:
        made = _columns(standard, numbers)
    else:
        assert quantiles is not None
        own, edges = _columns(x, numbers), quantiles.astype(x.dtype)
        if name == QUANTILE:
            made = _normal_scores(own, edges)
        else:
            made = _shares(own, edges[:, :: (edges.shape[1] - 1) // BINS]).reshape(x.shape[0], -1)
    return jnp.concatenate([made, _columns(standard, others)], axis=1) if others else made


def _columns(x: Array, places: tuple[int, ...]) -> Array:
    return x if places == tuple(range(x.shape[1])) else x[:, np.array(places, np.int32)]


def _shares(x: Array, edges: Array) -> Array:
    """Return the share of each bin that lies below a number: [n, F], [F, K + 1] -> [n, F, K]."""
    low, width = edges[None, :, :-1], (edges[:, 1:] - edges[:, :-1])[None]
    flat = width <= 0
    share = (x[:, :, None] - low) / jnp.where(flat, jnp.ones_like(width), width)
    return jnp.where(flat, jnp.zeros_like(share), jnp.clip(share, 0, 1))


def _normal_scores(x: Array, edges: Array) -> Array:
    x = jnp.clip(x, edges[None, :, 0], edges[None, :, -1])
    rank = (_rank(x, edges, jnp.less) + _rank(x, edges, jnp.less_equal)) / 2
    # The lower tail, where numbers near 0 are exact, for both.
    score = jax.scipy.special.ndtri(jnp.maximum(jnp.minimum(rank, 1 - rank), _LEAST))
    return jnp.where(rank > 0.5, -score, score)


def _rank(x: Array, edges: Array, below: Callable[[Array, Array], Array]) -> Array:
    """Return the ranks of numbers within the ends, 0 to 1: [n, F], [F, K + 1] -> [n, F], K a power of two.

    Of equal edges the rank is the least for `jnp.less`, and the largest for `jnp.less_equal`. The edges are found by
    bisection: an array of all comparisons would be as large as K copies of the examples.
    """
    bins = edges.shape[1] - 1
    flat, first = edges.reshape(-1), np.arange(x.shape[1], dtype=np.int32)[None] * np.int32(bins + 1)
    place, step = jnp.broadcast_to(first, x.shape), bins // 2

    def edge(place: Array) -> Array:
        return flat.at[place].get(mode="promise_in_bounds")

    while step:
        place = place + jnp.where(below(edge(place + np.int32(step)), x), np.int32(step), np.int32(0))
        step //= 2
    low, high = edge(place), edge(place + np.int32(1))
    within = jnp.where(
        high > low, (x - low) / jnp.where(high > low, high - low, jnp.ones_like(x)), below(low, x).astype(x.dtype)
    )
    return ((place - first).astype(x.dtype) + within) / bins


class Periodic(nn.Module):
    """Waves of standardised numbers: [n, F] -> [n, 8 F] (PLR of Gorishniy et al. 2022).

    Sine and cosine of 16 trained frequencies of each number, a linear layer and a ReLU. All numbers share the layer: so
    it is one matrix product, of 264 weights. A layer for each number would be as many products, and 264 weights each.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Return the features of the numbers."""
        n, numbers = x.shape
        frequencies = self.param("frequencies", _first_frequencies, (numbers, FREQUENCIES), x.dtype)
        angles = 2 * math.pi * frequencies[None] * x[:, :, None]
        waves = jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        made = Dense(EMBEDDED, name="embedding")(waves.reshape(n * numbers, 2 * FREQUENCIES))
        return jax.nn.relu(made).reshape(n, numbers * EMBEDDED)


def _first_frequencies(key: Key, shape: tuple[int, ...], dtype: Any) -> Array:
    return _DEVIATION * standard_normal(key, shape, dtype)
