"""Small models of every kind, and data that each can take."""

from itertools import pairwise
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
from flax import nnx

import jaxhpo as jh
from jaxhpo.data import TextOptions, from_arrays
from jaxhpo.training import Trainer
from jaxhpo.types import Proposal

WORDS = ("good", "fine", "bad", "poor")


class Linen(nn.Module):
    classes: int
    width: int
    activation: str
    dropout: float

    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(self.width)(x.reshape(len(x), -1)))
        x = nn.Dropout(self.dropout, deterministic=not train)(getattr(nn, self.activation)(x))
        return nn.Dense(self.classes)(x)


class Nnx(nnx.Module):
    def __init__(self, shape, outputs, depth, rngs):
        sizes = [*shape, *[6] * depth]
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in pairwise(sizes)])
        self.norm, self.out = nnx.BatchNorm(6, rngs=rngs), nnx.Linear(6, outputs, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.out(self.norm(x))


class Case(NamedTuple):
    model: str | type
    config: dict
    space: dict


TRAINS = {"learning_rate": jh.Choice((0.02, 0.05)), "batch_size": jh.Choice((16,))}
NARROW = {"layers": 1, "units": 4}
SIZES = {"layers": jh.Int(1, 2), "units": jh.Choice((4, 16))}
CASES = {
    "mlp": Case("mlp", NARROW, SIZES),
    "cnn": Case("cnn", NARROW, SIZES),
    "rnn": Case("rnn", NARROW | {"cell": "lstm"}, SIZES | {"cell": jh.Choice(("lstm",))}),
    "dan": Case("dan", NARROW | {"bigrams": 2048}, SIZES | {"bigrams": jh.Choice((2048,))}),
    "one target": Case("mlp", NARROW, SIZES),
    "targets": Case("mlp", NARROW, SIZES),
    "linen": Case(
        Linen,
        {"width": 8, "activation": "gelu", "dropout": 0.25},
        {"width": jh.Choice((8,)), "activation": jh.Choice(("relu", "gelu")), "dropout": jh.Float(0.0, 0.5)},
    ),
    "nnx": Case(Nnx, {"depth": 2}, {"depth": jh.Choice((2,))}),
}


def reviews(n, seed):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, 12, n)
    return [" ".join(random.choice(WORDS, length)) for length in lengths]


def dataset_of(name, small_digits):
    random = np.random.default_rng(0)
    if name == "cnn":
        return small_digits
    if name in ("rnn", "dan"):
        texts = reviews(200, 0)
        labels = ["up" if sum(t.count(w) for w in WORDS[:2]) * 2 > len(t.split()) else "down" for t in texts]
        return from_arrays(texts, labels, text=TextOptions(length=10, keep="last"))
    x = random.normal(size=(200, 5)).astype(np.float32) * 3 + 1
    if name in ("one target", "targets", "nnx"):
        y = np.stack([50 + 10 * x[:, 0], x[:, 1] * x[:, 2] - 7], 1)
        return from_arrays(x, y[:, 0] if name == "one target" else y, task="regression")
    return from_arrays(x, np.array(["low", "mid", "high"])[np.digitize(x[:, 0], [0, 2])])


def train(name, space, small_digits, *, epochs):
    """Return a trainer, and its state after a case's configuration was trained as trial 1, beside a lane of padding."""
    case = CASES[name]
    trainer = Trainer(dataset_of(name, small_digits), case.model, jh.Space(TRAINS | space), epochs=epochs, lanes=2)
    config = {"learning_rate": 0.05, "batch_size": 16} | case.config
    point, ones = np.stack([trainer.space.from_config(config)] * 2), np.ones(2, np.int32)
    lanes = Proposal(point, epochs * ones, -ones, np.array([False, True]), np.array([-1, 1], np.int32))
    start = trainer.objective.init(jax.random.key(0))
    state, outcome = trainer.objective.evaluate(jax.random.key(0), start, lanes)
    assert np.isfinite(outcome.score[1])
    return trainer, state


def own(name):
    """Return a case's model where it is a user's own."""
    return CASES[name].model if name in ("linen", "nnx") else None


def assert_same(a, b):
    """Check that two trees of arrays are equal bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
