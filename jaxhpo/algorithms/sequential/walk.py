"""A configuration as a walk: hyperparameters are chosen one after another, each given the choice before it.

The sequential reinforcement learners share this module. Tables are [D, P, L]: dimension d, the bin of the level that
was chosen for dimension d - 1 (at most 16 bins; the first bin for d = 0), and the level chosen for d.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.history import History, first_new
from jaxhpo.algorithms.common.proposals import legal, ordered
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

_BINS = 16  # largest number of bins of the previous choice; of more, most would be visited at most once
_TRIES = 4  # walks per lane that are drawn to find a new configuration


class Walk:
    """The walks in a space.

    Args:
        space: Search space; every dimension needs levels.
        method: Name of the method in error messages.
        reach: Number of levels over which the similarity of ordered levels falls by a factor e; 0 is none.

    Raises:
        ValueError: if a dimension has no levels; the message names the first one.
    """

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
        """Return the similarity of levels: exp(-distance / reach) for ordered levels; for others 1 if equal, else 0."""
        levels = np.arange(self.width)
        same = np.eye(self.width, dtype=np.float32)
        distance = np.abs(levels[:, None] - levels[None])
        near = np.exp(-distance / reach).astype(np.float32) if reach > 0 else same
        rows = [near if has_order else same for has_order in ordered(self.space)]
        return np.stack(rows) * self.valid[:, None, :]

    def before(self, levels: Array) -> Array:
        """Return the bin of the choice before each choice: [N, D] int32 levels -> [N, D] int32."""
        bins = levels * self.bins // jnp.asarray(np.maximum(self.sizes, self.bins))[None]
        first = jnp.zeros((levels.shape[0], 1), jnp.int32)
        return jnp.concatenate([first, bins[:, :-1]], axis=1)

    def taken(self, levels: Array) -> tuple[Array, Array]:
        """Return walks as weights in a table: the visited bins, [N, D, P] in 0 or 1, and the chosen levels, [N, D, L].

        A choice also counts for similar levels, weighted by the similarity.
        """
        where = jax.nn.one_hot(self.before(levels), self.bins, dtype=jnp.float32)
        return where, jnp.asarray(self._similar)[np.arange(self.dimensions)[None], levels]

    def tries(self, lanes: int) -> int:
        """Return the number of walks that `draw` makes for `lanes` lanes."""
        return lanes * _TRIES

    def strays(self, key: Key, lanes: int) -> Array:
        """Return which walks make the current choice at random: [tries] bool.

        The first walk of a lane never does, the last one most often. So a policy that has converged still finds new
        configurations near its own.
        """
        attempt = jnp.arange(_TRIES, dtype=jnp.float32)
        rate = jnp.where(attempt == _TRIES - 1, 3.0, jnp.minimum(attempt, 1.0)) / self.dimensions
        return jax.random.uniform(key, (self.tries(lanes),), jnp.float32) < jnp.repeat(rate, lanes)

    def draw(self, key: Key, pick: Callable[[Key, Array, Array], Array], history: History, lanes: int) -> Array:
        """Return points of walks, [lanes, D], new and distinct ones if a few tries find them.

        Args:
            key: Random key.
            pick: Function ``pick(key, d, bins)`` that returns levels of dimension d, given the bins of the choices
                before: [N] int32 -> [N] int32.
            history: Told trials.
            lanes: Number of points.
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
