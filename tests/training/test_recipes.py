"""Schedules, clipping, smoothing, decay and momentum inside a lane equal plain Flax and optax; so do engines."""

import jax
import numpy as np
import pytest

from jaxhpo.models import Variant
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.planning.plan import Bucket
from tests.training.test_equivalence import data_of, run, train_alone, worst_difference

EPOCHS, BATCH = 8, 32  # 40 updates, so that a quarter is a whole number
SPACE = Space(
    {
        "learning_rate": Choice((0.0625, 0.00390625)),
        "batch_size": Choice((16, 32)),
        "units": Choice((8, 16)),
        "optimizer": Choice(("sgd", "momentum", "adamw")),
        "momentum": Choice((0.5, 0.75)),
        "weight_decay": Choice((0.0, 0.125)),
        "schedule": Choice(("constant", "cosine", "one_cycle")),
        "warmup": Choice((0.0, 0.25)),
        "clip": Choice((0.0, 0.5)),
        "label_smoothing": Choice((0.0, 0.125)),
    }
)
COMMON = {"batch_size": BATCH, "layers": 2, "units": 8, "l1": 0.0, "l2": 0.0, "dropout": 0.0}
RECIPES = [
    ("momentum", 0.0625, 0.5, 0.125, "cosine", 0.25, 0.5, 0.125),
    ("momentum", 0.0625, 0.75, 0.0, "one_cycle", 0.25, 0.0, 0.0),
    ("adamw", 0.00390625, 0.75, 0.125, "one_cycle", 0.0, 0.5, 0.125),
    ("adamw", 0.00390625, 0.5, 0.0, "constant", 0.25, 0.0, 0.125),
    ("sgd", 0.0625, 0.5, 0.125, "cosine", 0.0, 0.5, 0.0),
]
NAMES = ("optimizer", "learning_rate", "momentum", "weight_decay", "schedule", "warmup", "clip", "label_smoothing")
CONFIGS = [COMMON | dict(zip(NAMES, recipe, strict=True)) for recipe in RECIPES]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_recipe_equals_plain_optax(engine, small_digits):
    key = jax.random.key(3)
    own = [{name: config[name] for name in SPACE} for config in CONFIGS]
    with jax.enable_x64(True):
        data = data_of(small_digits, "float64")
        trainer = Trainer(small_digits, "mlp", SPACE, epochs=EPOCHS, machine=Machine(engine=engine), checkpoint="last")
        size = 1 if engine == "threads" else len(CONFIGS)
        trainer.plan = trainer.plan._replace(buckets=(Bucket(16, 2, Variant(), (16,), size, 0),))
        starts = run(trainer, own, key, data, [0] * len(own))
        results = run(trainer, own, key, data, [EPOCHS] * len(own))
        most = EPOCHS * (len(small_digits.y_train) // BATCH)
        references = train_alone("mlp", small_digits, data, key, CONFIGS, starts, most)
        for config, result, (params, losses) in zip(CONFIGS, results, references, strict=True):
            assert result.updates == most
            # A schedule's factor is a float32.
            assert worst_difference(config, result.params, params) < 2e-6, config
            per_epoch = np.mean(np.reshape(losses, (EPOCHS, -1)), axis=1)
            np.testing.assert_allclose(result.loss, per_epoch, rtol=1e-5)


AUGMENTED = Space(
    {
        "layers": Choice((1,)),
        "units": Choice((4, 8)),
        "crop": Int(0, 2),
        "flip": Float(0.0, 0.5, levels=2),
        "cutout": Choice((0, 3)),
        "norm": Choice(("group",)),
        "batch_size": Choice((16, 32)),
    }
)


@pytest.mark.slow
def test_augmented_lanes_are_the_same_whatever_the_engine(small_digits):
    key = jax.random.key(3)
    rng = np.random.default_rng(0)
    configs = [AUGMENTED.to_config(rng.random(len(AUGMENTED)).astype(np.float32)) for _ in range(4)]
    configs[0] |= {"crop": 0, "flip": 0.0, "cutout": 0}
    configs[1] = configs[0] | {"crop": 2}
    results = {}
    with jax.enable_x64(True):
        data = data_of(small_digits, "float64")
        for engine in ("threads", "vmap"):
            trainer = Trainer(
                small_digits, "cnn", AUGMENTED, epochs=2, machine=Machine(engine=engine), checkpoint="last"
            )
            results[engine] = run(trainer, configs, key, data, [2] * len(configs))
    for left, right in zip(results["threads"], results["vmap"], strict=True):
        np.testing.assert_allclose(left.loss, right.loss, rtol=1e-6)
        assert left.score == right.score
    losses = [float(r.loss[1]) for r in results["threads"]]
    assert losses[0] != losses[1]  # augmentation does something
