import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import default_space

DIMENSIONS = {
    "learning_rate": Float(1e-4, 1e-1, log=True, levels=13),
    "units": Int(8, 128, log=True, levels=5),
    "layers": Int(1, 3),
    "optimizer": Choice(("sgd", "adam", None)),
    "batch_size": Choice((32, 64, 128)),
    "dropout": Float(0.0, 0.5),
}
SPACE = Space(DIMENSIONS)
CONFIG = {"learning_rate": 0.001, "units": 17, "layers": 2, "optimizer": None, "batch_size": 64, "dropout": 0.25}


def test_a_configuration_goes_there_and_back():
    point = SPACE.from_config(CONFIG)
    assert point.dtype == np.float32
    assert point.shape == (6,)
    assert SPACE.to_config(point) == CONFIG
    assert list(SPACE.to_config(point)) == list(DIMENSIONS)
    reordered = dict(reversed(CONFIG.items()))
    np.testing.assert_array_equal(SPACE.from_config(reordered), point)


@pytest.mark.slow
def test_decode_on_the_device():
    point = jnp.asarray(SPACE.from_config(CONFIG))
    values = jax.jit(SPACE.decode)(point)
    assert {name: v.dtype.name for name, v in values.items()} == {
        "learning_rate": "float32",
        "units": "int32",
        "layers": "int32",
        "optimizer": "int32",
        "batch_size": "int32",
        "dropout": "float32",
    }
    assert float(values["learning_rate"]) == np.float32(0.001)
    assert {k: int(v) for k, v in values.items() if v.dtype == np.int32} == {
        "units": 17,
        "layers": 2,
        "optimizer": 2,  # the index: not every option is a number
        "batch_size": 64,
    }
    batch = SPACE.decode(jnp.stack([point] * 5).reshape(5, 1, 6))
    assert all(v.shape == (5, 1) for v in batch.values())
    mapped = jax.vmap(SPACE.decode)(jnp.stack([point] * 5))
    np.testing.assert_array_equal(mapped["units"], [17] * 5)


def test_equal_configurations_are_equal_points():
    rng = np.random.default_rng(0)
    points = SPACE.canonical(jnp.asarray(rng.uniform(size=(200, 6)).astype(np.float32)))
    np.testing.assert_array_equal(SPACE.canonical(points), points)
    for point in np.asarray(points):
        again = SPACE.from_config(SPACE.to_config(point))
        np.testing.assert_array_equal(again[1:5], point[1:5])
        np.testing.assert_allclose(again, point, atol=1e-7)


