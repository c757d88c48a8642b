"""`default=` of dimensions, and the configuration of all defaults."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from jaxhpo.models import FAMILIES
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import default_space
from tests.test_dimensions import dimensions

WITH = {
    "rate": Float(1e-4, 1e-1, log=True, levels=4, default=2e-3),
    "layers": Int(1, 3, default=2),
    "optimizer": Choice(("sgd", "adam", None), default="adam"),
}
WITHOUT = {name: replace(dimension, default=None) for name, dimension in WITH.items()}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(0, 1, default=2), "Float default: value 2.0 is outside [0.0, 1.0]; give one of its values"),
        (lambda: Float(0, 1, default="x"), "Float default: value='x' is not a number; give one of its values"),
        (lambda: Float(0, 1, default=True), "Float default: value=True is not a number; give one of its values"),
        (lambda: Float(0, 1, default=math.nan), "Float default: value=nan is not finite; give a finite number"),
        (lambda: Float(1, 1, default=2), "Float default: value 2.0 is outside [1.0, 1.0]; give one of its values"),
        (
            lambda: Float(0, 1, step=0.5, default=0.3),
            "default: value 0.3 is between the steps of 0.5 from 0.0; use 0.5",
        ),
        (lambda: Int(1, 3, default=4), "Int default: value 4 is outside [1, 3]; give one of its values"),
        (lambda: Int(1, 3, default=1.5), "Int default: value 1.5 is not a whole number; give one of its values"),
        (lambda: Int(1, 9, step=4, default=4), "Int default: value 4 is between the steps of 4 from 1; use 5"),
        (lambda: Int(1, 10**7, log=True, default=123_456), "which a logarithmic range as wide as [1, 10000000]"),
        (lambda: Choice(("a",), default="b"), "Choice default: value 'b' is not one of ['a']; give one of its values"),
        (lambda: Choice((0, 1), default=True), "Choice default: value True is not one of [0, 1]; give one of its"),
    ],
)
def test_bad_defaults(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_default_is_a_plain_value():
    for found, expected in (
        (Float(0, 1, default=np.float32(0.5)).default, 0.5),
        (Float(0, 3, default=1).default, 1.0),
        (Float(0.0, 0.6, step=0.1, default=0.1 + 0.2).default, 0.3),
        (Int(1, 3, default=np.int64(2)).default, 2),
        (Int(1, 3, default=2.0).default, 2),
        (Choice((1, 2), default=np.int32(2)).default, 2),
        (Choice((True, False), default=False).default, False),
    ):
        assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize("name", WITH)
def test_dimensions_that_differ_in_the_default_are_equal(name):
    one, other = WITH[name], WITHOUT[name]
    assert one == other
    assert hash(one) == hash(other)
    assert one.default is not None
    assert "default" not in repr(other)
    assert repr(one) == f"{repr(other)[:-1]}, default={one.default!r})"
    assert eval(repr(one)).default == one.default


def test_spaces_that_differ_in_defaults_are_equal():
    one, other = Space(WITH), Space(WITHOUT)
    assert one == other
    assert one.fingerprint == other.fingerprint == "60497e3dcd4c4ff8"  # as before there were defaults
    np.testing.assert_array_equal(one.feasible_points, other.feasible_points)
    assert other.to_json()["layers"] == {"type": "int", "low": 1, "high": 3, "log": False, "levels": None}
    again = Space.from_json(json.loads(json.dumps(one.to_json())))
    assert repr(again) == repr(one)
    assert again.default() == {"rate": 2e-3, "layers": 2, "optimizer": "adam"}


@given(dimensions)
def test_any_level_can_be_the_default(dimension):
    for value in dimension.level_values[:: max(1, len(dimension.level_values) // 5)]:
        if value is not None:
            found = Space({"a": replace(dimension, default=value)}).default()
            assert found == {"a": value}
            assert type(found["a"]) is type(value)


def test_the_configuration_of_all_defaults():
    space = Space(WITH | {"fixed": Choice((None,)), "one": Float(0.1, 0.1), "other": Int(3, 3)})
    found = space.default()
    assert found == {"rate": 2e-3, "layers": 2, "optimizer": "adam", "fixed": None, "one": 0.1, "other": 3}
    assert list(found) == list(space)
    assert space.to_config(space.from_config(found)) == found
    assert Space(WITH | {"more": Float(0.0, 1.0)}).default() is None
    assert Space(WITH | {"more": Choice((1, None))}).default() is None
    assert Space({"fixed": Choice(("a",))}).default() == {"fixed": "a"}


def test_inactive_dimensions_need_no_default_and_are_left_out():
    def space(optimizer, **other):
        momentum = Float(0.0, 0.9, when={"optimizer": "sgd"}, **other)
        nesterov = Choice((True, False), default=True, when={"momentum": 0.9})
        momentum = replace(momentum, levels=10)
        return Space(
            {"nesterov": nesterov, "momentum": momentum, "optimizer": Choice(("sgd", "adam"), default=optimizer)}
        )

    assert space("adam").default() == {"optimizer": "adam"}
    assert space("sgd").default() is None
    assert space("sgd", default=0.5).default() == {"momentum": 0.5, "optimizer": "sgd"}
    assert space("sgd", default=0.9).default() == {"nesterov": True, "momentum": 0.9, "optimizer": "sgd"}


def test_a_default_that_the_constraints_forbid_is_none():
    parts = {"units": Choice((32, 64), default=64), "layers": Int(1, 3, default=2)}
    assert Space(parts, ["units * layers <= 128"]).default() == {"units": 64, "layers": 2}
    assert Space(parts, ["units * layers < 128"]).default() is None


SIZES = (None, 1, 2, 3, 7, 8, 36, 63, 64, 100, 255, 256, 1000, 10**6)
SHAPES = {
    "mlp": ((), (4,), (28, 28, 1)),
    "cnn": ((8, 8, 1), (16, 16, 3), (17, 17, 1), (224, 224, 3)),
    "rnn": ((50,),),
    "dan": ((50,),),
}
OWN = {"rnn": {"cell": "gru"}, "dan": {"layers": 1}}


@pytest.mark.parametrize("model", FAMILIES)
def test_the_default_of_a_family_is_legal_whatever_the_data(model):
    for shape in SHAPES[model]:
        for examples in SIZES:
            space = default_space(model, shape, examples)
            found = space.default()
            assert space.to_config(space.from_config(found)) == found
            batches, units = space["batch_size"].options, space["units"].options
            assert found == {
                "learning_rate": 1e-3,
                "batch_size": 64 if 64 in batches else max(batches),
                "layers": 2,
                "units": 128 if 128 in units else max(units),
                "l1": 0.0,
                "l2": 0.0,
                "dropout": 0.2,
                "optimizer": "adam",
            } | OWN.get(model, {})
            assert found["batch_size"] <= (examples or 64)
    assert default_space("mlp").default()["units"] == 128
    assert default_space("cnn", (28, 28, 1)).default()["units"] == 32
