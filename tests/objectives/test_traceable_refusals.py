"""What `traceable` refuses: every bad input, in one line that names it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.objectives import traceable
from tests.objectives.test_traceable import SPACE, noisy


def shaped(key, hparams):
    return jnp.sum(jax.random.normal(key, (hparams["units"], hparams["steps"])))


def branching(key, hparams):
    return 1.0 if hparams["rate"] > 0.1 else 0.0


def looping(key, hparams, budget):
    return sum(hparams["rate"] for _ in range(budget))


def on_numpy(key, hparams):
    return float(np.asarray(jax.random.uniform(key)))


@pytest.mark.parametrize(
    ("train", "static", "message"),
    [
        (
            shaped,
            (),
            r"value of units, steps \(test_traceable_refusals.py, line \d+\); name it in static=\('units', 'steps'\), ",
        ),
        (shaped, ("steps",), r"needs the value of units \(.*\); name it in static=\('steps', 'units'\)"),
        (
            branching,
            (),
            r"of rate \(.*\); make an Int or a Choice of rate and name it in static=, .* or use jaxhpo.fun",
        ),
        (looping, (), r"needs the value of budget \(.*\); use jnp.where"),
        (on_numpy, (), "train cannot be traced: .*; use jnp and jax.lax"),
        (lambda key, hparams: jnp.zeros(3), (), r"a score of shape \(3,\), float32; it must be one real number"),
        (lambda key, hparams: hparams["rate"] > 0, (), r"a score of shape \(\), bool"),
        (lambda key, hparams: key, (), "Tracer; it must return a scalar score"),
        (lambda key, hparams: None, (), "train returns a NoneType; it must return a scalar score"),
        (lambda key, hparams: (1.0, 2.0, 3.0), (), "a score of shape"),
        (lambda key, hparams: (1.0, {"a": "text"}), (), "aux 'a' is str"),
        (lambda key, hparams: (1.0, {"a": {"b": 1.0}}), (), "aux 'a' is dict"),
        (lambda key, hparams: (1.0, {"a": key}), (), "aux 'a' is"),
        (lambda key, hparams: (1.0, {3: 1.0}), (), "aux 3 is float"),
        (lambda key, hparams: hparams["lr"], (), "reads 'lr', which is not in the space; it has rate, units"),
        (
            lambda key, hparams: (1.0, {"w": jnp.zeros(hparams["units"])}),
            ("units",),
            r"with units=4 it is float32\[4\]",
        ),
        (lambda key, hparams: 1.0, ("width",), "static names 'width', which is not in the space; it has rate"),
        (lambda key, hparams: 1.0, ("rate",), "static names 'rate', a Float"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_runs(train, static, message):
    with pytest.raises(ValueError, match=message) as caught:
        traceable(train, static=static).objective(SPACE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (3, "train=3 must be a function"),
        (lambda key: 1.0, r"train takes \(key\); it must be train\(key, hparams\), and may also take budget"),
        (lambda key, hparams, epochs: 1.0, r"train takes \(key, hparams, epochs\)"),
        (lambda key, hparams, *, other: 1.0, "train takes"),
    ],
)
def test_what_takes_other_parameters_is_refused(train, message):
    with pytest.raises(ValueError, match=message):
        traceable(train)


@pytest.mark.parametrize("static", ["units", 3])
def test_static_is_a_tuple(static):
    with pytest.raises(ValueError, match=r"static=.* must be a tuple"):
        traceable(noisy, static=static)


def test_a_space_is_a_space():
    with pytest.raises(ValueError, match=r"space=\{\} must be"):
        traceable(noisy).objective({})


def test_an_error_of_the_functions_own_is_said_with_its_line():
    def train(key, hparams):
        raise RuntimeError("mine")

    with pytest.raises(ValueError) as caught:
        traceable(train).objective(SPACE)
    line = train.__code__.co_firstlineno + 1
    assert str(caught.value) == f"train raises RuntimeError: mine (test_traceable_refusals.py, line {line})"
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (lambda key, h: h["rate"] * h["units"], "train raises jax.dtypes.TypePromotionError: Input dtypes"),
        (lambda key, h: jnp.zeros(2) @ jnp.zeros(3) + h["rate"], "train raises TypeError: dot_general requires"),
        (
            lambda key, h: jax.pure_callback(lambda x: x, h["rate"], h["rate"]),
            "train raises NotImplementedError: vmap is",
        ),
    ],
)
def test_an_error_of_another_kind_is_not_taken_for_one_of_tracing(train, message):
    with pytest.raises(ValueError) as caught:
        traceable(train).objective(SPACE)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f" (test_traceable_refusals.py, line {train.__code__.co_firstlineno})")
    assert "\n" not in str(caught.value)