points = st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6).map(np.float32)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=60)
@given(points)
def test_the_canonical_point_decodes_to_the_same_values(point):
    canonical = SPACE.canonical(jnp.asarray(point))
    np.testing.assert_array_equal(SPACE.canonical(canonical), canonical)
    before, after = SPACE.decode(jnp.asarray(point)), SPACE.decode(canonical)
    for name in SPACE:
        assert float(before[name]) == float(after[name]), name
    config = SPACE.to_config(canonical)  # the host's spelling of the device's values
    for name, dimension in SPACE.items():
        value = config[name]
        if isinstance(dimension, Choice) and not dimension.numeric:
            value = dimension.options.index(value)
        assert float(after[name]) == pytest.approx(value, rel=1e-5), name
    np.testing.assert_allclose(SPACE.from_config(config), canonical, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([1, 2], "config=[1, 2] must be a dict of hyperparameters"),
        ({}, "config lacks learning_rate, units, layers, optimizer, batch_size, dropout; give every"),
        ({k: v for k, v in CONFIG.items() if k != "units"}, "config lacks units; give every hyperparameter"),
        (CONFIG | {"momentum": 0.9}, "config has unknown momentum; the space has learning_rate, units"),
        (CONFIG | {"dropout": 0.6}, "config dropout: value 0.6 is outside [0.0, 0.5]"),
        (CONFIG | {"layers": 1.5}, "config layers: value 1.5 is not a whole number"),
        (CONFIG | {"layers": True}, "config layers: value=True is not a number"),
        (CONFIG | {"learning_rate": float("nan")}, "config learning_rate: value=nan is not finite"),
        (CONFIG | {"optimizer": "lion"}, "config optimizer: value 'lion' is not one of ['sgd', 'adam', None]"),
        (CONFIG | {"batch_size": "64"}, "config batch_size: value '64' is not one of [32, 64, 128]"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(ValueError) as error:
        SPACE.from_config(config)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_levels_there_and_back():
    grid = Space({k: v for k, v in DIMENSIONS.items() if k != "dropout"})
    assert grid.level_counts == (13, 5, 3, 3, 3)
    rng = np.random.default_rng(0)
    levels = jnp.asarray(np.stack([rng.integers(0, n, 500) for n in grid.level_counts], axis=1).astype(np.int32))
    points = grid.from_levels(levels)
    np.testing.assert_array_equal(grid.to_levels(points), levels)
    np.testing.assert_array_equal(grid.canonical(points), points)
    for row, point in zip(levels[:20], np.asarray(points), strict=False):
        expected = [d.level_values[i] for d, i in zip(grid.values(), row, strict=True)]
        assert list(grid.to_config(point).values()) == expected


def test_a_continuous_dimension_has_no_levels():
    assert SPACE.level_counts == (13, 5, 3, 3, 3, 0)
    with pytest.raises(ValueError, match=r"grid_search needs a grid, but dropout=Float\(.*\) has no levels"):
        SPACE.require_levels("grid_search")


@pytest.mark.parametrize("space", [SPACE, default_space("mlp"), default_space("cnn")])
def test_json_and_repr_there_and_back(space):
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert hash(again) == hash(space)
    assert repr(again) == repr(space)
    assert eval(repr(space)) == space
    assert list(again) == list(space)


def test_the_fingerprint_tells_spaces_apart():
    changed = [
        Space(dict(reversed(DIMENSIONS.items()))),
        Space(DIMENSIONS | {"layers": Int(1, 4)}),
        Space(DIMENSIONS | {"dropout": Float(0.0, 0.5, levels=3)}),
        Space(DIMENSIONS | {"optimizer": Choice(("adam", "sgd", None))}),
        Space(DIMENSIONS | {"batch_size": Choice((32, 64, 128), ordered=False)}),
        Space({("lr" if k == "learning_rate" else k): v for k, v in DIMENSIONS.items()}),
    ]
    prints = {SPACE.fingerprint, *(s.fingerprint for s in changed)}
    assert len(prints) == 7
    assert SPACE.fingerprint == Space(dict(DIMENSIONS)).fingerprint
    assert len(SPACE.fingerprint) == 16


def test_it_is_a_mapping_in_order():
    assert list(SPACE) == list(DIMENSIONS)
    assert SPACE["layers"] == Int(1, 3)
    assert len(SPACE) == 6
    assert "layers" in SPACE


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ({}, "must be a non-empty dict"),
        ([Int(1, 2)], "must be a non-empty dict"),
        ({"": Int(1, 2)}, "named ''; use a non-empty string"),
        ({3: Int(1, 2)}, "named 3; use a non-empty string"),
        ({"a": (1, 2)}, "Space['a']=(1, 2) must be a Float, Int or Choice"),
    ],
)
def test_bad_spaces(dimensions, message):
    with pytest.raises(ValueError) as error:
        Space(dimensions)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "space must be a JSON object"),
        ({"a": 3}, "space 'a': 3 needs a type, one of float, int, choice"),
        ({"a": {"type": ["float"]}}, "needs a type, one of float, int, choice"),
        ({"a": {"type": "real"}}, "needs a type, one of float, int, choice"),
        ({"a": {"type": "float", "low": 0}}, "space 'a': high is missing"),
        ({"a": {"type": "choice"}}, "space 'a': options is missing"),
        (
            {"a": {"type": "int", "low": 1, "high": 2, "steps": 1}},
            "space 'a': unknown steps; it takes default, high, levels, log, low, step",
        ),
        ({"a": {"type": "int", "low": 2, "high": 1}}, "space 'a': Int low=2 must not be above high=1"),
    ],
)
def test_bad_json(data, message):
    with pytest.raises(ValueError) as error:
        Space.from_json(data)
    assert message in str(error.value)


@pytest.mark.parametrize("point", [np.zeros(5), np.full(6, 1.5), np.full(6, np.nan), np.zeros((1, 6))])
def test_bad_points(point):
    with pytest.raises(ValueError, match=r"must be 6 numbers in \[0, 1\]"):
        SPACE.to_config(point)
