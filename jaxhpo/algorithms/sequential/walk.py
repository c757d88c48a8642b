"""A configuration as a walk: its hyperparameters are chosen one after the other, each knowing the choice before it.

What the sequential reinforcement learners share. Tables are [D, P, L]: dimension d, the bin of the level chosen for
dimension d - 1 (of at most 16 bins, the first for d = 0), the level chosen for d.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History, first_new
from jaxhpo.algorithms.common.proposals import legal, ordered
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

_BINS = 16  # of the previous choice: more would hardly ever be visited twice
_TRIES = 4  # walks that a lane draws for one that is new


class Walk:
    """The walks of a space, all of whose dimensions need levels; raises ValueError naming the first that has none."""

    def __init__(self, space: Space, method: str, reach: float):
        self.space = space
        self.sizes = np.array(space.require_levels(method), np.int32)
        self.dimensions, self.width = len(self.sizes), int(self.sizes.max())
        self.bins = min(_BINS, self.width)
        self.valid = np.arange(self.width)[None] < self.sizes[:, None]  # [D, L]
        self._similar = self._similarities(reach)  # [D, L, L]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a table, (D, P, L)."""
        return self.dimensions, self.bins, self.width

    def _similarities(self, reach: float) -> np.ndarray:
        """Return how much a level tells of another: exp(-distance / reach) where levels have an order, else 0."""
        levels = np.arange(self.width)
        same = np.eye(self.width, dtype=np.float32)
        distance = np.abs(levels[:, None] - levels[None])
        near = np.exp(-distance / reach).astype(np.float32) if reach > 0 else same
        rows = [near if has_order else same for has_order in ordered(self.space)]
        return np.stack(rows) * self.valid[:, None, :]

    def before(self, levels: Array) -> Array:
        """Return the bins of the choices before each: [N, D] int32 levels -> [N, D] int32."""
        bins = levels * self.bins // jnp.asarray(np.maximum(self.sizes, self.bins))[None]
        first = jnp.zeros((levels.shape[0], 1), jnp.int32)
        return jnp.concatenate([first, bins[:, :-1]], axis=1)

    def taken(self, levels: Array) -> tuple[Array, Array]:
        """Return walks as weights in a table: [N, D, P] where they were (0 or 1), [N, D, L] what they chose.

        A choice counts for the levels near it too, as far as they are similar.
        """
        where = jax.nn.one_hot(self.before(levels), self.bins, dtype=jnp.float32)
        return where, jnp.asarray(self._similar)[np.arange(self.dimensions)[None], levels]

    def tries(self, lanes: int) -> int:
        """Return how many walks `draw` makes for so many lanes."""
        return lanes * _TRIES

    def strays(self, key: Key, lanes: int) -> Array:
        """Return which walks choose at random, once: [tries] bool. The first of a lane never do; the last the most.

        A policy that has made up its mind finds in them what is new beside it.
        """
        attempt = jnp.arange(_TRIES, dtype=jnp.float32)
        rate = jnp.where(attempt == _TRIES - 1, 3.0, jnp.minimum(attempt, 1.0)) / self.dimensions
        return jax.random.uniform(key, (self.tries(lanes),), jnp.float32) < jnp.repeat(rate, lanes)

    def draw(self, key: Key, pick: Callable[[Key, Array, Array], Array], history: History, lanes: int) -> Array:
        """Return points of walks, [lanes, D], new ones that differ as far as a few tries find such.

        `pick(key, d, bins)` chooses levels in dimension d after choices in these bins: [N] int32 -> [N] int32.
        """
        number = self.tries(lanes)
        walk_key, legal_key = jax.random.split(key)

        def step(bins: Array, at: tuple[Array, Key]) -> tuple[Array, Array]:
            d, step_key = at
            level = pick(step_key, d, bins)
            size = jnp.asarray(np.maximum(self.sizes, self.bins))[d]
            return level * self.bins // size, level

        order = jnp.arange(self.dimensions, dtype=jnp.int32)
        keys = jax.random.split(walk_key, self.dimensions)
        _, levels = jax.lax.scan(step, jnp.zeros(number, jnp.int32), (order, keys))
        point = legal(legal_key, self.space, self.space.from_levels(levels.T), grid=True)
        return first_new(history, point, lanes)
