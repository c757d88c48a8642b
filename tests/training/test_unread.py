"""Before training it is said which hyperparameters no computation reads."""

import warnings

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxhpo
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Trainer
from tests.training.own_models import Net

BASE = {"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))}


def flat(x):
    return x.reshape(len(x), -1)


class Ignores(nn.Module):
    """Takes much, and reads some of it."""

    scale: float = 1.0  # is read
    multiplier: float = 1.0
    width: int = 4  # is read
    depth: int = 1
    mode: str = "a"
    spread: float = 1.0  # is read by the first weights alone
    temperature: float = 1.0  # is read in evaluation alone

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.Dense(self.width, kernel_init=self.spread_out)(flat(x) * self.scale))
        x = nn.Dense(10)(x)
        return x if train else x / self.temperature

    def spread_out(self, key, shape, dtype):
        return self.spread * nn.initializers.lecun_normal()(key, shape, dtype)


class Modes(nn.Module):
    activation: str
    constant: int

    @nn.compact
    def __call__(self, x):
        offset = jnp.arange(64, dtype=jnp.float32) * self.constant
        return nn.Dense(10)({"relu": nn.relu, "tanh": nn.tanh}[self.activation](flat(x) + offset[None]))


class NnxIgnores(nnx.Module):
    def __init__(self, rate, unused, *, rngs):
        self.out, self.drop = nnx.Linear(64, 10, rngs=rngs), nnx.Dropout(rate, rngs=rngs)
        self.never = nnx.Dropout(unused, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(flat(x)))


class Weights(nn.Module):
    @nn.compact
    def __call__(self, x):
        return flat(x) @ self.param("weights", nn.initializers.lecun_normal(), (64, 10))


MOMENTUM = {"momentum": Float(0.5, 0.9)}
SAID = {
    "a Float": (Ignores, {"scale": Float(0.5, 2.0), "multiplier": Float(0.1, 1.0)}, "'multiplier' has no effect"),
    "a whole number": (Ignores, {"width": Int(2, 3), "depth": Int(1, 3)}, "'depth' has no effect"),
    "a Choice": (Ignores, {"mode": Choice(("a", "b"))}, "'mode' has no effect"),
    "several": (
        Ignores,
        {"mode": Choice(("a", "b")), "multiplier": Float(0.1, 1.0)},
        "'mode', 'multiplier' have",
    ),
    "a layer that is never called": (NnxIgnores, {"rate": Float(0, 0.5), "unused": Float(0, 0.5)}, "'unused' has no e"),
    "a penalty": (Weights, {"l2": Float(1e-6, 1e-2, log=True)}, "'l2' (of parameters called kernel) has no"),
    "momentum": (
        Net(4),
        MOMENTUM | {"optimizer": Choice(("sgd", "adam"))},
        "'momentum' (of the optimizer momentum) has",
    ),
    "momentum of jaxhpo's": ("mlp", MOMENTUM, "'momentum' (of the optimizer momentum) has no effect"),
}


@pytest.mark.slow_but_for("a Float", "a Choice", "a penalty", "momentum of jaxhpo's")
@pytest.mark.parametrize("case", SAID)
def test_what_has_no_effect_is_said_once(case, small_digits):
    model, more, message = SAID[case]
    with warnings.catch_warnings(record=True, action="always") as said:
        Trainer(small_digits, model, Space(BASE | more), epochs=1)
    (one,) = said
    assert str(one.message).startswith(f"space: {message}")
    assert issubclass(one.category, RuntimeWarning)


class Tables(nn.Module):
    """Two options differ in one number of a large constant alone, of which a `repr` shows the ends."""

    table: int

    @nn.compact
    def __call__(self, x):
        constant = jnp.asarray(np.eye(64, dtype=np.float32) + (np.arange(64)[:, None] == 30 + self.table))
        return nn.Dense(10)(flat(x) @ constant)


READ = {
    "by a large constant": (Tables, {"table": Int(0, 1)}),
    "by first weights": (Ignores, {"spread": Float(0.5, 2.0)}),
    "in evaluation": (Ignores, {"temperature": Float(0.5, 2.0)}),
    "by an operation": (Modes, {"activation": Choice(("relu", "tanh")), "constant": Choice((0,))}),
    "by a constant": (Modes, {"activation": Choice(("relu",)), "constant": Int(0, 1)}),
    "by an optimizer": (Net(4), MOMENTUM | {"optimizer": Choice(("momentum", "adam")), "l1": Float(0, 1)}),
}


@pytest.mark.slow_but_for("by first weights", "by a constant")
@pytest.mark.parametrize("case", READ)
def test_nothing_is_said_of_what_is_read(case, small_digits):
    model, more = READ[case]
    Trainer(small_digits, model, Space(BASE | more), epochs=1)  # a warning is an error


@pytest.mark.slow
def test_a_final_fit_does_not_say_it_again(small_digits):
    space = Space(BASE | {"multiplier": Float(0.1, 1.0)})
    options = {"model": Ignores, "space": space, "algorithm": "random_search", "cache": False, "verbose": False}
    with warnings.catch_warnings(record=True, action="always") as said:
        jaxhpo.tune(small_digits, trials=1, lanes=1, epochs=1, final_fit=1, **options)
    assert len([one for one in said if "no effect" in str(one.message)]) == 1
