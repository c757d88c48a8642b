"""How the evolutionary methods vary configurations: mutation of single coordinates, and uniform crossover."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History, first_new
from jaxhpo.algorithms.common.proposals import legal, ordered, uniform
from jaxhpo.space import Float, Space
from jaxhpo.types import Array, Key

TRIES = 3  # children that a lane makes for one that is new, before as many drawn uniformly
_SHORTEST = 1e-3  # small move, in units of the range: a real number changes, and a whole one of a vast range


class Variation:
    """Mutation and crossover in a space.

    Args:
        space: what points lie in.
        step: how far a small mutation moves an ordered coordinate on average, in units of its range.
        near: how many of an ordered coordinate's mutations are small; the others draw it anew.
    """

    def __init__(self, space: Space, step: float, near: float):
        self._space, self._step, self._near = space, step, near
        # A Float's levels are only a grid for methods that need one; a vast range of whole numbers has none.
        counts = [0 if isinstance(d, Float) else n for d, n in zip(space.values(), space.level_counts, strict=True)]
        self._counts = np.array(counts, np.int32)
        self._ordered = ordered(space)
        self._movable = self._counts != 1

    def mutate_one(self, key: Key, point: Array) -> Array:
        """Return points that differ from canonical ones in exactly one hyperparameter: [N, D] -> [N, D], legal.

        An active one; and in what becomes active by it, or must change to fulfil a constraint. Where no
        hyperparameter has two values the points stay as they are.
        """
        return self._mutate(key, point, 0.0, True)

    def mutate(self, key: Key, point: Array, rate: float, least: Array) -> Array:
        """Return points with each active coordinate mutated with probability `rate`: [N, D] -> [N, D], legal.

        Where `least` ([N] bool), at least one is.
        """
        return self._mutate(key, point, rate, least)

    def _mutate(self, key: Key, point: Array, rate: float, least: Array | bool) -> Array:
        value_key, mask_key, legal_key, new_key = jax.random.split(key, 4)
        active = self._space.active(point)
        movable = active & jnp.asarray(self._movable)[None]
        draw = jnp.where(movable, jax.random.uniform(mask_key, point.shape, jnp.float32), 2.0)
        lowest = draw == jnp.min(draw, axis=1, keepdims=True)
        forced = lowest & jnp.reshape(jnp.asarray(least), (-1, 1))
        child = jnp.where(movable & ((draw < rate) | forced), self.others(value_key, point), point)
        if self._space.conditional:  # what was inactive has no value that could be inherited
            child = jnp.where(active, child, jax.random.uniform(new_key, point.shape, jnp.float32))
        return legal(legal_key, self._space, child)

    def others(self, key: Key, point: Array) -> Array:
        """Return another value of every coordinate, as if mutated alone: [N, D] canonical -> [N, D]."""
        kind, draw, size = jax.random.uniform(key, (3, *point.shape), jnp.float32, 1e-7, 1.0)
        level = self._levels(point)
        counts = jnp.asarray(np.maximum(self._counts, 1))[None]
        discrete = jnp.asarray(self._counts > 0)[None]
        # Anew: any other level is equally likely.
        jump = 1 + jnp.floor(draw * (counts - 1).astype(jnp.float32)).astype(jnp.int32)
        far = jnp.where(discrete, self._units((level + jnp.minimum(jump, counts - 1)) % counts), draw)
        # Small: an exponential step in the cube, away from an end that it would cross, and a level at least.
        sign = jnp.where(draw < 0.5, jnp.int32(-1), jnp.int32(1))
        length = jnp.maximum(-self._step * jnp.log(size), _SHORTEST)
        moved = point + sign.astype(jnp.float32) * length
        turned = point - sign.astype(jnp.float32) * length
        moved = jnp.clip(jnp.where((moved < 0) | (moved > 1), turned, moved), 0.0, 1.0)
        moved = self._snapped(moved)
        beside = level + jnp.where((level + sign < 0) | (level + sign >= counts), -sign, sign)
        beside = self._units(jnp.clip(beside, 0, counts - 1))
        moved = jnp.where(discrete & (moved == point), beside, moved)
        return jnp.where(jnp.asarray(self._ordered)[None] & (kind < self._near), moved, far)

    def _levels(self, point: Array) -> Array:
        none = jnp.zeros(point.shape[0], jnp.int32)
        rows = [d.to_level(point[:, i]) if self._counts[i] else none for i, d in enumerate(self._space.values())]
        return jnp.stack(rows, axis=1)

    def _units(self, level: Array) -> Array:
        return jnp.asarray(self._space.level_table)[np.arange(len(self._space))[None], level]

    def _snapped(self, point: Array) -> Array:
        return jnp.stack([d.snap(point[:, i]) for i, d in enumerate(self._space.values())], axis=1)


def crossover(key: Key, first: Array, second: Array) -> Array:
    """Return children that have each coordinate of either parent, equally likely: [N, D], [N, D] -> [N, D]."""
    return jnp.where(jax.random.bernoulli(key, 0.5, first.shape), first, second)


def brood(key: Key, space: Space, history: History, child: Array, initial: int, lanes: int) -> Array:
    """Return what is proposed of so many tries a lane: [TRIES * lanes, D] -> [lanes, D], new as far as any are.

    Where no child is, one of as many points drawn uniformly; before `initial` trials are told, all are such.
    """
    drawn = uniform(key, space, 2 * len(child))
    candidates = jnp.concatenate([jnp.where(history.count < initial, drawn[: len(child)], child), drawn[len(child) :]])
    return first_new(history, candidates, lanes)
