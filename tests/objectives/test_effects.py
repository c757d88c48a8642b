"""Hyperparameters that change nothing are said before anything runs; whatever has an effect is not."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.compilation import CompilationCounter
from jaxhpo.objectives import traceable
from jaxhpo.space import Choice, Float, Int, Space

SPACE = Space({"x": Float(0.0, 1.0), "rate": Float(0.0, 1.0), "kind": Choice(("a", "b")), "on": Choice((True, False))})
OPTIONS = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def said(train, space=SPACE, **options):
    """Return the names that are said to have no effect."""
    counter = CompilationCounter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            traceable(train, **options).objective(space)
    assert counter.requests == 0
    messages = [str(warning.message) for warning in caught]
    assert len(messages) <= 1
    assert all(" no effect: no computation that reaches what train returns depends on " in m for m in messages)
    return messages[0].partition(" ha")[0].split(", ") if messages else []


def loop(key, h):
    """A training in a scan: the rate changes weights that the score does not see."""

    def step(carry, _):
        seen, unseen = carry
        return (seen + h["x"], unseen - h["rate"] * unseen), None

    (seen, unseen), _ = jax.lax.scan(step, (0.0, 1.0), None, length=3)
    return seen, unseen


def test_what_the_result_does_not_depend_on_is_named():
    assert said(lambda key, h: h["x"]) == ["rate", "kind", "on"]
    assert said(lambda key, h: loop(key, h)[0] + (h["kind"] == "a") * h["on"]) == ["rate"]
    assert said(lambda key, h: sum(loop(key, h)) + (h["kind"] == "a") * h["on"]) == []


def test_the_message_has_a_remedy():
    space = Space({"x": Float(0.0, 1.0), "n": Int(1, 3), "m": Int(1, 3)})
    with pytest.warns(RuntimeWarning) as caught:
        traceable(lambda key, h: h["x"] + h["n"].astype(jnp.float32)).objective(space)
    assert [str(warning.message) for warning in caught] == [
        "m has no effect: no computation that reaches what train returns depends on it; use it, or leave it out"
    ]
    assert caught[0].filename == __file__


def test_aux_is_a_result_and_python_code_a_use():
    def train(key, h):
        return h["x"] if h["kind"] == "a" else -h["x"], {"rate": h["rate"], "on": h["on"]}

    assert said(train) == []


def test_a_static_value_that_is_read_but_changes_no_computation_is_named():
    def train(key, h):
        scale = {"a": 2.0, "b": 2.0}[h["kind"]]
        return h["x"] * h["rate"] * h["on"] * jax.nn.relu(scale)

    assert said(train) == ["kind"]
    assert said(lambda key, h: h["x"] + h["rate"], static=("on",)) == ["kind", "on"]


def test_static_values_that_choose_data_have_an_effect():
    def train(key, h):
        return jnp.sum(OPTIONS[{"a": 0, "b": 1}[h["kind"]]] * h["x"] * h["rate"]) + h["on"]

    def alike(key, h):
        return jnp.sum(OPTIONS[{"a": 1, "b": 1}[h["kind"]]] * h["x"] * h["rate"]) + h["on"]

    assert said(train) == []
    assert said(alike) == ["kind"]


def test_what_has_an_effect_with_one_combination_only_has_one():
    """The door traces two of the eight combinations; with none of the two the rate is used."""
    words = {name: Choice(("a", "b")) for name in ("first", "second", "third")}
    space = Space({"x": Float(0.0, 1.0), "rate": Float(0.0, 1.0), **words})

    def train(key, h):
        rare = h["first"] == "a" and h["second"] == "b" and h["third"] == "a"
        return h["x"] * h["rate"] if rare else h["x"]

    assert said(train, space) == []
    assert said(lambda key, h: h["x"] * (h["first"] == "a") + h["rate"], space) == ["second", "third"]


def test_nothing_is_said_of_more_combinations_than_are_traced():
    space = Space({"x": Float(0.0, 1.0), "n": Int(1, 100)})
    assert said(lambda key, h: h["x"] if h["n"] == 51 else 0.0, space, static=("n",)) == []


def test_combinations_that_cannot_be_traced_may_have_an_effect():
    def train(key, h):
        if h["kind"] == "b" and h["on"]:
            raise RuntimeError("not with this one")
        return h["x"]

    assert said(train, static=("on",)) == []


def test_a_constant_needs_no_use():
    space = Space({"x": Float(0.0, 1.0), "batch": Choice((32,)), "kind": Choice(("a",))})
    assert said(lambda key, h: h["x"], space) == []


def test_a_budget_that_is_taken_and_not_used_is_named():
    space = Space({"x": Float(0.0, 1.0)})
    assert said(lambda key, h, budget: h["x"], space) == ["budget"]
    assert said(lambda key, h, budget: h["x"] * budget, space) == []


def test_a_callback_is_a_use():
    def train(key, h):
        shape = jax.ShapeDtypeStruct((), jnp.float32)
        given = h["x"], h["rate"], h["on"]
        found = jax.pure_callback(lambda *args: args[0], shape, *given, vmap_method="sequential")
        return found * (h["kind"] == "a")

    assert said(train) == []
