"""What names of hyperparameters mean, and the numbers that their values become."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.priors.hyperparameter_features import features, meaning_of, read
from jaxhpo.space import Choice, Float, Int, Space
from tests.algorithms.priors import KINDS


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("learning_rate", "learning_rate"),
        ("lr", "learning_rate"),
        ("LR", "learning_rate"),
        ("Init_LR", "learning_rate"),
        ("batch", "batch_size"),
        ("alpha", "weight_decay"),
        ("l2", "weight_decay"),  # its number belongs to the name
        ("L2_reg", "weight_decay"),
        ("l2_1", "weight_decay"),
        ("depth", "layers"),
        ("units_1", "units"),
        ("n_units_12", "units"),
        ("Channels3", "units"),
        ("dropout_rate2", "dropout"),
        ("optim", "optimizer"),
        ("momentum", "momentum"),
        ("l1", None),
        ("x1", None),
        ("1", None),
        ("units_a", None),
        ("my_lr", None),
        ("activation", None),
    ],
)
def test_names(name, meant):
    assert meaning_of(name) == meant


def test_what_training_understands_under_several_names_means_the_same():
    from jaxhpo.training import ALIASES, DEFAULTS

    assert {name for name in DEFAULTS if meaning_of(name)} == {*KINDS, "l2"}
    for alias, name in ALIASES.items():
        assert meaning_of(alias) == meaning_of(name), alias


def feature(name, *values):
    """Return the features, all of one kind, that values of a hyperparameter have."""
    space = Space({name: Choice(values)})
    point = np.stack([space.from_config({name: value}) for value in values])
    made = features(read(space), space, point, np)
    assert made.dtype == np.float32
    place = KINDS.index(meaning_of(name))
    assert not np.delete(made, place, axis=1).any()
    return made[:, place].tolist()


@pytest.mark.parametrize(
    ("name", "values", "features"),
    [
        ("learning_rate", (1e-2, 10**-0.8, 10**-3.2, 1e-12, 1e6), (0, 1, -1, -4, 4)),
        ("batch_size", (64, 128, 16, 1), (1 / 3, 1, -1, -11 / 3)),
        ("momentum", (0.0, 0.9, 0.99, 0.9999), (-1, 1, 3, 4)),
        ("weight_decay", (1e-2, 1e-5, 0.0), (1, -1, -7 / 3)),
        ("layers", (1, 4, 64), (-1.25, 1.25, 4)),
        ("units", (32, 256, 1), (0, 3 / 1.3, -5 / 1.3)),
        ("dropout", (0.3, 0.5, 0.0), (0, 1, -1.5)),
        ("optimizer", ("adam", "AdamW", "sgd", "momentum", "other"), (1, 1, -1, -1, 0)),
    ],
)
def test_features_by_hand(name, values, features):
    np.testing.assert_allclose(feature(name, *values), features, atol=1e-6)


def test_a_range_is_read_along_its_way():
    space = Space({"lr": Float(1e-4, 1e-1, log=True), "momentum": Float(0.0, 0.99), "other": Int(1, 3)})
    point = np.random.default_rng(0).uniform(size=(50, 3)).astype(np.float32)
    point[0], point[1] = 0.0, 1.0
    made = features(read(space), space, point, np)
    np.testing.assert_allclose(made[:, 0], (-4 + 3 * point[:, 0] + 2) / 1.2, atol=2e-3)
    np.testing.assert_allclose(made[:, 2], -2 * np.log10(1 - 0.99 * point[:, 1]) - 1, atol=5e-2)
    assert not np.delete(made, [0, 2], axis=1).any()
    np.testing.assert_array_equal(features(read(space), space, jnp.asarray(point), jnp), made)


def test_of_several_of_one_kind_the_mean_counts():
    space = Space({"units_1": Choice((32, 128)), "lr": Choice((1e-2,)), "units_2": Choice((8, 32))})
    meant = read(space)
    made = features(meant, space, space.from_config({"units_1": 128, "lr": 1e-2, "units_2": 8})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], (2 / 1.3 - 2 / 1.3) / 2, atol=1e-6)
    made = features(meant, space, space.from_config({"units_1": 32, "lr": 1e-2, "units_2": 8})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], (0 - 2 / 1.3) / 2, atol=1e-6)


@pytest.mark.parametrize(
    "dimensions",
    [
        {"units": Choice(("few", "many"))},
        {"units": Choice((8, "many"))},
        {"dropout": Choice((False, True))},
        {"momentum": Choice((None, 0.9))},
        {"optimizer": Int(0, 3)},
        {"optimizer": Float(0.0, 1.0)},
        {"x1": Float(0.0, 1.0), "kind": Choice(("a", "b"))},
    ],
)
def test_what_says_nothing_is_not_read(dimensions):
    assert read(Space(dimensions)) == []


def test_what_is_not_read_takes_no_part_in_the_mean():
    space = Space({"units_1": Choice((32, 128)), "units_2": Choice(("few", "many"))})
    made = features(read(space), space, space.from_config({"units_1": 128, "units_2": "few"})[None], np)
    np.testing.assert_allclose(made[0, KINDS.index("units")], 2 / 1.3, atol=1e-6)
