"""Every kind of network and data in folds and in repeats: what each network says, and the winner's final fit."""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxhpo as jh
from jaxhpo.data import Dataset
from jaxhpo.models import FAMILIES
from jaxhpo.tuning import TrainingStudy
from tests.training import folded
from tests.training.small_models import Linen

EPOCHS = 3
TRAINS = {"learning_rate": jh.Choice((0.02, 0.05)), "batch_size": jh.Choice((8,))}
SIZES = {"layers": jh.Choice((1,)), "units": jh.Choice((4, 8))}
OWN = {"width": jh.Choice((8,)), "activation": jh.Choice(("gelu",)), "dropout": jh.Float(0.0, 0.5)}


class Targets(nn.Module):
    """A network that learns whatever its loss makes of it."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.tanh(nn.Dense(8)(x)))


def of_whole_batches(outputs, y):
    """A loss that no part of the rows has: it has the batch's mean and deviation."""
    spread = jnp.mean((outputs - jnp.mean(outputs, 0, keepdims=True)) ** 2)
    cross = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs, y))
    return cross + 0.1 * spread + 0.01 * jnp.max(outputs)


def of_the_batch_s_targets(outputs, y):
    return jnp.mean(jnp.abs(outputs - y)) + 0.1 * jnp.abs(jnp.mean(outputs) - jnp.mean(y))


def long_and_short():
    """Texts of two length groups; the last of each fold is long, and only in the first fold there are many."""
    random = np.random.default_rng(1)
    lengths = np.where(np.arange(140) < 40, 40, random.integers(1, 9, 140))
    lengths[[55, 101]] = 40
    x = random.integers(1, 20, (140, 40)).astype(np.int32)
    x[np.arange(40)[None] >= lengths[:, None]] = 0
    y = (((x > 0) & (x < 10)).sum(1) > (x >= 10).sum(1)).astype(np.int32)
    parts = [x[:90], y[:90], x[90:111], y[90:111], x[111:], y[111:]]
    return Dataset("long and short", *parts, classes=2, vocabulary=20)


CASES = {
    "mlp, two targets": (lambda _: folded.vectors(61, 2, targets=2), "mlp", SIZES, {}),
    "cnn": (lambda data: data["small_digits"], "cnn", SIZES, {}),
    "rnn": (lambda data: data["small_text"], "rnn", SIZES, {}),
    "rnn, length groups": (lambda _: long_and_short(), "rnn", SIZES | {"cell": jh.Choice(("gru",))}, {}),
    "rnn, sequences": (lambda data: data["small_series"], "rnn", SIZES, {}),
    "dan, length groups": (lambda _: long_and_short(), "dan", SIZES | {"bigrams": jh.Choice((2048,))}, {}),
    "linen, batch norm": (lambda _: folded.vectors(61, 2), Linen, OWN, {}),
    "linen, a loss of whole batches": (lambda _: folded.vectors(61, 2), Linen, OWN, {"loss": of_whole_batches}),
    "linen, standardised targets": (
        lambda _: replace(folded.vectors(61, 2, targets=2), scale_targets=True),
        Targets,
        {},
        {"loss": of_the_batch_s_targets},
    ),
}


@pytest.fixture(scope="module")
def data(small_digits, small_text, small_series):
    small = small_digits.take(60)
    return {
        "small_digits": replace(small, x_valid=small.x_valid[:21], y_valid=small.y_valid[:21]),
        "small_text": replace(small_text, x_valid=small_text.x_valid[:21], y_valid=small_text.y_valid[:21]),
        "small_series": replace(small_series, x_valid=small_series.x_valid[:21], y_valid=small_series.y_valid[:21]),
    }


def trainer_of(case, data, **options):
    make, model, space, more = CASES[case]
    own = folded.with_folds(make(data), options.get("folds", 1) if "folds" in options else 2)
    return folded.trainer_of(own, model, jh.Space(TRAINS | space), epochs=EPOCHS, lanes=2, **options, **more)


def study_of(trainer):
    return TrainingStudy(trainer, jh.algorithms.random_search(trainer.space, lanes=2, budget=EPOCHS), seed=3).run(4)


def moments(data, train):
    """Return mean and deviation of training examples, as a data set of them alone has them."""
    if data.kind == "text":
        return 0.0, 1.0
    axis = {"vector": 0, "image": None}.get(data.kind, (0, 1))
    return np.nanmean(train, axis, np.float64), np.nanstd(train, axis, np.float64)


