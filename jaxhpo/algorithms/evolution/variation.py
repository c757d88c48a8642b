"""Variation of configurations for the evolutionary methods: mutation of coordinates, and uniform crossover."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History, first_new
from jaxhpo.algorithms.common.proposals import legal, ordered, uniform
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

TRIES = 3  # children per lane to find a new configuration, before as many uniform draws
_SHORTEST = 1e-3  # length of the shortest small move, as a fraction of the range


class Variation:
    """Mutation in a space.

    Args:
        space: Search space.
        step: Average length of a small move of an ordered coordinate, as a fraction of its range.
        near: Share of small moves among the mutations of an ordered coordinate; the others draw it again.
    """

    def __init__(self, space: Space, step: float, near: float):
        self._space, self._step, self._near = space, step, near
        # Levels of a continuous Float are for methods that need a grid only; an Int of a large range has no levels.
        counts = [0 if d.continuous else n for d, n in zip(space.values(), space.level_counts, strict=True)]
        self._counts = np.array(counts, np.int32)
        self._ordered = ordered(space)
        self._movable = self._counts != 1

    def mutate_one(self, key: Key, point: Array) -> Array:
        """Return points with exactly one active hyperparameter changed: [N, D] canonical -> [N, D], legal.

        Others change only if they become active, or to satisfy a constraint. If no hyperparameter has two values, the
        points do not change.
        """
        return self._mutate(key, point, 0.0, True)

    def mutate(self, key: Key, point: Array, rate: float, least: Array) -> Array:
        """Return points with each active coordinate mutated with probability `rate`: [N, D] -> [N, D], legal.

        At least one coordinate is mutated where `least` ([N] bool) is True.
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
        if self._space.conditional:  # an inactive hyperparameter of the parent has no value to inherit
            child = jnp.where(active, child, jax.random.uniform(new_key, point.shape, jnp.float32))
        return legal(legal_key, self._space, child)

    def others(self, key: Key, point: Array) -> Array:
        """Return a mutated value of every coordinate: [N, D] canonical -> [N, D]."""
        kind, draw, size = jax.random.uniform(key, (3, *point.shape), jnp.float32, 1e-7, 1.0)
        level = self._levels(point)
        counts = jnp.asarray(np.maximum(self._counts, 1))[None]
        discrete = jnp.asarray(self._counts > 0)[None]
        # A new draw: all other levels are equally likely.
        jump = 1 + jnp.floor(draw * (counts - 1).astype(jnp.float32)).astype(jnp.int32)
        far = jnp.where(discrete, self._units((level + jnp.minimum(jump, counts - 1)) % counts), draw)
        # A small move: an exponential step of at least a level, in the other direction if it would leave the cube.
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
    """Return children with each coordinate from either parent, equally likely: [N, D], [N, D] -> [N, D]."""
    return jnp.where(jax.random.bernoulli(key, 0.5, first.shape), first, second)


def brood(key: Key, space: Space, history: History, child: Array, initial: int, lanes: int) -> Array:
    """Return the points to propose from TRIES children per lane, new ones first: [TRIES * lanes, D] -> [lanes, D].

    If too few children are new, uniform draws replace them. Before `initial` trials are told, all points are uniform
    draws.
    """
    drawn = uniform(key, space, 2 * len(child))
    candidates = jnp.concatenate([jnp.where(history.count < initial, drawn[: len(child)], child), drawn[len(child) :]])
    return first_new(history, candidates, lanes)
