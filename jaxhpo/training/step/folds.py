"""The folds of a cross-validation as lanes see them: one pool of examples, sorted by fold.

A lane trains on the examples of the other folds, and is evaluated on those of its own. The examples of a fold are
neighbours in the pool, so no lane has a copy of its examples. Folds have at most two sizes, the small ones first. A
program has the shapes of the largest, and what it computes of a fold is of exactly the fold's examples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.types import Array, Key


class FoldSizes(NamedTuple):
    """The static facts about the folds of a pool.

    Attributes:
        examples: Number of examples in the pool.
        count: Number of folds.
    """

    examples: int
    count: int

    @property
    def small(self) -> int:
        """Number of examples of a small fold."""
        return self.examples // self.count

    @property
    def large(self) -> int:
        """Number of examples of the last fold, which is a large one."""
        return -(-self.examples // self.count)

    @property
    def alike(self) -> bool:
        """Whether all folds have one size."""
        return self.small == self.large

    @property
    def _small_folds(self) -> int:
        return self.count - self.examples % self.count

    def size(self, fold: Array) -> Array:
        """Return the number of examples of a fold: [] int32."""
        return jnp.where(fold < self._small_folds, jnp.int32(self.small), jnp.int32(self.large))

    def start(self, fold: Array) -> Array:
        """Return the first row of a fold in the pool: [] int32."""
        return fold * self.small + jnp.maximum(fold - self._small_folds, 0)

    def training_order(self, key: Key, fold: Array, number: int) -> Array:
        """Return the first rows of a random order of the examples that are not in a fold: [number] int32.

        Args:
            key: Random key.
            fold: Index of the fold: [] int32.
            number: How many rows, at most those outside a large fold.
        """
        most = self.examples - self.small
        draws = jax.random.bits(key, (most,), jnp.uint32)
        if not self.alike:  # there is one example less outside a large fold
            beyond = jnp.arange(most, dtype=jnp.int32) >= self.examples - self.size(fold)
            draws = jnp.where(beyond, jnp.uint32(0xFFFFFFFF), draws)
        order = jnp.argsort(draws, stable=True)[:number].astype(jnp.int32)
        return order + jnp.where(order >= self.start(fold), self.size(fold), 0)

    def of_fold(self, fold: Array, compute: Callable[[Any], Any], rows: Any) -> Any:
        """Return `compute` of the rows of a fold, which has no part for the row that a small fold lacks.

        Args:
            fold: Index of the fold: [] int32.
            compute: Function of arrays [n, ...] -> arrays whose shapes do not depend on n.
            rows: Arrays [large, ...].
        """
        whole = compute(rows)
        if self.alike:
            return whole
        short = compute(jax.tree.map(lambda leaf: leaf[: self.small], rows))
        large = self.size(fold) == self.large
        return jax.tree.map(lambda a, b: jnp.where(large, a, b), whole, short)
