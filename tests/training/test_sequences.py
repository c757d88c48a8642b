"""Sequences of numbers: padding changes nothing, in jaxhpo's RNN and in a user's own models."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxhpo as jh
from jaxhpo.data import from_arrays
from jaxhpo.models import RNN
from jaxhpo.models.rnn import POOLINGS
from jaxhpo.training import Trainer, load_model
from jaxhpo.training.step.examples import group_texts, text_lengths
from tests.training.own_models import train

SPACE = jh.Space({"learning_rate": jh.Choice((0.02,)), "batch_size": jh.Choice((16,))})


@pytest.fixture(scope="module")
def mixed():
    """300 sequences of up to 8 steps or of 33 to 40, of a class by the sign of their first number's mean."""
    random = np.random.default_rng(0)
    lengths = np.where(random.random(300) < 0.7, random.integers(1, 9, 300), random.integers(33, 41, 300))
    shift = random.choice([-1.0, 1.0], 300)
    x = [np.stack([random.normal(s, 1, n), random.normal(900, 50, n)], 1) for s, n in zip(shift, lengths, strict=True)]
    return from_arrays(x, np.where(shift > 0, "up", "down"), kind="sequence"), x


@pytest.mark.slow_but_for("vanilla-mean")
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", ["gru", "lstm", "vanilla"])
def test_padding_changes_nothing(cell, pooling):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 2)), jnp.float32)
    network = RNN(2, 4, 3, None, cell, bidirectional=cell == "gru", pooling=pooling)
    params, apply = jax.jit(network.init)(jax.random.key(0), x), jax.jit(network.apply)
    wanted = apply(params, x)
    padded = jnp.pad(x, [(0, 0), (0, 4), (0, 0)], constant_values=jnp.nan)
    np.testing.assert_allclose(apply(params, padded), wanted, rtol=1e-5, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: jnp.sum(network.apply(p, padded))))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_the_cost_counts_every_parameter():
    network = RNN(2, 4, 3, None)
    params = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 6, 5)))["params"]
    cost = network.cost((6, 5))
    # Two biases are counted for every block of 4 units; a GRU has one, and one more for a single block.
    assert cost.params == sum(leaf.size for leaf in jax.tree.leaves(params)) + 2 * (2 * 3 * 4 - 3 * 4 - 4)
    text = RNN(2, 4, 3, 7).cost((6,))
    assert cost.forward - text.forward == 2 * 6 * 5 * 32
    assert cost.backward - text.backward == 2 * 6 * 5 * 32  # of the weights; nothing needs that of the numbers


def test_lengths_and_groups(mixed):
    data, _ = mixed
    by_hand = [np.flatnonzero(~np.isnan(row[:, 0]))[-1] + 1 for row in data.x_train]
    np.testing.assert_array_equal(text_lengths(data.x_train), by_hand)
    trainer = Trainer(data, space=SPACE, epochs=1, lanes=1)
    assert (trainer.family.name, trainer.plan.lengths) == ("rnn", (8, 40))
    np.testing.assert_array_equal(group_texts(data.x_train, (8, 40)), np.array(by_hand) > 8)


