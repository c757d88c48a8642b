"""Whatever builds a model, and whatever its call is named to take of random numbers."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.networks import UserFamily
from tests.training.own_models import Net, NnxNet, train

BASE = {"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))}
GOAL = read_goal("classification")


class Builder:
    """Builds models in a method, or when it is called."""

    def make(self, width, rate=0.0):
        return Net(width, rate)

    def __call__(self, width, *, rngs):
        return NnxNet(width, rngs=rngs)

    @classmethod
    def of_class(cls, width):
        return Net(width)

    @staticmethod
    def of_none(width, classes):
        return Net(width, classes=classes)


class NnxByKey(NnxNet):
    def __init__(self, width, key):
        super().__init__(width, rngs=nnx.Rngs(key))


class NnxByRng(NnxNet):
    def __init__(self, width, rng: nnx.Rngs):
        super().__init__(width, rngs=rng)


# A model, and what it takes, is given and is called.
TAKEN = {
    "a class": (Net, ("width",), {"classes": 10}, "Net"),
    "a partial of a class": (partial(Net, rate=0.5), ("width",), {"classes": 10}, "Net"),
    "a partial that the space overrides": (partial(Net, width=8), ("width",), {"classes": 10}, "Net"),
    "a partial of a partial": (partial(partial(Net, rate=0.5), classes=10), ("width",), {"classes": 10}, "Net"),
    "an nnx class": (NnxNet, ("width",), {"classes": 10}, "NnxNet"),
    "a partial of an nnx class": (partial(NnxNet, rate=0.5), ("width",), {"classes": 10}, "NnxNet"),
    "a positional partial of an nnx class": (partial(NnxNet, 12), (), {"classes": 10}, "NnxNet"),
    "an nnx class that takes a key": (NnxByKey, ("width",), {}, "NnxByKey"),
    "an nnx class that calls its Rngs rng": (NnxByRng, ("width",), {}, "NnxByRng"),
    "an nnx factory that takes a key": (
        lambda width, key: NnxNet(width, rngs=nnx.Rngs(key)),
        ("width",),
        {},
        "<lambda>",
    ),
    "a bound method": (Builder().make, ("width",), {}, "make"),
    "a class method": (Builder.of_class, ("width",), {}, "of_class"),
    "a static method": (Builder.of_none, ("width",), {"classes": 10}, "of_none"),
    "num_classes, as Flax's examples say": (
        lambda width, num_classes=1000: Net(width),
        ("width",),
        {"num_classes": 10},
        "<lambda>",
    ),
    "a callable": (Builder(), ("width",), {}, "Builder"),
    "a partial of a callable": (partial(Builder(), width=4), ("width",), {}, "Builder"),
}


@pytest.mark.slow_but_for("a partial of an nnx class", "a callable", "an nnx class that calls its Rngs rng")
@pytest.mark.parametrize("case", TAKEN)
def test_what_builds_a_model_is_read(case, small_digits):
    model, takes, given, name = TAKEN[case]
    space = Space(BASE | ({"width": Choice((4,))} if takes else {}))
    family = UserFamily(model, small_digits, space, GOAL, 1)
    assert family.factory.takes == takes
    assert family.factory.given == given
    assert family.name == name
    learner, hyper = family.form(family.ranges.variants[0]), family.hyper(jnp.zeros(len(space)))
    starts = [learner.start(jax.random.key(seed), jnp.zeros((1, 8, 8)), hyper)[0] for seed in (0, 0, 1)]
    kernels = [max(jax.tree.leaves(params), key=np.size) for params in starts]
    assert kernels[0].shape == (64, 4 if takes else 12)
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.all(kernels[0] != kernels[2])  # a trial has weights of its own


# --- random numbers of a call --------------------------------------------------------------------------------------


def noisy(name, default="=None"):
    """Return a linen model whose call adds noise from an argument of some name, if it is given one."""
    scope = {"nn": nn, "jax": jax}
    source = f"""def call(self, x, {name}{default}):
    x = x.reshape(len(x), -1)
    key = {name}["dropout"] if isinstance({name}, dict) else {name}
    return nn.Dense(10)(x if key is None else x + jax.random.normal(key, x.shape))"""
    exec(source, scope)
    return type("Noisy", (nn.Module,), {"__call__": nn.compact(scope["call"])})


class NnxNoisy(nnx.Module):
    def __init__(self, rngs):
        self.out = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x, rngs: nnx.Rngs | None = None):
        x = x.reshape(len(x), -1)
        return self.out(x if rngs is None else x + jax.random.normal(rngs.noise(), x.shape))


class NnxNoisyByKey(NnxNoisy):
    def __call__(self, x, dropout_key=None):
        return super().__call__(x, None if dropout_key is None else nnx.Rngs(noise=dropout_key))


NAMES = ("rngs", "rng", "key", "prng_key", "dropout_rng", "dropout_key")
NOISY = {name: noisy(name) for name in NAMES} | {"nnx rngs": NnxNoisy, "nnx key": NnxNoisyByKey}


@pytest.mark.slow_but_for("dropout_rng", "nnx rngs")
@pytest.mark.parametrize("case", NOISY)
def test_a_call_gets_random_numbers_while_it_trains(case, small_digits):
    family = UserFamily(NOISY[case], small_digits, Space(BASE), GOAL, 1)
    learner, hyper = family.form(family.ranges.variants[0]), family.hyper(jnp.zeros(len(BASE)))
    params, statistics = learner.start(jax.random.key(0), jnp.zeros((1, 8, 8)), hyper)
    x = jnp.zeros((16, 8, 8))

    def outputs(seed, trains):
        return np.asarray(learner.call(hyper, params, statistics, x, jax.random.key(seed), trains)[0])

    kernel = np.asarray(max(jax.tree.leaves(params), key=np.size))
    noise = np.linalg.lstsq(kernel.T, outputs(1, True).T, rcond=None)[0]  # of what the kernel lets through
    assert noise.std() > 0.2
    assert np.all(outputs(1, True) != outputs(2, True))
    np.testing.assert_array_equal(outputs(1, True), outputs(1, True))
    np.testing.assert_array_equal(outputs(1, False), 0)


def test_random_numbers_that_evaluation_cannot_do_without_are_refused(small_digits):
    with pytest.raises(ValueError, match=r"^model draws random numbers in evaluation, as dropout does; let its call"):
        Trainer(small_digits, noisy("key", ""), Space(BASE), epochs=1)


# --- models as Flax's own examples have them -----------------------------------------------------------------------


class LinenMnist(nn.Module):
    """In the shape of Flax's linen example of MNIST."""

    @nn.compact
    def __call__(self, x):
        x = nn.avg_pool(nn.relu(nn.Conv(features=8, kernel_size=(3, 3))(x)), window_shape=(2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(features=32)(x.reshape((x.shape[0], -1))))
        return nn.Dense(features=10)(x)


class NnxMnist(nnx.Module):
    """In the shape of Flax's nnx example of MNIST: its dropout draws from what the call is given."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(1, 8, kernel_size=(3, 3), rngs=rngs)
        self.batch_norm1 = nnx.BatchNorm(8, rngs=rngs)
        self.dropout1 = nnx.Dropout(rate=0.025)
        self.avg_pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.linear1 = nnx.Linear(128, 32, rngs=rngs)
        self.dropout2 = nnx.Dropout(rate=0.025)
        self.linear2 = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x, rngs: nnx.Rngs | None = None):
        x = self.avg_pool(nnx.relu(self.batch_norm1(self.dropout1(self.conv1(x), rngs=rngs))))
        x = x.reshape(x.shape[0], -1)
        x = nnx.relu(self.dropout2(self.linear1(x), rngs=rngs))
        return self.linear2(x)


@pytest.mark.slow
@pytest.mark.usefixtures("users_settings")
@pytest.mark.parametrize("model", [LinenMnist, NnxMnist])
def test_flaxs_mnist_models_train_unchanged(model, small_digits):
    space = Space({"learning_rate": Choice((0.005,)), "batch_size": Choice((16,))})
    trainer = Trainer(small_digits, model, space, epochs=8, lanes=1, machine=Machine(engine="threads"))
    (result,) = train(trainer, [{"learning_rate": 0.005, "batch_size": 16}], budget=8)
    assert result.score > 0.7
    assert result.loss[7] < 0.5 * result.loss[0]


def test_a_whole_number_is_taken_by_a_bound_method(small_digits):
    space = Space(BASE | {"width": Int(2, 3)})
    assert len(UserFamily(Builder().make, small_digits, space, GOAL, 1).ranges.variants) == 2
