"""Where an acquisition is largest: climbs from several points, over steps in each dimension and mutants."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.proposals import ordered
from jaxhpo.space import Float, Space
from jaxhpo.types import Array, Key

STARTS = 4  # points that are climbed from
_TURNS = 8  # of a climb at most
_LENGTHS = 4  # of the steps in a dimension, each up and down
_LATTICE = 2.0**14  # real coordinates are multiples of its inverse, which the rounding of a sum cannot tip
_KNOWN, _WORST = -1e30, -3e30  # what a told configuration is worth, and one of the same batch


class _Climb(NamedTuple):
    """Where the climbs stand."""

    point: Array  # [S, D]: the best so far
    worth: Array  # [S]
    turn: Array  # [] int32
    rising: Array  # [] bool: any of them found something better


class Search:
    """Maximisation over a space, without gradients, so that options and numbers are alike.

    Args:
        space: what points lie in.
        candidates: mutants that are looked at in a turn, of all climbs, beside the steps.
    """

    def __init__(self, space: Space, candidates: int):
        self._space = space
        self._alone = len(space) * 2 * _LENGTHS  # candidates of a climb that differ in one dimension
        self._part = self._alone + -(-candidates // STARTS)
        self._ordered = ordered(space)[None, None]
        counts = [0 if isinstance(d, Float) else n for d, n in zip(space.values(), space.level_counts, strict=True)]
        self._counts = np.array(counts, np.float32)[None, None]

    def maximise(self, key: Key, start: Array, value: Callable[[Array], Array], told: Array, batch: Array) -> Array:
        """Return the best new point found, [D] canonical; a told one where none is new.

        Args:
            key: consumed.
            start: where climbs begin: [S, D], the first feasible.
            value: of points: [M, D] -> [M].
            told: `codes` of what must not be proposed again: [N] uint32.
            batch: the same of this batch, of which a repeat is worse still: [B] uint32.
        """

        def score(point: Array) -> Array:
            code, worth = codes(point), value(point)
            # Over the first axis: a CPU reduces booleans ten times faster so.
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
        """Return candidates: [S, D] -> [S, P, D] canonical, not all of them feasible.

        The first differ in one dimension each, by steps of all lengths. The others are mutants in one dimension to all
        of them, half of it by such steps and half drawn anew.
        """
        starts, dimensions = point.shape
        # One draw for all: a draw is what takes the compiler longest.
        shape = (5, starts, self._part, dimensions)
        draw = jnp.floor(jax.random.uniform(key, shape, jnp.float32) * _LATTICE) / _LATTICE
        length, size, change, anew, rate = draw
        alone = np.arange(self._part) < self._alone
        # [P, D]: which candidate steps where, and how far up or down.
        own = alone[:, None] & (np.arange(self._part)[:, None] // (2 * _LENGTHS) == np.arange(dimensions)[None])
        kind = (np.arange(self._part) % (2 * _LENGTHS)).astype(np.float32)
        kind = jnp.where(alone[None, :, None], kind[None, :, None], jnp.floor(length * 4 * _LENGTHS))
        moved = self._moved(point[:, None], kind, size)
        changes = change < jnp.float32(dimensions) ** -rate[:, :, :1]
        changes = jnp.where(alone[None, :, None], own[None], changes)
        value = jnp.where(kind < 2 * _LENGTHS, moved, anew)
        return self._space.canonical(jnp.where(changes, value, point[:, None]))

    def _moved(self, point: Array, kind: Array, size: Array) -> Array:
        """Return coordinates after steps: [S, 1, D], kinds 0 to 7, sizes in [0, 1) -> [S, P, D] in the cube."""
        sign = 1.0 - 2.0 * (kind % 2.0)
        exponent = jnp.floor(0.5 * kind)
        count = np.maximum(self._counts, 1.0)
        # A level or two, four, eight; of a real number half its range to a thousandth.
        whole = jnp.exp2(exponent) / count
        real = 0.5 * jnp.exp2(-2.0 * (exponent + size))
        real = jnp.ceil(real * _LATTICE) / _LATTICE
        step = jnp.where(self._counts > 0, whole, real)
        # Without an order: any other option, each by a kind of its own where there are not more.
        others = np.maximum(count - 1.0, 1.0)
        other = (point + (1.0 + (kind + 2.0 * _LENGTHS * jnp.floor(size * others)) % others) / count) % 1.0
        return jnp.where(self._ordered, jnp.clip(point + sign * step, 0.0, 1.0), other)


def codes(point: Array) -> Array:
    """Return a number for each point, the same for the same: [..., D] float32 -> [...] uint32.

    To compare numbers is D times cheaper than to compare points. Two points in 4e9 share one by chance, and then one
    of them is not proposed.
    """
    bits = jax.lax.bitcast_convert_type(point + 0.0, jnp.uint32)  # there are two zeros
    mixed = jnp.zeros(point.shape[:-1], jnp.uint32)
    for d in range(point.shape[-1]):
        mixed = (mixed ^ bits[..., d]) * jnp.uint32(0x9E3779B1)
        mixed = mixed ^ (mixed >> jnp.uint32(15))
    return mixed