def says(trainer, weights, copy, x, train, targets):
    """Return a network's outputs for rows, in plain Flax; of two sizes and whole texts."""
    config, network = trainer.space.to_config(weights.point), weights.networks[copy]
    mean, deviation = moments(trainer.data, train)
    x = ((x - mean) / deviation).astype(np.float32)
    learner, params, _ = trainer.family.alone(trainer.plan, weights.bucket, config, network.params)
    if isinstance(trainer.family.name, str) and trainer.family.name in FAMILIES:
        z = learner.model.apply({"params": params}, x)
    elif "width" in config:
        own = {name: config[name] for name in OWN}
        z = Linen(3, **own).apply({"params": params, **network.statistics}, x, train=False)
    else:
        z = Targets().apply({"params": params}, x)
    z = np.asarray(z, np.float64)
    return z if targets is None else z * targets.std(0, dtype=np.float64) + targets.mean(0, np.float64)


@pytest.mark.sampled
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_each_fold_s_network_says_what_is_scored(case, data, users_settings):
    trainer = trainer_of(case, data, folds=2)
    study = study_of(trainer)
    state, sizes = study.objective_state, trainer.layout.folds
    assert len(set(sizes.sizes)) == 2
    assert len(state.candidates) == 4
    if case.endswith("length groups"):
        assert trainer.plan.lengths == (8, 40)
    placed = state.data.train
    x, y = np.asarray(placed.x), np.asarray(placed.y)  # texts by their groups
    for weights in state.candidates:
        trial, outputs = study.finished[weights.trial], state.outputs[weights.trial]
        assert np.isfinite(trial.score)
        for copy, own in enumerate(sizes.slices):
            rest = np.r_[0 : own.start, own.stop : len(y)]
            targets = y[rest] if trainer.data.task == "regression" else None
            expected = says(trainer, weights, copy, x[own], x[rest], targets)
            np.testing.assert_allclose(outputs[own], expected, rtol=2e-4, atol=2e-4)
            loss = CASES[case][3].get("loss")
            if loss is not None:  # of all rows of the fold, and of no other
                said, true = outputs[own], y[own]
                if targets is not None:
                    said, true = ((a - targets.mean(0)) / targets.std(0) for a in (said, true))
                kept = trial.aux["validation_loss"][copy, trial.aux["checkpoint"][copy] - 1]
                assert kept == pytest.approx(float(loss(jnp.asarray(said), jnp.asarray(true))), rel=1e-4)
    assert np.isfinite(study.score_test())
    check_final_fit(study, x)


def check_final_fit(study, x):
    """Check that a final fit has all examples, for as many updates as the winner's trainings had in the middle."""
    trainer, asked = study.trainer, []
    again = type(trainer).train

    def noted(self, key, data, proposal, *rest):
        asked.append(proposal.budget.tolist())
        return again(self, key, data, proposal, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(trainer), "train", noted)
        final = study.final_fit(seeds=2)
    assert np.isfinite(final.test_scores).all()
    kept = round(float(np.median(study.finished[study.winner.trial].aux["checkpoint"])))
    updates = kept * (len(trainer.data.y_train) // 8)
    assert asked == [[min(max(round(updates / (len(x) // 8)), 1), EPOCHS)] * 2]
    mean = np.asarray(moments(trainer.data, x)[0])
    np.testing.assert_allclose(np.ravel(final.models[0].scaling["offset"]), np.ravel(mean), rtol=1e-3, atol=1e-4)
    predicted = study.best_model().predict(trainer.data.x_test)
    assert predicted.shape == trainer.data.y_test.shape


@pytest.mark.sampled
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_repeats_are_trainings_of_their_own(case, data, users_settings):
    study = study_of(trainer_of(case, data, repeats=2))
    state = study.objective_state
    assert len(state.candidates) == 4
    for weights in state.candidates:
        first, second = (jax.tree.leaves(network.params) for network in weights.networks)
        assert any(not np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        trial = study.finished[weights.trial]
        assert np.isfinite(trial.score)
        kept = np.take_along_axis(trial.aux["curve"], trial.aux["checkpoint"][:, None] - 1, -1)
        assert trial.score == pytest.approx(kept.mean(), rel=1e-4)
        assert len(state.outputs[weights.trial]) == len(study.trainer.data.y_valid)
    assert np.isfinite(study.score_test())
    check_final_fit(study, folded.pool_of(study.trainer.data)[0])
