"""A model is told whether it trains, in whichever way it listens; one that cannot be told is refused."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxhpo.space import Choice, Float, Space
from jaxhpo.training import Trainer
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.networks import UserFamily
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.learner import Batch
from tests.training.own_models import assert_same

SPACE = Space({"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))})
GOAL = read_goal("classification")


def layers(x, trains):
    """Batch norm and dropout, in a linen module's call."""
    x = nn.BatchNorm(use_running_average=not trains)(nn.Dense(12)(x.reshape(len(x), -1)))
    return nn.Dense(10)(nn.Dropout(0.5, deterministic=not trains)(x))


class ByCall(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        return layers(x, train)


def by_call(name, default):
    """Return a class whose call takes a flag, with a default that is wrong half of the time."""
    trains = "{0}" if name.startswith(("train", "is")) else "not {0}"
    scope = {"nn": nn, "layers": layers}
    source = f"def call(self, x, {name}{default}):\n    return layers(x, {trains.format(name)})"
    exec(source, scope)
    return type("Called", (nn.Module,), {"__call__": nn.compact(scope["call"])})


class Field(nn.Module):
    training: bool

    @nn.compact
    def __call__(self, x):
        return layers(x, self.training)


class FieldOrCall(nn.Module):
    """The way of Flax's own layers: told once, here or there."""

    deterministic: bool | None = None

    @nn.compact
    def __call__(self, x, deterministic=None):
        return layers(x, not nn.merge_param("deterministic", self.deterministic, deterministic))


class FieldElseCall(nn.Module):
    deterministic: bool = True

    @nn.compact
    def __call__(self, x, deterministic=None):
        return layers(x, not (self.deterministic if deterministic is None else deterministic))


class Inner(nn.Module):
    """Modules in its fields, which say whether they train; what is used twice stays one module."""

    norm: Any
    dropout: Any

    @nn.compact
    def __call__(self, x):
        x = self.norm(nn.Dense(12)(x.reshape(len(x), -1)))
        return nn.Dense(10)(self.dropout[0]["one"](x))


LINEN = {
    **{name: by_call(name, "") for name in ("train", "training", "is_training", "deterministic", "inference")},
    **{f"{name}={default}": by_call(name, f"={default}") for name in ("use_running_average",) for default in (0, None)},
    "a field": Field,
    "a field of an instance": Field(training=False),
    "a factory": lambda training: Field(training),
    "a factory with a default": lambda training=False: Field(training),
    "a factory that decided": lambda: Field(training=False),
    "a partial": partial(Field, training=False),
    "a field or the call": FieldOrCall,
    "a field or the call, decided": FieldOrCall(deterministic=True),
    "a field else the call": FieldElseCall,
}


class Nnx(nnx.Module):
    def __init__(self, still=None, *, rngs):
        flags = {} if still is None else {"deterministic": still}
        self.hidden, self.drop = nnx.Linear(64, 12, rngs=rngs), nnx.Dropout(0.5, rngs=rngs, **flags)
        self.norm = nnx.BatchNorm(12, rngs=rngs, **{"use_running_average": still} if flags else {})
        self.out = nnx.Linear(12, 10, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(self.norm(self.hidden(x.reshape(len(x), -1)))))


class NnxByCall(Nnx):
    def __call__(self, x, *, is_training=False):
        x = self.norm(self.hidden(x.reshape(len(x), -1)), use_running_average=not is_training)
        return self.out(self.drop(x, deterministic=not is_training))


class NnxByAttribute(Nnx):
    def __init__(self, train: bool, *, rngs):
        super().__init__(rngs=rngs)
        self.train = train  # hides the method of this name

    def __call__(self, x):
        return NnxByCall.__call__(self, x, is_training=self.train)


def left_in_evaluation(rngs):
    module = Nnx(rngs=rngs)
    module.eval()
    return module


NNX = {
    "as built": Nnx,
    "left in evaluation": left_in_evaluation,
    "layers that are still": partial(Nnx, True),
    "layers that train": partial(Nnx, still=False),
    "by call": NnxByCall,
    "by attribute": NnxByAttribute,
    "an attribute that was decided": partial(NnxByAttribute, False),
}


@pytest.fixture(scope="module")
def stepped(small_digits):
    """Return what a model's first step and evaluation are."""
    d = small_digits
    data = TrainingData(Split(d.x_train, d.y_train), Split(d.x_valid, d.y_valid), d.offset, d.scale)
    point = jnp.zeros(len(SPACE), np.float32)

    def step(model):
        family = UserFamily(model, d, SPACE, GOAL, 1)
        learner, hyper = family.form(family.ranges.variants[0]), family.hyper(point)
        x = learner.prepare(data, d.x_train[:16])

        @jax.jit
        def run(key):
            params, statistics = learner.start(key, x[:1], hyper)
            batch = Batch(x, d.y_train[:16], jax.random.key_data(key), jnp.arange(16, dtype=jnp.int32))
            _, grads, after = learner.gradients(GOAL, data, hyper, params, statistics, batch)
            return x, params, grads, after, learner.evaluate(data, hyper, params, after, lambda f: f(d.x_train[:16]))

        return jax.tree.map(np.asarray, run(jax.random.key(3, impl="threefry2x32")))

    return step


@pytest.fixture(scope="module")
def told_by_train(stepped):
    return stepped(ByCall)


def test_a_step_moves_statistics_and_an_evaluation_reads_them(told_by_train):
    x, params, _, after, outputs = told_by_train
    hidden = x.reshape(16, -1) @ params["Dense_0"]["kernel"]
    kept = after["batch_stats"]["BatchNorm_0"]
    np.testing.assert_allclose(kept["mean"], 0.01 * hidden.mean(0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(kept["var"], 0.99 + 0.01 * hidden.var(0), rtol=1e-3)
    normed = (hidden - kept["mean"]) / np.sqrt(kept["var"] + 1e-5)
    np.testing.assert_allclose(outputs, normed @ params["Dense_1"]["kernel"], rtol=1e-3, atol=1e-3)


@pytest.mark.slow_but_for("inference", "use_running_average=None", "a factory that decided")
@pytest.mark.parametrize("case", LINEN)
def test_linen_is_told(case, stepped, told_by_train):
    assert_same(stepped(LINEN[case]), told_by_train)


@pytest.mark.slow
def test_linen_modules_in_fields_are_told(stepped):
    model = Inner(nn.BatchNorm(use_running_average=True), ({"one": nn.Dropout(0.5, deterministic=True)},))
    _, _, _, after, _ = stepped(model)
    assert np.all(after["batch_stats"]["norm"]["mean"] != 0)


@pytest.mark.slow_but_for("layers that are still")
@pytest.mark.parametrize("case", NNX)
def test_nnx_is_told(case, stepped):
    x, params, _, after, outputs = found = stepped(NNX[case])
    assert_same(found, stepped(NNX["as built"]))
    hidden = x.reshape(16, -1) @ params["hidden"]["kernel"]
    np.testing.assert_allclose(after["norm"]["mean"], 0.01 * hidden.mean(0), rtol=1e-3, atol=1e-6)
    normed = (hidden - after["norm"]["mean"]) / np.sqrt(after["norm"]["var"] + 1e-5)
    np.testing.assert_allclose(outputs, normed @ params["out"]["kernel"], rtol=1e-3, atol=1e-3)


# --- what cannot be told is refused --------------------------------------------------------------------------------


def net(call):
    """Return a linen model whose call is a function of x, with a flag that nobody knows."""

    class Made(nn.Module):
        @nn.compact
        def __call__(self, x, learning=False):
            return nn.Dense(10)(call(nn.Dense(12)(x.reshape(len(x), -1)), learning))

    return Made


class NnxUntold(Nnx):
    def __call__(self, x, learning=False):
        return NnxByCall.__call__(self, x, is_training=learning)


class NnxAlways(Nnx):
    parts = ("norm", "drop")

    def __call__(self, x):
        x = self.hidden(x.reshape(len(x), -1))
        x = self.norm(x, use_running_average=False) if "norm" in self.parts else x
        return self.out(self.drop(x, deterministic=False) if "drop" in self.parts else x)


class NnxAlwaysNorms(NnxAlways):
    parts = ("norm",)


class Attentive(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.MultiHeadDotProductAttention(2, dropout_rate=0.1, deterministic=True)(nn.Dense(4)(x))
        return nn.Dense(10)(x.reshape(len(x), -1))


class OneMask(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.5)(x.reshape(len(x), -1), deterministic=not train, rng=jax.random.key(0))
        return nn.Dense(10)(x)


class Scanned(nn.Module):
    """Layers that are scanned, and computed again for the gradient: their statistics are seen all the same."""

    @nn.compact
    def __call__(self, x):
        def body(layer, x, _):
            return layer(x), None

        axes = {"variable_axes": {"params": 0, "batch_stats": 0}, "split_rngs": {"params": True}}
        scanned = nn.scan(nn.remat(body), length=2, **axes)
        return nn.Dense(10)(
            scanned(nn.BatchNorm(use_running_average=True), nn.Dense(12)(x.reshape(len(x), -1)), None)[0]
        )


REFUSED = {
    "linen's statistics stay": (
        net(lambda x, learns: nn.BatchNorm(use_running_average=not learns)(x)),
        "model has batch statistics (BatchNorm_0) that training leaves as they begin; let its call take train, and ",
    ),
    "in a scan": (Scanned, "model has batch statistics (BatchNorm_0) that training leaves as they begin"),
    "linen's dropout is off": (
        net(lambda x, learns: nn.Dropout(0.5, deterministic=not learns)(x)),
        "model has dropout (Dropout_0) that drops nothing in training, or always the same; let its call take",
    ),
    "one mask for all lanes": (OneMask, "model has dropout (Dropout_0) that drops nothing in training, or always the"),
    "attention's dropout is off": (Attentive, "model has dropout (MultiHeadDotProductAttention_0) that drops nothing"),
    "linen moves statistics in evaluation": (
        net(lambda x, learns: nn.BatchNorm(use_running_average=False)(x)),
        "model changes what it keeps, such as batch statistics, in evaluation; let its call take train, and give its ",
    ),
    "linen drops in evaluation": (
        net(lambda x, learns: nn.Dropout(0.5, deterministic=False)(x)),
        "model draws random numbers in evaluation; let its call take train, and give its layers deterministic=not tr",
    ),
    "nnx's statistics stay": (NnxUntold, "model has dropout (nnx.Dropout) that drops nothing in training, or always"),
    "nnx drops in evaluation": (NnxAlways, "model draws random numbers in evaluation, as dropout does; let its call"),
    "nnx moves statistics": (NnxAlwaysNorms, "model changes its batch statistics (norm) in evaluation; let its call"),
}


@pytest.mark.slow_but_for("linen's statistics stay", "linen's dropout is off", "nnx drops in evaluation")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_is_refused_in_one_line(case, small_digits):
    model, message = REFUSED[case]
    with pytest.raises(ValueError) as refused:
        Trainer(small_digits, model, SPACE, epochs=1)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


class Unused(Nnx):
    """Holds layers that it never calls, and dropout of rate 0: there is nothing to tell."""

    def __init__(self, *, rngs):
        super().__init__(rngs=rngs)
        self.nothing = nnx.Dropout(0.0, deterministic=True)

    def __call__(self, x):
        return self.out(self.nothing(self.hidden(x.reshape(len(x), -1)), deterministic=True))


@pytest.mark.slow
@pytest.mark.parametrize("model", [Unused, net(lambda x, learns: nn.Dropout(0.0, deterministic=True)(x))])
def test_what_has_nothing_to_tell_is_taken(model, small_digits):
    Trainer(small_digits, model, SPACE, epochs=1)


class Settings(nn.Module):
    """An argument with the name of a flag that is none, and one that the space gives."""

    train: str = "all"
    inference: float = 0.0

    @nn.compact
    def __call__(self, x):
        assert self.train == "all"
        return nn.Dense(10)(x.reshape(len(x), -1)) * (1 + self.inference)


def test_a_name_alone_makes_no_flag(small_digits):
    trainer = Trainer(small_digits, Settings, Space({"inference": Float(0.0, 1.0), **SPACE}), epochs=1)
    assert trainer.family.factory.takes == ("inference",)
    assert trainer.family.factory.flags == ()
