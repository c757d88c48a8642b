"""Perturbation of the hyperparameters of a training that continues."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.evolution.variation import Variation
from jaxhpo.space import Float, Space
from jaxhpo.types import Array, Key

_FACTORS = 0.8, 1.2  # factors for a continuous value
_STEP = 0.05  # average step of other ordered hyperparameters, as a fraction of the range; it is at least one level


class Perturbation:
    """Perturbs some hyperparameters of a space.

    Args:
        space: Search space.
        names: Hyperparameters to perturb; the others stay unchanged.
        resample: Share of the perturbations that draw a new value.
    """

    def __init__(self, space: Space, names: tuple[str, ...], resample: float):
        self._space, self._resample = space, resample
        self._varies = np.array([name in names for name in space])
        self._real = np.array([dimension.continuous for dimension in space.values()])
        # Multiplying a value by a factor is a linear function of the unit coordinate: [2, D] each, down and up.
        lines = [[_line(dimension, factor) for dimension in space.values()] for factor in _FACTORS]
        self._slope, self._shift = np.moveaxis(np.array(lines, np.float32), -1, 0)
        self._variation = Variation(space, _STEP, 1 - resample)

    def perturb(self, key: Key, point: Array) -> Array:
        """Return legal points with every explored hyperparameter changed: [N, D] canonical -> [N, D] canonical.

        A point stays unchanged if the result would violate a constraint or change another hyperparameter.
        """
        side_key, kind_key, value_key, other_key = jax.random.split(key, 4)
        up = jax.random.bernoulli(side_key, 0.5, point.shape)
        slope = jnp.where(up, jnp.asarray(self._slope)[1:], jnp.asarray(self._slope)[:1])
        shift = jnp.where(up, jnp.asarray(self._shift)[1:], jnp.asarray(self._shift)[:1])
        scaled = jnp.clip(point * slope + shift, 0.0, 1.0)
        anew = jax.random.uniform(kind_key, point.shape, jnp.float32) < self._resample
        scaled = jnp.where(anew, jax.random.uniform(value_key, point.shape, jnp.float32), scaled)
        other = self._variation.others(other_key, point)
        varies = jnp.asarray(self._varies)[None]
        child = jnp.where(varies, jnp.where(jnp.asarray(self._real)[None], scaled, other), point)
        child = self._space.canonical(child)
        whole = jnp.all(varies | (child == point), axis=1) & self._space.feasible(child)
        if self._space.conditional:
            whole = whole & jnp.all(self._space.active(child) == self._space.active(point), axis=1)
        return jnp.where(whole[:, None], child, point)


def _line(dimension: object, factor: float) -> tuple[float, float]:
    """Return the slope and the shift that multiply a continuous value by a factor; for other dimensions 1 and 0."""
    if not isinstance(dimension, Float) or not dimension.continuous:
        return 1.0, 0.0
    if dimension.log:
        return 1.0, math.log(factor) / math.log(dimension.high / dimension.low)
    return factor, dimension.low * (factor - 1) / (dimension.high - dimension.low)
