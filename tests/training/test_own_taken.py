"""Models as users write them are trained: layers, transformations and factories of many kinds."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxhpo
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.networks.user.nnx_module import replace_state, state_of
from tests.training.own_models import Net, train

BASE = {"lr": Float(1e-4, 1e-2, log=True), "batch_size": Choice((16,))}
SPACE = Space(BASE)
WITH_RATE = Space(BASE | {"rate": Float(0.0, 0.5)})


def flat(x):
    return x.reshape(len(x), -1)


class Plain(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(flat(x))


class Partitioned(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10, kernel_init=nn.with_partitioning(nn.initializers.normal(), (None, "a")))(flat(x))


class Setup(nn.Module):
    """Layers in a list, one of them used twice, in a module that holds another's."""

    rate: float

    def setup(self):
        self.first, self.drop, self.out = nn.Dense(64), nn.Dropout(self.rate), nn.Dense(10)
        self.layers = [nn.Dense(64) for _ in range(2)]

    def __call__(self, x, training):
        x = nn.relu(self.first(nn.relu(self.first(flat(x)))))
        for layer in self.layers:
            x = nn.relu(layer(x))
        return self.out(self.drop(x, deterministic=not training))


class Block(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dropout(self.rate, deterministic=not self.has_rng("dropout"))(nn.Dense(16)(x)), None


class Scanned(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x):
        axes = {"variable_axes": {"params": 0}, "split_rngs": {"params": True, "dropout": True}}
        x, _ = nn.scan(nn.remat(Block), length=3, **axes)(self.rate)(nn.Dense(16)(flat(x)), None)
        return nn.Dense(10)(x)


class Noisy(nn.Module):
    """Draws from a stream of another name than dropout's, and computes in half precision."""

    @nn.compact
    def __call__(self, x, train):
        x = flat(x) + 0.1 * jax.random.normal(self.make_rng("noise"), (len(x), 64)) if train else flat(x)
        return nn.Dense(10, dtype=jnp.bfloat16)(x)


class Listed(nnx.Module):
    """Layers in a list, one of them twice, and dropout in a Sequential."""

    def __init__(self, rate, layers=3, *, rngs):
        self.layers = nnx.List([nnx.Linear(64 if i == 0 else 16, 16, rngs=rngs) for i in range(layers - 1)])
        self.layers.append(self.layers[1])
        self.last = nnx.Sequential(nnx.Dropout(rate, rngs=rngs), nnx.Linear(16, 10, rngs=rngs))

    def __call__(self, x):
        x = flat(x)
        for layer in self.layers:
            x = x + nnx.relu(layer(x)) if x.shape[1] == 16 else nnx.relu(layer(x))
        return self.last(x)


TAKEN = {
    "an instance": (Net(8), SPACE),
    "a partial function": (partial(Net, width=8), WITH_RATE),
    "a lambda": (lambda rate: Net(8, rate), WITH_RATE),
    "an alias of batch_size": (Plain, Space({"batch": Choice((16, 32))})),
    "setup": (Setup, WITH_RATE),
    "scan and remat": (Scanned, WITH_RATE),
    "noise": (Noisy, SPACE),
    "lists": (Listed, WITH_RATE),
    "partitioning": (Partitioned, SPACE),
}


@pytest.mark.slow_but_for("noise", "partitioning")
@pytest.mark.parametrize("case", TAKEN)
def test_taken(case, small_digits):
    model, space = TAKEN[case]
    trainer = Trainer(small_digits, model, space, epochs=2, lanes=1, machine=Machine(engine="threads"))
    (result,) = train(trainer, [space.to_config(np.full(len(space), 0.9, np.float32))], budget=2)
    assert result.loss[1] < result.loss[0]
    assert 0 < result.score <= 1


class Attentive(nn.Module):
    vocabulary: int
    classes: int

    @nn.compact
    def __call__(self, tokens):
        x = nn.RNN(nn.LSTMCell(8))(nn.Embed(self.vocabulary, 8)(tokens))
        return nn.Dense(self.classes)(nn.MultiHeadDotProductAttention(2)(x).mean(1))


class NnxAttentive(nnx.Module):
    def __init__(self, vocabulary, classes, *, rngs):
        self.embed, self.rnn = nnx.Embed(vocabulary, 8, rngs=rngs), nnx.RNN(nnx.GRUCell(8, 8, rngs=rngs), rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
        self.out = nnx.Linear(8, classes, rngs=rngs)

    def __call__(self, tokens):
        return self.out(self.attention(self.rnn(self.embed(tokens))).mean(1))


@pytest.mark.slow
@pytest.mark.parametrize("model", [Attentive, NnxAttentive])
def test_recurrence_and_attention(model, small_text):
    trainer = Trainer(small_text, model, SPACE, epochs=2, lanes=1, machine=Machine(engine="threads"))
    (result,) = train(trainer, [{"lr": 0.01, "batch_size": 16}], budget=2)
    assert result.loss[1] < result.loss[0]


@pytest.mark.slow
def test_an_nnx_modules_weights_go_where_they_were():
    """Of a list of twelve too, whose numbers as texts are in another order."""
    one, other = (Listed(0.0, 12, rngs=nnx.Rngs(seed)) for seed in (0, 1))
    x = jnp.ones((2, 64))
    assert not np.allclose(one(x), other(x))
    replace_state(other, *state_of(one))
    np.testing.assert_array_equal(one(x), other(x))


@pytest.mark.slow
def test_a_form_that_fails_during_a_study_fails_alone(small_digits):
    """Of 500 widths 16 are rehearsed at the door; this one is not."""

    def build(width):
        if width == 37:
            raise RuntimeError("broken at 37")
        return Net(width)

    space = Space({"width": Int(1, 500), "learning_rate": Choice((0.01,))})
    mine = [{"width": width, "learning_rate": 0.01} for width in (3, 37, 5)]
    options = {"algorithm": "random_search", "trials": 3, "lanes": 3, "epochs": 1, "cache": False, "verbose": False}
    place = r"\(test_own_taken.py, line \d+\)"
    with pytest.warns(
        RuntimeWarning, match=rf"^trial 1 failed: model cannot be built: RuntimeError: broken at 37 {place}$"
    ):
        study = jaxhpo.tune(small_digits, model=build, space=space, enqueue=mine, **options)
    assert study.trials["score"].isna().tolist() == [False, True, False]
    assert study.best.test_score is not None
