"""A hyperparameter that is inactive in a configuration is what it is where a space leaves it out."""

import flax.linen as nn
import jax
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Trainer
from jaxhpo.types import Proposal

ON = {"layers": 1}  # in no configuration here
NAMED = {
    "optimizer": Choice(("sgd", "momentum", "adamw")),
    "layers": Int(1, 2),
}
RULED = Space(
    NAMED
    | {
        "learning_rate": Float(0.2, 0.3, when=ON),
        "batch_size": Choice((16, 32), when=ON),
        "units": Choice((8, 16), when=ON),
        "l1": Float(0.1, 0.2, when=ON),
        "dropout": Float(0.5, 0.6, when=ON),
        "momentum": Float(0.1, 0.2, when=ON),
        "weight_decay": Float(0.1, 0.2, when=ON),
        "schedule": Choice(("cosine", "one_cycle"), when=ON),
        "warmup": Float(0.4, 0.5, when=ON),
        "clip": Float(1e-4, 1e-3, when=ON),
        "label_smoothing": Float(0.4, 0.5, when=ON),
        "activation": Choice(("tanh", "gelu"), when=ON),
    }
)
CONFIGS = [{"optimizer": name, "layers": 2} for name in ("sgd", "momentum", "adamw")]


def train(data, space, configs, model="mlp", epochs=2):
    trainer = Trainer(data, model, space, epochs=epochs, lanes=len(configs))
    fresh = np.full(len(configs), -1, np.int32)
    point = np.stack([space.from_config(config) for config in configs])
    budget, trial = np.full(len(configs), epochs, np.int32), np.arange(len(configs), dtype=np.int32)
    key = jax.random.key(0)
    state = trainer.objective.init(key)
    return trainer.objective.evaluate(key, state, Proposal(point, budget, fresh, fresh < 0, trial))[1]


@pytest.mark.slow
def test_all_of_them_are_what_training_takes_without_them(small_digits):
    # More lanes share the program, and the network is drawn wider: but its weights are those of the narrow one.
    without = Space(NAMED | {"units": Choice((8, 16, 32)), "batch_size": Choice((16, 64))})
    expected = train(small_digits, without, [c | {"units": 32, "batch_size": 64} for c in CONFIGS])
    found = train(small_digits, RULED, CONFIGS)
    np.testing.assert_allclose(found.aux["loss"], expected.aux["loss"], rtol=1e-5)
    np.testing.assert_array_equal(found.score, expected.score)


@pytest.mark.slow
def test_the_optimizer_itself_may_be_inactive(small_digits):
    ruled = Space({"layers": Int(1, 2), "optimizer": Choice(("sgd", "momentum"), when=ON)})
    found = train(small_digits, ruled, [{"layers": 2}, {"layers": 1, "optimizer": "momentum"}])
    adam = train(small_digits, Space({"layers": Int(1, 2)}), [{"layers": 2}])
    np.testing.assert_allclose(found.aux["loss"][:1], adam.aux["loss"], rtol=1e-5)


def test_the_default_must_go_with_the_others(small_digits):
    space = Space({"layers": Int(1, 2), "batch_size": Choice((48, 96), when=ON)})
    with pytest.raises(ValueError, match="space batch_size: 64 is not among multiples of the smallest, 48"):
        Trainer(small_digits, "mlp", space)


class Net(nn.Module):
    depth: int
    width: int = 16
    slope: float = 0.3
    classes: int = 10

    @nn.compact
    def __call__(self, x):
        x = x.reshape(len(x), -1)
        for _ in range(self.depth):
            x = nn.leaky_relu(nn.Dense(self.width)(x), self.slope)
        return nn.Dense(self.classes)(x)


OWN = Space(
    {
        "depth": Int(1, 2),
        "width": Choice((8, 32), when={"depth": 1}),
        "slope": Float(0.0, 0.1, when={"depth": 1}),
    }
)


@pytest.mark.slow
def test_a_model_of_ones_own_takes_its_own_defaults(small_digits):
    found = train(small_digits, OWN, [{"depth": 2}], Net)
    expected = train(small_digits, Space({"depth": Choice((2,))}), [{"depth": 2}], Net)
    np.testing.assert_allclose(found.aux["loss"], expected.aux["loss"], rtol=1e-5)


def test_only_forms_that_can_be_are_planned(small_digits):
    forms = [dict(bucket.variant.built_with) for bucket in Trainer(small_digits, Net, OWN).plan.buckets]
    assert sorted((own["depth"], own.get("width", 0)) for own in forms) == [(1, 8), (1, 32), (2, 0)]


def needy(depth, width, slope=None):
    return Net(depth, width, slope or 0.0)


@pytest.mark.parametrize(
    ("name", "dimension", "message"),
    [
        (
            "width",
            Choice((8, 16), when={"depth": 1}),
            "space has 'width', which may be inactive, but the model's 'width'",
        ),
        ("slope", Float(0, 1, when={"depth": 1}), "the model's default of it is None; make that a number"),
    ],
)
def test_a_model_without_a_default_is_refused(small_digits, name, dimension, message):
    space = Space({"depth": Int(1, 2), "width": Choice((8,))} | {name: dimension})
    with pytest.raises(ValueError) as error:
        Trainer(small_digits, needy, space)
    assert message in str(error.value)


@pytest.mark.slow
def test_a_study_from_end_to_end(small_digits, tmp_path):
    space = Space(
        {
            "learning_rate": Float(1e-3, 1e-1, log=True, levels=5),
            "optimizer": Choice(("sgd", "momentum")),
            "momentum": Float(0.5, 0.99, levels=4, when={"optimizer": "momentum"}),
            "layers": Int(1, 2),
            "units": Choice((8, 16)),
        },
        constraints=["units * layers <= 16", "optimizer == 'sgd' or momentum * learning_rate < 0.08"],
    )
    study = jh.tune(
        small_digits,
        model="mlp",
        space=space,
        trials=12,
        lanes=4,
        epochs=2,
        final_fit=1,
        output=tmp_path / "j",
        cache=False,
    )
    trials = study.trials
    assert (trials["momentum"].isna() == (trials["optimizer"] == "sgd")).all()
    assert (trials["units"] * trials["layers"] <= 16).all()
    assert trials["score"].notna().all()
    assert set(study.final.config) == set(study.best.config)
    assert study.best_model().predict(small_digits.x_test[:2]).shape == (2,)
    assert ("momentum" in study.best.config) == (study.best.config["optimizer"] == "momentum")
