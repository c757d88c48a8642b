"""A space for CMA-ES: a normal distribution over ordered dimensions, and probabilities of the options of the others."""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.proposals import legal, ordered
from jaxhpo.algorithms.evolution import cma_distribution as cma
from jaxhpo.algorithms.evolution.cma_distribution import Normal
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Array, Key


class MixedSpace:
    """The n ordered and m unordered dimensions of a space, and the margins that prevent premature convergence.

    Args:
        space: Search space.
        margin: Smallest probability that a draw of a rounded dimension leaves the cell of the mean.
    """

    def __init__(self, space: Space, margin: float):
        self.space = space
        has_order = ordered(space)
        # As int32: with 64 bits on, JAX refuses a mixture.
        self.normal, self.choices = (np.flatnonzero(has).astype(np.int32) for has in (has_order, ~has_order))
        cells = np.array([_widest_cell(d) for d in space.values()])[self.normal]
        # A draw from the middle of a cell leaves it with probability `margin`. The mean stays between the middles of
        # the outer cells.
        self.floor = (cells / 2 / NormalDist().inv_cdf(1 - margin / 2)).astype(np.float32)  # [n], 0 for real numbers
        units = [list(space.values())[i].level_units for i in self.normal]
        rounded = cells > 0
        self.low = np.array([u[0] if r and len(u) else 0.0 for u, r in zip(units, rounded, strict=True)], np.float32)
        self.high = np.array([u[-1] if r and len(u) else 1.0 for u, r in zip(units, rounded, strict=True)], np.float32)
        counts = self.counts = np.array([space.level_counts[i] for i in self.choices], np.int32)
        options = np.arange(max(counts, default=1))[None] < counts[:, None]
        self.even = (options / np.maximum(counts[:, None], 1)).astype(np.float32)  # [m, L]
        least = (1 - 0.73 ** (1 / max(len(counts), 1))) / np.maximum(counts - 1, 1)  # as in CatCMA
        self.least = np.where(options, np.minimum(least, 1 / np.maximum(counts, 1))[:, None], 0.0).astype(np.float32)
        # Permutation from (normal, choices) to the order of the space.
        self._back = np.argsort(np.concatenate([self.normal, self.choices])).astype(np.int32)

    def stretch(self, normal: Normal) -> Array:
        """Return the factor by which sampling widens each ordered dimension: [n] float32, at least 1."""
        return jnp.maximum(1.0, jnp.asarray(self.floor) / jnp.maximum(cma.spread(normal), 1e-30))

    def clamped(self, normal: Normal) -> Normal:
        """Return the distribution with its mean inside the cube and sigma at most 1."""
        mean = jnp.clip(normal.mean, jnp.asarray(self.low), jnp.asarray(self.high))
        return normal._replace(mean=mean, sigma=jnp.minimum(normal.sigma, 1.0))

    def draw(self, key: Key, normal: Normal, odds: Array, number: int) -> tuple[Array, Array]:
        """Return draws before and after they are made legal points: [number, D] float32 each."""
        normal_key, odds_key, legal_key = jax.random.split(key, 3)
        step = normal.sigma * self.stretch(normal)[None] * cma.draw(normal_key, normal, number)
        x = jnp.clip(normal.mean[None] + step, 0.0, 1.0)
        u = jax.random.uniform(odds_key, (number, len(self.choices), 1), jnp.float32)
        option = jnp.sum(u >= jnp.cumsum(odds, axis=1)[None], axis=2, dtype=jnp.int32)
        table = self.space.level_table[self.choices]
        option = jnp.minimum(option, jnp.asarray(self.counts - 1)[None])  # where odds sum to just below 1
        units = jnp.asarray(table)[np.arange(len(self.choices), dtype=np.int32)[None], option]
        sample = jnp.concatenate([x, units], axis=1)[:, self._back]
        point = legal(legal_key, self.space, sample)
        if self.space.constrained:  # for a draw that was moved, learn from its new position
            moved = jnp.any(point != self.space.canonical(sample), axis=1, keepdims=True)
            sample = jnp.where(moved, point, sample)
        return sample, point

    def steps(self, normal: Normal, sample: Array) -> Array:
        """Return the steps from the mean to samples, in units of sigma: [N, D] -> [N, n].

        A step that is longer than a typical draw, as to a configuration of the user, is shortened.
        """
        n = len(self.normal)
        step = (sample[:, self.normal] - normal.mean[None]) / (normal.sigma * self.stretch(normal))[None]
        length = jnp.sqrt(jnp.sum(cma.whitened(normal, step) ** 2, axis=1, keepdims=True))
        longest = n**0.5 + 2 * n / (n + 2)
        return step * jnp.minimum(1.0, longest / jnp.maximum(length, 1e-30))

    def learned(self, odds: Array, sample: Array, weight: Array, rate: float) -> Array:
        """Return odds moved towards the options of samples: [m, L], [N, D], [N] weights that sum to 1 -> [m, L]."""
        dimensions = list(self.space.values())
        levels = [dimensions[i].to_level(sample[:, i]) for i in self.choices]
        if not levels:
            return odds
        chosen = jax.nn.one_hot(jnp.stack(levels, axis=1), odds.shape[1], dtype=jnp.float32)
        odds = odds + rate * (jnp.sum(weight[:, None, None] * chosen, axis=0) - odds)
        # Raise probabilities to their margins, and take the excess from the others in proportion.
        least = jnp.asarray(self.least)
        odds = jnp.maximum(odds, least)
        spare = odds - least
        excess = jnp.sum(odds, axis=1, keepdims=True) - 1
        return odds - excess * spare / jnp.maximum(jnp.sum(spare, axis=1, keepdims=True), 1e-30)

    def settled(self, normal: Normal, odds: Array, tolerance: float) -> Array:
        """Return whether the distribution has converged: [] bool."""
        limit = np.where(self.floor > 0, self.floor, np.float32(tolerance))
        decided = jnp.max(odds, axis=1) >= 0.99 * (1 - jnp.sum(self.least, axis=1) + jnp.max(self.least, axis=1))
        return jnp.all(cma.spread(normal) <= limit) & jnp.all(decided)


def _widest_cell(dimension: Float | Int | Choice) -> float:
    """Return the width of the widest cell of a rounded dimension; 0 for a real number."""
    if dimension.continuous:
        return 0.0
    units = np.asarray(dimension.level_units, np.float64)
    if len(units) < 2:
        return 1.0 if len(units) else 0.0
    return float(np.diff(units).max())
