"""Maximization of an acquisition by local search from several points, with steps in each dimension and mutants."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.proposals import ordered
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

STARTS = 4  # number of starting points
_TURNS = 8  # largest number of steps of a search
_LENGTHS = 4  # number of step lengths in a dimension, each up and down
_LATTICE = 2.0**14  # real coordinates are multiples of its inverse, to hide rounding errors
_KNOWN, _WORST = -1e30, -3e30  # value of a told configuration, and of one in the same round


class _Climb(NamedTuple):
    """The state of the searches.

    Attributes:
        point: Best points so far: [S, D].
        worth: Their values: [S].
        turn: Number of steps: [] int32.
        rising: Whether any search improved in the last step: [] bool.
    """

    point: Array
    worth: Array
    turn: Array
    rising: Array


class Search:
    """Maximization over a space without gradients, which treats options and numbers alike.

    Args:
        space: Search space.
        candidates: Number of mutants per step, over all searches, in addition to the steps in each dimension.
    """

    def __init__(self, space: Space, candidates: int):
        self._space = space
        self._alone = len(space) * 2 * _LENGTHS  # candidates of a search that differ in one dimension
        self._part = self._alone + -(-candidates // STARTS)
        self._ordered = ordered(space)[None, None]
        counts = [0 if d.continuous else n for d, n in zip(space.values(), space.level_counts, strict=True)]
        self._counts = np.array(counts, np.float32)[None, None]

    def maximise(self, key: Key, start: Array, value: Callable[[Array], Array], told: Array, batch: Array) -> Array:
        """Return the best new point found, [D] canonical; a told point if none is new.

        Args:
            key: Random key.
            start: Starting points, the first one feasible: [S, D].
            value: Function to maximize: [M, D] -> [M].
            told: `codes` of configurations that must not be proposed again: [N] uint32.
            batch: `codes` of the round's earlier configurations, which are avoided even more: [B] uint32.
        """

        def score(point: Array) -> Array:
            code, worth = codes(point), value(point)
            # Reduce over the first axis: for booleans this is ten times faster on a CPU.
            worth = jnp.where(jnp.any(told[:, None] == code[None], axis=0), _KNOWN, worth)
            worth = jnp.where(jnp.any(batch[:, None] == code[None], axis=0), _WORST, worth)
            return jnp.where(self._space.feasible(point), worth, -jnp.inf)

        def goes_on(climb: _Climb) -> Array:
            return climb.rising & (climb.turn < _TURNS)

        def step(climb: _Climb) -> _Climb:
            candidates = self.beside(jax.random.fold_in(key, climb.turn), climb.point)
            starts, part, dimensions = candidates.shape
            worth = score(candidates.reshape(starts * part, dimensions)).reshape(starts, part)
            at = jnp.argmax(worth, axis=1).astype(jnp.int32)[:, None]
            reached = jnp.take_along_axis(worth, at, axis=1)[:, 0]
            found = jnp.take_along_axis(candidates, at[:, :, None], axis=1)[:, 0]
            higher = reached > climb.worth
            point = jnp.where(higher[:, None], found, climb.point)
            return _Climb(point, jnp.maximum(reached, climb.worth), climb.turn + 1, jnp.any(higher))

        lowest = jnp.full(start.shape[0], -jnp.inf, jnp.float32)
        end = jax.lax.while_loop(goes_on, step, _Climb(start, lowest, jnp.int32(0), jnp.ones((), bool)))
        return end.point[jnp.argmax(end.worth)]

    def beside(self, key: Key, point: Array) -> Array:
        """Return candidates: [S, D] -> [S, P, D] canonical, some of them infeasible.

        The first ones differ in one dimension each, by steps of all lengths. The others are mutants in one or more
        dimensions; half of the mutations are such steps, half are uniform draws.
        """
        starts, dimensions = point.shape
        # One draw for everything, because random draws take long to compile.
        shape = (5, starts, self._part, dimensions)
        draw = jnp.floor(jax.random.uniform(key, shape, jnp.float32) * _LATTICE) / _LATTICE
        length, size, change, anew, rate = draw
        alone = np.arange(self._part) < self._alone
        # [P, D]: the dimension of each candidate's step, and its kind.
        own = alone[:, None] & (np.arange(self._part)[:, None] // (2 * _LENGTHS) == np.arange(dimensions)[None])
        kind = (np.arange(self._part) % (2 * _LENGTHS)).astype(np.float32)
        kind = jnp.where(alone[None, :, None], kind[None, :, None], jnp.floor(length * 4 * _LENGTHS))
        moved = self._moved(point[:, None], kind, size)
        changes = change < jnp.float32(dimensions) ** -rate[:, :, :1]
        changes = jnp.where(alone[None, :, None], own[None], changes)
        value = jnp.where(kind < 2 * _LENGTHS, moved, anew)
        return self._space.canonical(jnp.where(changes, value, point[:, None]))

    def _moved(self, point: Array, kind: Array, size: Array) -> Array:
        """Return coordinates after steps of kinds 0 to 7 and sizes in [0, 1): [S, 1, D] -> [S, P, D] in the cube."""
        sign = 1.0 - 2.0 * (kind % 2.0)
        exponent = jnp.floor(0.5 * kind)
        count = np.maximum(self._counts, 1.0)
        # Steps of one, two, four or eight levels; for a real number between a thousandth and half of its range.
        whole = jnp.exp2(exponent) / count
        real = 0.5 * jnp.exp2(-2.0 * (exponent + size))
        real = jnp.ceil(real * _LATTICE) / _LATTICE
        step = jnp.where(self._counts > 0, whole, real)
        # For unordered options any other option; a different one for each kind if there are enough.
        others = np.maximum(count - 1.0, 1.0)
        other = (point + (1.0 + (kind + 2.0 * _LENGTHS * jnp.floor(size * others)) % others) / count) % 1.0
        return jnp.where(self._ordered, jnp.clip(point + sign * step, 0.0, 1.0), other)


def codes(point: Array) -> Array:
    """Return a number for each point, equal for equal points: [..., D] float32 -> [...] uint32.

    Comparing numbers is D times cheaper than comparing points. Two different points have the same number with
    probability 1 / 4e9; then one of them is not proposed.
    """
    bits = jax.lax.bitcast_convert_type(point + 0.0, jnp.uint32)  # adding 0 turns -0 into 0
    mixed = jnp.zeros(point.shape[:-1], jnp.uint32)
    for d in range(point.shape[-1]):
        mixed = (mixed ^ bits[..., d]) * jnp.uint32(0x9E3779B1)
        mixed = mixed ^ (mixed >> jnp.uint32(15))
    return mixed
