"""Networks with their first weights, as the configurations of a study that share a bucket: they take no training."""

from functools import cache
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np

import jaxhpo as jh
from jaxhpo.data import from_arrays
from jaxhpo.training import Trainer
from jaxhpo.training.step.learner import Masked
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.network import Network, own_scaling, scaling_of, size_of
from tests.training.small_models import Nnx


class Sloped(nn.Module):
    """A user's model with a whole number and a `Float` that also counts in evaluation."""

    classes: int
    width: int
    slope: float = 0.25

    @nn.compact
    def __call__(self, x):
        hidden = nn.leaky_relu(nn.Dense(self.width, name="hidden")(x), self.slope)
        return nn.Dense(self.classes, name="out")(hidden)


class Case(NamedTuple):
    model: str | type
    space: dict
    configs: list


SIZES = {"layers": jh.Int(1, 2), "units": jh.Choice((4, 16))}
CONFIGS = [{"layers": 1, "units": 4}, {"layers": 2, "units": 4}, {"layers": 1, "units": 16}, {"layers": 2, "units": 16}]
CASES = {
    "mlp": Case("mlp", SIZES, CONFIGS),
    "normed": Case("mlp", SIZES | {"norm": jh.Choice(("layer",))}, [c | {"norm": "layer"} for c in CONFIGS]),
    "piecewise": Case(
        "mlp",
        SIZES | {"representation": jh.Choice(("piecewise",))},
        [c | {"representation": "piecewise"} for c in CONFIGS],
    ),
    "represented": Case(
        "mlp",
        SIZES | {"representation": jh.Choice(("standard", "piecewise"))},
        [c | {"representation": ("piecewise", "standard")[i % 2]} for i, c in enumerate(CONFIGS)],
    ),
    "periodic": Case(
        "mlp",
        SIZES | {"representation": jh.Choice(("periodic",))},
        [c | {"representation": "periodic"} for c in CONFIGS],
    ),
    "cnn": Case("cnn", SIZES, CONFIGS),
    "growing": Case("cnn", SIZES | {"growth": jh.Choice((2,))}, [c | {"growth": 2} for c in CONFIGS]),
    "rnn": Case("rnn", SIZES | {"bidirectional": jh.Choice((True,))}, [c | {"bidirectional": True} for c in CONFIGS]),
    "dan": Case("dan", SIZES | {"bigrams": jh.Choice((2048,))}, [c | {"bigrams": 2048} for c in CONFIGS]),
    "sloped": Case(
        Sloped,
        {
            "optimizer": jh.Choice(("adam", "sgd")),
            "width": jh.Choice((3, 5)),
            "slope": jh.Float(0.0, 0.5, when={"optimizer": "adam"}),
        },
        [
            {"optimizer": "adam", "width": 3, "slope": 0.125},
            {"optimizer": "adam", "width": 3, "slope": 0.375},
            {"optimizer": "sgd", "width": 3},
            {"optimizer": "adam", "width": 5, "slope": 0.5},
        ],
    ),
    "nnx": Case(Nnx, {"depth": jh.Choice((1, 2))}, [{"depth": depth} for depth in (1, 2, 2, 1)]),
    "one target": Case("mlp", SIZES, CONFIGS),
}


@cache
def trainer_of(name):
    """Return a trainer of a case, on which nothing is trained."""
    case, random = CASES[name], np.random.default_rng(0)
    x = random.normal(size=(60, 5)).astype(np.float32) * 3 + 1
    labels = np.array(["low", "mid", "high"])[np.arange(60) % 3]
    if case.model == "cnn":
        data = from_arrays(random.integers(0, 17, (60, 8, 8)), labels)
    elif case.model in ("rnn", "dan"):
        texts = [" ".join(random.choice(["good", "bad"], n)) for n in random.integers(1, 9, 60)]
        data = from_arrays(texts, labels, text=jh.data.TextOptions(length=8))
    elif name in ("one target", "nnx"):
        y = np.stack([50 + 10 * x[:, 0], x[:, 1] - 7], 1)
        data = from_arrays(x, y[:, 0] if name == "one target" else y, task="regression")
    else:
        data = from_arrays(x, labels)
    space = jh.Space({"batch_size": jh.Choice((8,))} | case.space)
    return Trainer(data, case.model, space, epochs=1, lanes=2)


@cache
def first_weights(trainer, bucket):
    """Return what draws the first weights of a bucket's networks: key, hyperparameters -> params, statistics."""
    learner = trainer.family.learner(trainer.plan, bucket)
    shape = learner.input_shape(trainer.data.shape) if isinstance(learner, Masked) else trainer.data.shape
    example = np.zeros((1, *shape), np.float32)
    return jax.jit(lambda key, hyper: learner.start(key, example, hyper))


def networks_of(trainer, configs, *, alone=False):
    """Return a network of each configuration, as one of its bucket, or `alone` in its own size."""
    family, plan, found = trainer.family, trainer.plan, []
    for seed, config in enumerate(configs):
        config = {"batch_size": 8} | config
        hyper = family.hyper(trainer.space.from_config(config))
        structure = family.structure(config)
        bucket = plan.bucket_of(structure.units, structure.layers, structure.program or structure.variant)
        params, statistics = first_weights(trainer, bucket)(jax.random.key(seed), hyper)
        part = family.alone if alone else family.member
        learner, params, made, *size = part(plan, bucket, config, params)
        size = size[0] if size else size_of(learner)
        arrays = jax.tree.map(np.asarray, (params, statistics))
        scaling = own_scaling(learner, scaling_of(trainer.data, family.ranges.quantiles))
        found.append(Network(config, *arrays, scaling, learner, made, size))
    return tuple(found)


def spec_of(trainer):
    """Return the spec of a trainer's data."""
    return DataSpec.of(trainer.data)
