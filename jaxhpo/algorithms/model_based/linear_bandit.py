"""What the bandits share: arms that are the configurations of a grid, and a linear model of their rewards.

Every level of a hyperparameter has a vector: levels with an order have similar ones where they are near, options
without an order have orthogonal ones. An arm's embedding e, of length 1, joins those of its levels, and two arms are
correlated by exp(-sharpness |e - e'|^2 / 2). So the model is linear in all products of levels' vectors, of any number
of hyperparameters at once, and is written in its dual form (Rasmussen & Williams 2006, 2.2): no hyperparameter of it
is fitted, and an ask factors one matrix of C x C, told trials by told trials.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri

from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import legal, ordered
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

SHARPNESS = 3.0  # 1 is almost additive, 12 knows hardly more than neighbours
NOISE = 0.01  # variance of a reward about the model, whose own is 1
_REACH = 0.3  # over which share of an ordered dimension levels are similar
_KEPT = 0.999  # of the variance of a dimension's levels, in the vectors' lengths
_ELITE = 8  # best told arms whose neighbours are looked at


class Posterior(NamedTuple):
    """The model, given the told trials; C of them at most."""

    seen: Array  # [C, R] float32: their embeddings
    there: Array  # [C] bool: False for an empty row
    reward: Array  # [C] float32
    whitener: Array  # [C, C] float32: the inverse of the lower Cholesky factor of their covariance, noise included


class Arms:
    """The arms of a space; raises ValueError naming the first dimension that has no levels.

    `count` arms are looked at in an ask: all of them where there are at most twice so many, else a sample, half of it
    drawn uniformly, half of it neighbours of the best eight told.
    """

    def __init__(self, space: Space, method: str, count: int, sharpness: float = SHARPNESS, noise: float = NOISE):
        self.space, self.count, self.sharpness, self.noise = space, count, sharpness, noise
        self.sizes = np.array(space.require_levels(method), np.int32)
        self.order = ordered(space)
        self.vectors = [_vectors(n, o) / np.sqrt(len(space)) for n, o in zip(self.sizes, self.order, strict=True)]
        self.total = int(np.prod(self.sizes.astype(object)))
        self.whole = _grid(self.sizes) if self.total <= 2 * count else None  # [A, D] int32
        strides = np.cumprod([1, *self.sizes[:0:-1].astype(object)], dtype=object)[::-1]
        if self.total >= 2**31:
            # Hashed: in 2^32 values two of a few hundred arms hardly ever meet, and then one waits for another ask.
            strides = np.random.default_rng(0).integers(-(2**30), 2**30, len(space)) * 2 + 1
        self.strides = strides.astype(np.int32)

    def embed(self, levels: Array) -> Array:
        """Return arms' embeddings: [N, D] int32 -> [N, R]."""
        rows = [jnp.asarray(v.astype(np.float32))[levels[:, d]] for d, v in enumerate(self.vectors)]
        return jnp.concatenate(rows, axis=1)

    def correlation(self, one: Array, other: Array) -> Array:
        """Return the correlations of embeddings: [N, R] and [M, R] -> [N, M]."""
        return jnp.exp(self.sharpness * (jnp.matmul(one, other.T, precision="highest") - 1.0))

    def names(self, levels: Array) -> Array:
        """Return arms as numbers: [N, D] int32 -> [N] int32."""
        return jnp.sum(levels * self.strides[None], axis=1, dtype=jnp.int32)

    def told(self, history: History, name: Array) -> Array:
        """Return which arms have been told: [N] int32 -> [N] bool."""
        same = self.names(self.space.to_levels(history.point))[:, None] == name[None]
        return jnp.any(same & histories.filled(history)[:, None], axis=0)

    def sample(self, key: Key, history: History) -> tuple[Array, Array]:
        """Return the arms to look at: legal points, [N, D] float32, and their levels, [N, D] int32."""
        draw_key, legal_key = jax.random.split(key)
        levels = self._drawn(draw_key, history) if self.whole is None else jnp.asarray(self.whole)
        point = self.space.from_levels(levels)
        if not (self.space.conditional or self.space.constrained):
            return point, levels
        point = legal(legal_key, self.space, point, grid=True)
        return point, self.space.to_levels(point)

    def _drawn(self, key: Key, history: History) -> Array:
        width, near = len(self.sizes), self.count // 2
        drawn, moves = self.count - near, 2
        # One draw for all, as every generator takes its time to compile; and of 16 bits, which is half the work.
        unit = jax.random.bits(key, (drawn * width + near * moves * 3,), jnp.uint16).astype(jnp.float32) / 65536.0
        anywhere = unit[: drawn * width].reshape(drawn, width) * self.sizes[None].astype(np.float32)
        unit = unit[drawn * width :].reshape(near, moves, 3)
        best = jnp.argsort(jnp.where(histories.succeeded(history), -history.score, jnp.inf))[:_ELITE]
        good = jnp.sum(histories.succeeded(history), dtype=jnp.int32)
        row = jnp.arange(near, dtype=jnp.int32) % jnp.clip(good, 1, _ELITE)
        levels = self.space.to_levels(history.point[best])[row]
        for move in range(moves):
            levels = self._moved(levels, unit[:, move])
        return jnp.concatenate([jnp.floor(anywhere).astype(jnp.int32), levels])

    def _moved(self, levels: Array, unit: Array) -> Array:
        """Return levels with one of each row changed: to the next or, where there is no order or else, to any other."""
        sizes = jnp.asarray(self.sizes)[None]
        dimension = jnp.floor(unit[:, 0] * len(self.sizes)).astype(jnp.int32)
        changes = dimension[:, None] == jnp.arange(len(self.sizes), dtype=jnp.int32)[None]
        other = jnp.floor(unit[:, 1, None] * (sizes - 1).astype(jnp.float32)).astype(jnp.int32)
        other = (levels + 1 + jnp.minimum(other, jnp.maximum(sizes - 2, 0))) % sizes
        step = jnp.where(unit[:, 2] < 0.25, -1, 1).astype(jnp.int32)[:, None]
        # At an end the step goes the other way; a dimension of one level stays.
        inside = (levels + step >= 0) & (levels + step < sizes)
        stepped = jnp.clip(jnp.where(inside, levels + step, levels - step), 0, sizes - 1)
        steps = (unit[:, 2, None] < 0.5) & self.order[None]
        return jnp.where(changes, jnp.where(steps, stepped, other), levels)

    def posterior(self, history: History) -> Posterior:
        """Return the model given the told trials; the prior has mean 0 and variance 1, and so have the rewards."""
        there = histories.filled(history)
        seen = self.embed(self.space.to_levels(history.point))
        known = there[:, None] & there[None]
        covariance = jnp.where(known, self.correlation(seen, seen), 0.0)
        # An empty row is a trial of its own, correlated to none.
        covariance = covariance + jnp.diag(jnp.where(there, jnp.float32(self.noise), 1.0))
        whitener = cholesky.inverse(jnp.linalg.cholesky(covariance, symmetrize_input=False))
        return Posterior(seen, there, reward(history), whitener)

    def covariance(self, posterior: Posterior, embedding: Array) -> Array:
        """Return the prior covariance of told trials and arms: [N, R] -> [C, N]; 0 in empty rows."""
        return jnp.where(posterior.there[:, None], self.correlation(posterior.seen, embedding), 0.0)


def _grid(sizes: np.ndarray) -> np.ndarray:
    """Return all combinations of levels: [A, D] int32."""
    return np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1).astype(np.int32)


def reward(history: History) -> Array:
    """Return the normal scores of the trials' ranks, [C] float32: those of a large sample of a normal distribution.

    So a reward tells nothing of how much better a trial is, and no score, however bad, spoils the model. Failed
    trials have the worst rank; constant scores are all 0, and so are empty rows.
    """
    return ndtri(histories.ranks(history)).astype(jnp.float32)


def _vectors(size: int, has_order: bool) -> np.ndarray:
    """Return vectors of length 1 of a dimension's levels: [L, r] float64."""
    if not has_order:
        return np.eye(size)
    place = np.arange(size) / max(size - 1, 1)
    similar = np.exp(-((place[:, None] - place[None]) ** 2) / (2 * _REACH**2))
    values, axes = np.linalg.eigh(similar)
    values, axes = np.maximum(values[::-1], 0.0), axes[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(values), _KEPT * size)) + 1
    vectors = axes[:, :kept] * np.sqrt(values[:kept])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
