"""Regression targets of a user's own models: what the network learns, what a loss sees, and what comes back."""

import json
import warnings

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.data import load
from jaxhpo.space import Choice, Space
from jaxhpo.training import Trainer, load_model
from tests.training.own_models import proposal, train

BATCH = 20
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 3)).astype(np.float32)
PRICES = (200_000 + 80_000 * np.tanh(X @ [1.0, -0.5, 0.3])).astype(np.float32)
SPACE = Space({"lr": Choice((1e-30, 1e-2)), "batch_size": Choice((BATCH,))})
STILL, MOVES = ({"lr": lr, "batch_size": BATCH} for lr in (1e-30, 1e-2))


class Zero(nn.Module):
    """Says 0 of every example at first, whatever its targets are."""

    outputs: int

    @nn.compact
    def __call__(self, x):
        found = nn.Dense(self.outputs, kernel_init=nn.initializers.zeros)(x)
        return found[:, 0] if self.outputs == 1 else found


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(32)(x)))[:, 0]


class Column(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(nn.relu(nn.Dense(32)(x)))


def absolute(outputs, y):
    return jnp.mean(jnp.abs(outputs - y))


def first_loss(data, model=Zero, **options):
    """Return the loss of an epoch in which no weight changes, and the validation score after it."""
    (result,) = train(Trainer(data, model, SPACE, epochs=1, lanes=1, **options), [STILL], budget=1)
    return result.loss[0], result.score


def best_model(data, model, config=MOVES, epochs=1, **options):
    trainer = Trainer(data, model, SPACE, epochs=epochs, lanes=1, **options)
    state, outcome = trainer.objective.evaluate(
        jax.random.key(1), trainer.objective.init(jax.random.key(0)), proposal(SPACE, [config], epochs)
    )
    return trainer.model(state.best), float(outcome.score[0])


def test_with_our_loss_a_network_learns_standardised_targets():
    d = load((X, PRICES), task="regression")
    loss, score = first_loss(d, metric="rmse")
    assert loss == pytest.approx(1, rel=1e-3)  # the variance of standardised targets
    assert score == pytest.approx(np.sqrt(np.mean((d.y_valid - d.y_train.mean()) ** 2)), rel=1e-5)  # 0 is their mean


@pytest.mark.slow
def test_one_column_is_predictions_of_one_target():
    d = load((X, PRICES), task="regression")
    (column, score), (net, wanted) = best_model(d, Column, metric=absolute), best_model(d, Net, metric=absolute)
    assert score == wanted
    assert column.predict(X).shape == (len(X),)
    np.testing.assert_array_equal(column.predict(X), net.predict(X))


@pytest.mark.slow
def test_scale_targets_false_leaves_them():
    d = load((X, PRICES / 1000), task="regression", scale_targets=False)
    loss, score = first_loss(d, metric="rmse")
    assert loss == pytest.approx(np.mean(np.square(d.y_train)), rel=1e-3)
    assert score == pytest.approx(np.sqrt(np.mean(np.square(d.y_valid))), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [None, False, True])
def test_what_a_loss_of_ones_own_sees(scale):
    d = load((X, PRICES / 100_000), task="regression", scale_targets=scale)  # mean 2, deviation 0.5
    loss, score = first_loss(d, loss=absolute, metric="mae")
    mean, deviation = d.y_train.mean(), d.y_train.std()
    said, unit = (mean, deviation) if scale else (0, 1)
    assert loss == pytest.approx(np.mean(np.abs(d.y_train - said)) / unit, rel=1e-3)
    assert score == pytest.approx(np.mean(np.abs(d.y_valid - said)), rel=1e-5)  # in the user's units


@pytest.mark.slow
@pytest.mark.parametrize("scale", [None, False, True])
def test_what_a_loss_of_ones_own_sees_of_a_network_of_ours(scale):
    """Its output is standardised unless that is refused; the loss sees the user's units unless told otherwise."""
    d = load((X, PRICES / 100_000), task="regression", scale_targets=scale)
    space = Space(
        {"lr": Choice((1e-30,)), "batch_size": Choice((BATCH,)), "layers": Choice((1,)), "units": Choice((4,))}
    )
    trainer = Trainer(d, "mlp", space, epochs=1, lanes=1, loss=absolute, metric="mae")
    config = STILL | {"layers": 1, "units": 4}
    state, outcome = trainer.objective.evaluate(
        jax.random.key(1), trainer.objective.init(jax.random.key(0)), proposal(space, [config], 1)
    )
    model = trainer.model(state.best)
    seen = ((d.x_train - d.x_train.mean(0)) / d.x_train.std(0)).astype(np.float32)
    hidden = np.maximum(seen @ model.params["hidden_0"]["kernel"] + model.params["hidden_0"]["bias"], 0)
    output = (hidden @ model.params["out"]["kernel"] + model.params["out"]["bias"])[:, 0]
    mean, deviation = (0, 1) if scale is False else (d.y_train.mean(), d.y_train.std())
    np.testing.assert_allclose(model.predict(d.x_train), output * deviation + mean, rtol=1e-5)
    error = np.mean(np.abs(output * deviation + mean - d.y_train))
    assert outcome.aux["loss"][0, 0] == pytest.approx(error / (deviation if scale else 1), rel=1e-3)


@pytest.mark.slow
def test_predictions_and_saved_models_are_in_units_of_the_targets(tmp_path):
    d = load((X, PRICES), task="regression")
    model, score = best_model(d, Net, epochs=20)
    assert score > 0.9
    seen = (d.x_test - d.x_train.mean(0)) / d.x_train.std(0)
    raw = Net().apply({"params": model.params}, seen)
    by_hand = raw * d.y_train.std() + d.y_train.mean()
    np.testing.assert_allclose(model.predict(d.x_test), by_hand, rtol=1e-5)
    np.testing.assert_array_equal(model.outputs(d.x_test), model.predict(d.x_test))
    model.save(tmp_path / "prices")
    np.testing.assert_array_equal(load_model(tmp_path / "prices", Net).predict(d.x_test), model.predict(d.x_test))
    # One that was saved when own models learned targets as they are does not say what it learned.
    file = tmp_path / "prices" / "model.json"
    content = json.loads(file.read_text())
    assert content["made"].pop("standardised") is True
    file.write_text(json.dumps(content))
    (tmp_path / "prices" / "sha256sums.txt").unlink()  # nor did it have this
    np.testing.assert_allclose(load_model(tmp_path / "prices", Net).predict(d.x_test), raw, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_scale_of_targets_changes_nothing_but_their_units():
    small = (PRICES - 200_000) / 80_000
    (model, score), (other, same) = (
        best_model(load((X, y), task="regression"), Net, epochs=3) for y in (small, 200_000 + 80_000 * small)
    )
    assert score == pytest.approx(same, abs=1e-3)
    np.testing.assert_allclose(other.predict(X), 200_000 + 80_000 * model.predict(X), rtol=1e-3)


@pytest.mark.slow
def test_several_targets():
    y = np.stack([PRICES, 5 + X[:, 0]], 1)
    d = load((X, y), task="regression")
    loss, score = first_loss(d, metric="rmse")
    assert loss == pytest.approx(1, rel=1e-3)
    assert score == pytest.approx(np.sqrt(np.mean((d.y_valid - d.y_train.mean(0)) ** 2)), rel=1e-5)


class Half(nn.Module):
    """Half precision, in which 200,000 and 200,100 are one number."""

    @nn.compact
    def __call__(self, x):
        found = nn.Dense(1, kernel_init=nn.initializers.zeros, dtype=jnp.bfloat16)(x)[:, 0]
        return found + jnp.bfloat16(0.125)


@pytest.mark.slow
def test_half_precision_is_not_the_precision_of_units():
    d = load((X, 200_000 + 100 * X[:, 0]), task="regression")
    model, _ = best_model(d, Half, STILL)
    np.testing.assert_allclose(model.predict(d.x_test[:2]), d.y_train.mean() + 0.125 * d.y_train.std(), atol=0.05)


@pytest.mark.parametrize(
    ("y", "scale", "loss", "warned"),
    [
        (PRICES, None, absolute, "of mean 2.0e+05 and deviation 5.*e+04 in size"),
        (PRICES - PRICES.mean(), None, absolute, "deviation 5.*e+04 in size"),
        (PRICES, True, absolute, None),
        (PRICES, False, absolute, None),
        (PRICES, None, None, None),
        (PRICES / 100_000, None, absolute, None),
    ],
)
def test_large_targets_are_warned_of_where_they_are_left(y, scale, loss, warned):
    d = load((X, y), task="regression", scale_targets=scale)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Trainer(d, Zero, SPACE, epochs=1, lanes=1, loss=loss)
    said = [str(warning.message) for warning in caught]
    assert len(said) == (warned is not None)
    if warned:
        assert "your own loss and model see the targets of arrays as they are" in said[0]
        assert "in size, which networks learn slowly; standardise them" in said[0]
        assert "scale_targets=True" in said[0]
        assert "\n" not in said[0]


def test_a_class_has_no_scale():
    labels = np.arange(200) % 2
    for bad in (True, False):
        with pytest.raises(ValueError, match=f"scale_targets={bad} is for regression, and arrays has 2 classes; leave"):
            load((X, labels), scale_targets=bad)
    with pytest.raises(ValueError, match="scale_targets=1 must be True, False or None"):
        load((X, PRICES), task="regression", scale_targets=1)


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


def test_outputs_that_are_no_predictions_have_no_units():
    """A mean and a deviation, say: a loss of one's own takes them as they are, but they cannot be scaled back."""

    def likelihood(outputs, y):
        return jnp.mean(outputs[:, 1] + jnp.square(y - outputs[:, 0]) / jnp.exp(outputs[:, 1]))

    d = load((X, PRICES / 100_000), task="regression")
    assert Trainer(d, Pair, SPACE, loss=likelihood, metric=likelihood, minimize=True, epochs=1, lanes=1)
    d = load((X, PRICES), task="regression", scale_targets=True)
    with pytest.raises(ValueError, match=r"model returns \(20, 2\) for 20 examples; give predictions, .*, or scale_t"):
        Trainer(d, Pair, SPACE, loss=likelihood, metric=likelihood, minimize=True, epochs=1, lanes=1)