@pytest.mark.slow
def test_sequences_from_end_to_end(mixed, tmp_path):
    data, x = mixed
    study = jh.tune(data, space=SPACE, trials=1, epochs=8, algorithm="random_search", cache=False, verbose=False)
    assert study.summary["model"] == "rnn"
    model = study.best_model()
    assert study.best.test_score >= 0.85
    # Scored in groups of about one length, and predicted as they came: of several lengths, padded, or shorter.
    predicted = model.predict(data.x_test)
    assert np.mean(predicted == np.array(data.class_names)[data.y_test]) == pytest.approx(study.best.test_score)
    short = [row for row in x if len(row) <= 8]
    np.testing.assert_allclose(
        model.outputs(short), model.outputs(x)[[len(row) <= 8 for row in x]], rtol=1e-5, atol=1e-5
    )
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load_model(tmp_path / "model").predict(x), model.predict(x))
    for bad, message in (
        ([np.zeros((41, 2))], "x has a sequence of 41 steps, and the training data 40 at most; cut it"),
        ([np.zeros((5, 3))], r"x has 3 features a step; give sequences \[N, steps, 2\]"),
        (np.where(np.arange(4)[None, :, None] == 1, np.nan, np.zeros((1, 4, 2))), "x holds nan in row 0, step 1; fill"),
        (np.zeros((3, 2, 2, 2)), "give sequences"),
        ("words", "x of type str is not an array"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict(bad)


class Pooled(nn.Module):
    """The mean of the steps that are real, and zeros at all others."""

    classes: int

    @nn.compact
    def __call__(self, x, mask):
        if mask.shape != x.shape[:2] or mask.dtype != bool:
            raise TypeError(f"{mask.dtype} {mask.shape}")
        wrong = jnp.sum(jnp.where(mask[:, :, None], 0.0, jnp.abs(x)))
        return nn.Dense(self.classes)(jnp.sum(x, 1) / jnp.sum(mask, 1, dtype=x.dtype)[:, None]) + wrong


class NnxPooled(nnx.Module):
    def __init__(self, shape, classes, *, rngs):
        self.out = nnx.Linear(shape[-1], classes, rngs=rngs)

    def __call__(self, x, mask):
        return self.out(jnp.sum(x, 1) / jnp.sum(mask, 1, dtype=x.dtype)[:, None])


class Blind(nn.Module):
    """Sees zeros in place of padding."""

    classes: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.classes)(jnp.sum(x, 1) / 5)


@pytest.mark.slow_but_for("Pooled")
@pytest.mark.parametrize("model", [Pooled, NnxPooled, Blind])
def test_an_own_model_sees_zeros_and_may_have_a_mask(model, mixed):
    data, _ = mixed
    trainer = Trainer(data, model, SPACE, epochs=10, lanes=1)
    (result,) = train(trainer, [{"learning_rate": 0.02, "batch_size": 16}], budget=10)
    assert result.score > 0.8
    kernel = result.params["out" if model is NnxPooled else "Dense_0"]
    seen = np.nan_to_num((data.x_valid - data.offset) * data.scale)
    count = 5 if model is Blind else np.isfinite(data.x_valid[:, :, 0]).sum(1)[:, None]
    logits = seen.sum(1) / count @ kernel["kernel"] + kernel["bias"]
    assert np.mean(logits.argmax(1) == data.y_valid) == pytest.approx(result.score)


@pytest.mark.parametrize("model", ["mlp", "cnn", "dan"])
def test_other_networks_take_no_sequences(model, mixed):
    with pytest.raises(ValueError, match=f"model='{model}' cannot take 'arrays', sequence data of shape .*; use 'rnn'"):
        Trainer(mixed[0], model)


FORMS = {
    "vector": ((4, 3), {"kind": "vector"}, lambda x: x.reshape(len(x), -1)),
    "image": ((3, 8, 9), {"channels": "first"}, lambda x: x.transpose(0, 2, 3, 1)),
    "sequence": ((3, 9), {"kind": "sequence", "channels": "first"}, lambda x: x.swapaxes(1, 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMS)
def test_a_model_takes_examples_as_they_were_given(kind):
    shape, options, stored = FORMS[kind]
    x = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    data = jh.data.load((x, np.arange(40) % 2), **options)
    space = jh.Space({"batch_size": jh.Choice((8,)), "units": jh.Choice((4,)), "layers": jh.Choice((1,))})
    study = jh.tune(data, space=space, trials=1, epochs=1, algorithm="random_search", cache=False, verbose=False)
    model = study.best_model()
    assert model.data_spec.kind == kind
    assert np.ptp(model.outputs(x), axis=0).min() > 0
    np.testing.assert_array_equal(model.outputs(x), model.outputs(stored(x)))
