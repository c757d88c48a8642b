"""A user's models for the tests, the same in linen and nnx, and what trains them."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxhpo.types import FRESH, Proposal


class Net(nn.Module):
    """One hidden layer, with batch norm where it is 12 units wide."""

    width: int
    rate: Any = 0.0
    classes: int = 10

    @nn.compact
    def __call__(self, x, train):
        norm, dtype = self.width == 12, x.dtype
        x = x.reshape(len(x), -1)
        x = nn.Dense(self.width, use_bias=not norm, param_dtype=dtype)(x)
        if norm:
            x = nn.BatchNorm(use_running_average=not train, momentum=0.9, param_dtype=dtype)(x)
        x = nn.Dropout(self.rate, deterministic=not train)(nn.relu(x))
        return nn.Dense(self.classes, param_dtype=dtype)(x)


class NnxNet(nnx.Module):
    """The same."""

    def __init__(self, width, rate=0.0, classes=10, *, dtype=jnp.float32, rngs):
        self.norm = width == 12
        self.hidden = nnx.Linear(64, width, use_bias=not self.norm, param_dtype=dtype, rngs=rngs)
        if self.norm:
            self.batch = nnx.BatchNorm(width, momentum=0.9, param_dtype=dtype, rngs=rngs)
        self.drop = nnx.Dropout(rate, rngs=rngs)
        self.out = nnx.Linear(width, classes, param_dtype=dtype, rngs=rngs)

    def __call__(self, x):
        x = self.hidden(x.reshape(len(x), -1))
        x = self.batch(x) if self.norm else x
        return self.out(self.drop(nnx.relu(x)))


class Ones(nn.Module):
    """Drops ones; whatever its one weight is."""

    rate: float

    @nn.compact
    def __call__(self, x, *, deterministic):
        ones = jnp.ones((len(x), 1000)) + 0 * self.param("w", nn.initializers.zeros, ())
        return nn.Dropout(self.rate)(ones, deterministic=deterministic)


class NnxOnes(nnx.Module):
    """The same."""

    def __init__(self, rate, *, rngs):
        self.w, self.drop = nnx.Param(jnp.zeros(())), nnx.Dropout(rate, rngs=rngs)

    def __call__(self, x):
        return self.drop(jnp.ones((len(x), 1000)) + 0 * self.w[...])


def proposal(space, configs, budget, trials=None):
    lanes = len(configs)
    trials = np.arange(lanes) if trials is None else np.asarray(trials)
    point = np.stack([space.from_config(config) for config in configs])
    full = np.full(lanes, budget, np.int32)
    return Proposal(point, full, np.full(lanes, FRESH, np.int32), np.ones(lanes, bool), trials.astype(np.int32))


def train(trainer, configs, *, budget, key=7):
    """Return each configuration's result."""
    key = jax.random.key(key)
    data = trainer.objective.init(key).data
    results = {}

    def done(launch, result):
        for i, lane in enumerate(launch.lanes.tolist()):
            results[lane] = jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), result)

    trainer.train(key, data, proposal(trainer.space, configs, budget), done)
    return [results[lane] for lane in range(len(configs))]


def assert_same(a, b):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(left, right)
