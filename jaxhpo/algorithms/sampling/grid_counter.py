"""Enumeration of a grid in which some combinations of levels are not configurations."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Space
from jaxhpo.types import Array

_BLOCK = 1024  # combinations that are checked together
_TURNS = 2**14  # number of blocks after which a search for configurations gives up


class Reading(NamedTuple):
    """The next configurations of a grid.

    Attributes:
        digits: Levels, [N, D] int32; of a row without a configuration, the counter where the search stopped.
        there: Whether the row has a configuration; these rows come first: [N] bool.
        over: Whether no more configurations follow: [] bool.
    """

    digits: Array
    there: Array
    over: Array


class GridCounter:
    """A counter with one wheel per hyperparameter, parents before children. The wheel of an inactive one stands at 0.

    The combinations of the last wheels form a block, which is checked at once; the counter turns the other wheels. So
    combinations that violate constraints are skipped many at a time, and those that conditions exclude never occur.
    """

    def __init__(self, space: Space):
        self._space = space
        self._sizes = np.array(space.level_counts, np.int32)
        order = space.conditions.order
        last = len(order) - 1
        while last > 0 and self._sizes[list(order[last - 1 :])].prod(dtype=np.int64) <= _BLOCK:
            last -= 1
        self._turned, self._block = np.array(order[:last], np.int32), np.array(order[last:], np.int32)
        levels = np.indices(tuple(self._sizes[self._block].tolist())).reshape(len(self._block), -1)
        self._table = np.zeros((levels.shape[1], len(order)), np.int32)  # [W, D]
        self._table[:, self._block] = levels.T
        self._place = np.empty(len(order), np.int32)  # place of each dimension in the order
        self._place[list(order)] = np.arange(len(order))

    def read(self, digits: Array, over: Array, number: int) -> Reading:
        """Return the next `number` configurations, from the counter `digits` on, included: [D] int32, [] bool."""
        is_block = np.isin(np.arange(len(self._sizes)), self._block)
        start = jnp.int32(0)
        for d in self._block:
            start = start * self._sizes[d] + digits[d]

        def lacks(carry: tuple) -> Array:
            _, count, turns, _, _, over = carry
            return (count < number) & (turns < _TURNS) & ~over

        def look(carry: tuple) -> tuple:
            found, count, turns, digits, start, _ = carry
            block = jnp.where(is_block[None], self._table, digits[None])
            point = self._space.from_levels(block)
            once = jnp.all(self._space.active(point) | (block == 0), axis=1)
            good = once & self._space.feasible(point)
            good = good & (jnp.arange(block.shape[0], dtype=jnp.int32) >= start)
            rank = jnp.cumsum(good, dtype=jnp.int32)
            found = found.at[jnp.where(good, count + rank - 1, number)].set(block, mode="drop")
            digits, over = self._turn(digits)
            return found, jnp.minimum(count + rank[-1], number), turns + 1, digits, jnp.int32(0), over

        first = jnp.where(is_block, 0, digits)
        none = jnp.zeros((number, len(self._sizes)), jnp.int32)
        carry = none, jnp.int32(0), jnp.int32(0), first, start, over
        found, count, _, stopped, _, over = jax.lax.while_loop(lacks, look, carry)
        there = jnp.arange(number, dtype=jnp.int32) < count
        return Reading(jnp.where(there[:, None], found, stopped[None]), there, over)

    def _turn(self, digits: Array) -> tuple[Array, Array]:
        """Return the next counter, with the block's wheels at 0, and whether it has passed the end: [D], [] bool."""
        if not len(self._turned):
            return digits, jnp.bool_(True)
        place = jnp.asarray(self._place)
        # Whether a wheel is active depends only on the wheels before it, which do not change while it turns.
        may = self._space.active(self._space.from_levels(digits)) & (digits + 1 < self._sizes)
        may = may & (place < len(self._turned))
        turned = jnp.max(jnp.where(may, place, -1))
        after = jnp.where(place < turned, digits, jnp.where(place == turned, digits + 1, 0))
        return after, turned < 0
