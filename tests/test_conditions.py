"""Hyperparameters that are active only with certain values of others."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo.algorithms.common import proposals
from jaxhpo.report.console import best_table
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Proposal

SPACE = Space(
    {
        "decay": Float(0.0, 1.0, levels=3, when={"momentum": (0.5, 0.7), "layers": 3}),  # before its parents
        "optimizer": Choice(("sgd", "momentum", "adam")),
        "momentum": Float(0.5, 0.9, levels=3, when={"optimizer": ("sgd", "momentum")}),
        "layers": Int(1, 4),
        "units": Int(8, 10, when={"layers": (3, 4)}),
    }
)
FULL = {"decay": 0.5, "optimizer": "sgd", "momentum": 0.7, "layers": 3, "units": 9}


def test_known_activity():
    for config, active in [
        (FULL, [True, True, True, True, True]),
        ({"optimizer": "momentum", "momentum": 0.9, "layers": 3, "units": 8}, [False, True, True, True, True]),
        ({"optimizer": "adam", "layers": 3, "units": 8}, [False, True, False, True, True]),  # a child's child
        ({"decay": None, "optimizer": "adam", "momentum": None, "layers": 1}, [False, True, False, True, False]),
    ]:
        point = SPACE.from_config(config)
        np.testing.assert_array_equal(SPACE.active(jnp.asarray(point)), active)
        np.testing.assert_array_equal(jax.jit(SPACE.active)(point), active)
        np.testing.assert_array_equal(point[~np.array(active)], 0)
        assert SPACE.to_config(point) == {name: value for name, value in config.items() if value is not None}
    assert SPACE.conditional
    assert not Space({"layers": Int(1, 4)}).conditional
    assert np.asarray(Space({"layers": Int(1, 4)}).active(jnp.zeros((2, 1)))).all()


def test_a_float_counts_as_its_nearest_level():
    space = Space({"a": Float(0.0, 1.0, levels=3), "b": Int(1, 2, when={"a": 0.5})})
    active = space.active(jnp.asarray([[0.2, 0.5], [0.3, 0.5], [0.7, 0.5], [0.8, 0.5]], jnp.float32))
    np.testing.assert_array_equal(active[:, 1], [False, True, True, False])
    assert space.from_config({"a": 0.6, "b": 2})[1] > 0


@pytest.mark.slow
def test_inactive_is_zero_and_decodes_to_the_first_value():
    point = SPACE.canonical(jnp.full((2, 3, 5), 0.99, jnp.float32))
    assert point.shape == (2, 3, 5)
    np.testing.assert_array_equal(point[..., 0], 0)
    np.testing.assert_array_equal(point[..., 2], 0)
    values = SPACE.decode(point)
    np.testing.assert_array_equal(values["momentum"], np.float32(0.5))
    assert {name: SPACE.decode(jnp.zeros(5))[name].item() for name in ("decay", "units")} == {"decay": 0, "units": 8}


@st.composite
def spaces(draw):
    """Spaces of up to six hyperparameters, in any order, each of which may depend on earlier ones."""
    dimensions = {}
    for name in "abcdef"[: draw(st.integers(2, 6))]:
        when = {}
        for parent, of in dimensions.items():
            if draw(st.integers(0, 3)) == 0:
                values = of.level_values
                when[parent] = draw(st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True))
        kind, when = draw(st.sampled_from(["float", "int", "log", "words"])), when or None
        dimensions[name] = {
            "float": Float(-1.0, 1.0, levels=5, when=when),
            "int": Int(3, 6, when=when),
            "log": Int(1, 30, log=True, levels=3, when=when),
            "words": Choice(("x", None, 1.5, True), when=when),
        }[kind]
    names = draw(st.permutations(list(dimensions)))
    try:
        return Space({name: dimensions[name] for name in names})
    except ValueError:  # can never be active
        return Space({"a": Int(1, 2)})


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=30)
@given(spaces(), st.integers(0, 2**16))
def test_there_and_back(space, seed):
    points = jnp.asarray(np.random.default_rng(seed).random((20, len(space)), np.float32))
    points = space.canonical(points)
    np.testing.assert_array_equal(space.canonical(points), points)
    active = np.asarray(space.active(points))
    assert (np.asarray(points)[~active] == 0).all()
    np.testing.assert_array_equal(space.conditions.active(np.asarray(points), np), active)
    for point, on in zip(np.asarray(points), active, strict=True):
        config = space.to_config(point)
        assert list(config) == [name for name, there in zip(space, on, strict=True) if there]
        np.testing.assert_allclose(space.from_config(config), point, atol=1e-6)
    grid = space.from_levels(space.to_levels(points))
    np.testing.assert_array_equal(space.from_levels(space.to_levels(grid)), grid)
    np.testing.assert_array_equal(space.to_levels(grid)[~space.active(grid)], 0)
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert eval(repr(space)) == space
    assert again.fingerprint == space.fingerprint


def test_the_fingerprint_is_as_it_was_without_conditions():
    # As of the release before there were any: journals hold it.
    space = Space(
        {
            "learning_rate": Float(1e-4, 1e-1, log=True, levels=7),
            "units": Choice((8, 16, 32, 64)),
            "layers": Int(1, 3),
            "optimizer": Choice(("sgd", "adam", "rmsprop")),
            "fixed": Choice(("only",)),
        }
    )
    assert space.fingerprint == "5e5448efec68ebf6"
    assert Space(dict(space) | {"layers": Int(1, 3, when={"units": 8})}).fingerprint != space.fingerprint


def test_conditions_are_kept_in_one_form():
    one = Int(1, 2, when={"a": 3})
    assert one == Int(1, 2, when={"a": [np.int64(3)]}) == Int(1, 2, when=one.when)
    assert hash(one) == hash(Int(1, 2, when={"a": (3,)}))
    assert one.when == (("a", (3,)),)


def with_child(when):
    return Space({"word": Choice(("x", "y")), "whole": Int(1, 3), "real": Float(0, 1), "child": Int(1, 2, when=when)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Int(1, 2, when=3), "Int when=3 must be a dict of hyperparameter -> value or values"),
        (lambda: Float(1, 2, when={}), "Float when={} must be a dict of hyperparameter -> value or values"),
        (lambda: Choice((1, 2), when={"a": {1}}), "Choice when={'a': {1}} must name values by hyperparameter"),
        (lambda: Int(1, 2, when={"a": ()}), "Int when: a has no values; name those with which it is active"),
        (lambda: Int(1, 2, when={"a": [[1]]}), "Int when: a=[[1]] must be strings, numbers, bools or None"),
        (lambda: with_child({"wrd": "x"}), "Space['child'] when names 'wrd'; the space has word, whole"),
        (lambda: with_child({"word": "z"}), "Space['child'] when: word is never 'z'; it is one of ['x', 'y']"),
        (lambda: with_child({"whole": (1, 4)}), "when: whole is never 4; it is a whole number in [1, 3]"),
        (lambda: with_child({"whole": True}), "when: whole is never True"),
        (
            lambda: with_child({"real": 0.5}),
            "when names 'real', a Float without levels; give it levels= or use a Choice",
        ),
        (lambda: with_child({"child": 1}), "Space has conditions that go in a circle, child -> child"),
        (
            lambda: Space(
                {"a": Int(1, 2, when={"b": 1}), "b": Int(1, 2, when={"c": 1}), "c": Int(1, 2, when={"a": 1})}
            ),
            "conditions that go in a circle, a -> b -> c -> a; take one of them out",
        ),
        (
            lambda: Space({"a": Int(1, 2), "b": Int(1, 2, when={"a": 1}), "c": Int(1, 2, when={"a": 2, "b": 2})}),
            "Space['c'] can never be active: no one value of a is in all conditions that lead to it",
        ),
    ],
)
def test_bad_conditions(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"optimizer": "adam", "momentum": 0.5, "layers": 1},
            "config momentum: it is inactive, as it needs optimizer in",
        ),
        ({"optimizer": "adam", "layers": 1, "units": 8}, "config units: it is inactive, as it needs layers in (3, 4)"),
        ({"optimizer": "sgd", "layers": 1}, "config lacks momentum; give every hyperparameter"),
        ({}, "config lacks optimizer, layers; give every"),
        ({"optimizer": "x", "layers": 1}, "config optimizer: value 'x' is not one of"),
        (FULL | {"decay": None}, "config decay: value=None is not a number"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(ValueError) as error:
        SPACE.from_config(config)
    assert message in str(error.value)


def test_bad_json_names_the_entry():
    with pytest.raises(ValueError, match=r"space 'a': Int when=3 must be a dict"):
        Space.from_json({"a": {"type": "int", "low": 1, "high": 2, "when": 3}})


# --- what uses spaces ----------------------------------------------------------------------------------------------


def test_trials_show_what_is_inactive_as_missing():
    study = jh.Study(SPACE, jh.algorithms.random_search(SPACE, lanes=2))
    study.enqueue(FULL)
    study.enqueue({"optimizer": "adam", "layers": 1})
    study.ask()
    study.tell([0.5, 0.7])
    table = study.trials
    assert table["units"].isna().tolist() == [False, True]
    assert table["momentum"].dtype == "Float64"
    assert table["units"].tolist() == [9, pd.NA]
    assert list(table.columns[6:11]) == list(SPACE)
    assert study.best.config == {"optimizer": "adam", "layers": 1}
    assert len(study.top(2)) == 2
    study.summary["metric"] = "accuracy"
    cells = {str(row): list(column.cells) for row, column in enumerate(best_table(study).columns)}
    assert cells["1"] == ["0.7000", "-", "adam", "-", "1", "-"]
    assert cells["2"] == ["0.5000", "0.5", "sgd", "0.7", "3", "9"]


def propose(configs):
    fresh = np.full(len(configs), -1, np.int32)
    number = np.arange(len(configs), dtype=np.int32)
    return Proposal(np.stack([SPACE.from_config(c) for c in configs]), number + 1, fresh, fresh < 0, number)


def test_a_function_gets_what_is_active():
    seen = []
    objective = jh.function(lambda config: seen.append(config) or 1.0, workers=0).objective(SPACE)
    objective.evaluate(jax.random.key(0), (), propose([FULL, {"optimizer": "adam", "layers": 2}]))
    assert seen == [FULL, {"optimizer": "adam", "layers": 2}]


@pytest.mark.filterwarnings("ignore:.* no effect. no computation:RuntimeWarning")
@pytest.mark.parametrize("static", [(), ("units",)])
def test_a_traced_function_gets_first_values(static):
    objective = jh.traceable(lambda key, h: jnp.float32(h["units"]) + h["momentum"], static=static).objective(SPACE)
    asked = propose([FULL, {"optimizer": "adam", "layers": 2}])
    _, outcome = objective.evaluate(jax.random.key(0), (), asked)
    np.testing.assert_allclose(outcome.score, [9.7, 8.5], rtol=1e-6)


def test_a_plain_space_costs_nothing():
    space = Space({"a": Float(0, 1), "b": Int(1, 3), "c": Choice(("x", "y"))})

    def plain(key):
        draw = jax.random.uniform(jax.random.split(key)[0], (4, 3), jnp.float32)
        draw = jnp.clip(draw, 0.0, 1.0).astype(jnp.float32)
        return jnp.stack([d.snap(draw[..., i]) for i, d in enumerate(space.values())], axis=-1)

    def compiled(function):
        text = jax.jit(function).lower(jax.random.key(0)).compile().as_text()
        return [line.split(", metadata=")[0] for line in text.splitlines() if " = " in line]

    def uniform(key):
        return proposals.uniform(key, space, 4)

    assert len(compiled(uniform)) == len(compiled(plain))
