"""The arms of the bandits, which are the configurations of a grid, and a linear model of their rewards.

Every level of a hyperparameter has a vector. The vectors of near levels are similar if levels are ordered; the vectors
of unordered options are orthogonal. The embedding e of an arm, of length 1, joins the vectors of its levels, and two
arms have the correlation exp(-sharpness |e - e'|^2 / 2). So the model is linear in all products of the levels' vectors,
for any number of hyperparameters. It is written in its dual form (Rasmussen & Williams 2006, 2.2): no hyperparameter is
fitted, and an ask factors one C x C matrix over the told trials.
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

SHARPNESS = 3.0  # 1 is almost additive; with 12 an arm informs about its nearest neighbours only
NOISE = 0.01  # variance of the noise of a reward; the variance of the model is 1
_REACH = 0.3  # share of an ordered dimension over which levels are similar
_KEPT = 0.999  # share of the variance of a dimension's levels that their vectors keep
_ELITE = 8  # number of best told arms whose neighbours are candidates


class Posterior(NamedTuple):
    """The model conditioned on at most C told trials.

    Attributes:
        seen: Embeddings of the trials: [C, R] float32.
        there: Whether the row is filled: [C] bool.
        reward: Rewards: [C] float32.
        whitener: Inverse of the lower Cholesky factor of the rewards' covariance, with noise: [C, C] float32.
    """

    seen: Array
    there: Array
    reward: Array
    whitener: Array


class Arms:
    """The arms of a space.

    If there are at most twice `count` arms, all are candidates in an ask. Otherwise `count` arms are, half of them
    uniform draws, half neighbours of the best eight told arms.

    Args:
        space: Search space; every dimension needs levels.
        method: Name of the method in error messages.
        count: Number of candidates.
        sharpness: Rate at which the correlation of arms falls with the distance of their embeddings.
        noise: Variance of the noise of a reward.

    Raises:
        ValueError: if a dimension has no levels; the message names the first one.
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
            # Hashes: two of a few hundred arms rarely have the same one of 2^32 values; then one waits for another ask.
            strides = np.random.default_rng(0).integers(-(2**30), 2**30, len(space)) * 2 + 1
        self.strides = strides.astype(np.int32)

    def embed(self, levels: Array) -> Array:
        """Return the embeddings of arms: [N, D] int32 -> [N, R]."""
        rows = [jnp.asarray(v.astype(np.float32))[levels[:, d]] for d, v in enumerate(self.vectors)]
        return jnp.concatenate(rows, axis=1)

    def correlation(self, one: Array, other: Array) -> Array:
        """Return the correlations of embeddings: [N, R], [M, R] -> [N, M]."""
        return jnp.exp(self.sharpness * (jnp.matmul(one, other.T, precision="highest") - 1.0))

    def names(self, levels: Array) -> Array:
        """Return arms as numbers: [N, D] int32 -> [N] int32."""
        return jnp.sum(levels * self.strides[None], axis=1, dtype=jnp.int32)

    def told(self, history: History, name: Array) -> Array:
        """Return which arms have been told: [N] int32 -> [N] bool."""
        same = self.names(self.space.to_levels(history.point))[:, None] == name[None]
        return jnp.any(same & histories.filled(history)[:, None], axis=0)

    def sample(self, key: Key, history: History) -> tuple[Array, Array]:
        """Return the candidates as legal points, [N, D] float32, and their levels, [N, D] int32."""
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
        # One draw for everything, because random draws take long to compile; 16 bits halve the work.
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
        """Return levels with one level of each row changed: to the next one, or to any other one."""
        sizes = jnp.asarray(self.sizes)[None]
        dimension = jnp.floor(unit[:, 0] * len(self.sizes)).astype(jnp.int32)
        changes = dimension[:, None] == jnp.arange(len(self.sizes), dtype=jnp.int32)[None]
        other = jnp.floor(unit[:, 1, None] * (sizes - 1).astype(jnp.float32)).astype(jnp.int32)
        other = (levels + 1 + jnp.minimum(other, jnp.maximum(sizes - 2, 0))) % sizes
        step = jnp.where(unit[:, 2] < 0.25, -1, 1).astype(jnp.int32)[:, None]
        # At an end the step is reversed; a dimension of one level does not change.
        inside = (levels + step >= 0) & (levels + step < sizes)
        stepped = jnp.clip(jnp.where(inside, levels + step, levels - step), 0, sizes - 1)
        steps = (unit[:, 2, None] < 0.5) & self.order[None]
        return jnp.where(changes, jnp.where(steps, stepped, other), levels)

    def posterior(self, history: History) -> Posterior:
        """Return the model conditioned on the told trials. The prior has mean 0 and variance 1, like the rewards."""
        there = histories.filled(history)
        seen = self.embed(self.space.to_levels(history.point))
        known = there[:, None] & there[None]
        covariance = jnp.where(known, self.correlation(seen, seen), 0.0)
        # An empty row is independent of all others.
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
    """Return the normal scores of the trials' ranks, the quantiles of a normal distribution: [C] float32.

    A reward depends on the order of the scores only, so an extreme score does not spoil the model. Failed trials have
    the worst rank. Constant scores and empty rows have reward 0.
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
