"""A trial of folds has the metric of all held-out outputs together, and these are what its networks say."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

import jaxhpo as jh
from jaxhpo.training import Trainer
from jaxhpo.training.goal.resampling import SAMPLES
from jaxhpo.training.run import candidates
from tests.training.folded import GOOD, SPACE, assert_same, fold_outputs, of_mlp, pool_of, run, trainer_of, vectors

NARROW = {"learning_rate": 0.05, "batch_size": 16, "layers": 1, "units": 4, "dropout": 0.25, "optimizer": "sgd"}
CONFIGS = (GOOD, NARROW, GOOD | {"dropout": 0.4, "batch_size": 16})
EPOCHS = 4
ASK = [(trial, config, EPOCHS) for trial, config in enumerate(CONFIGS)]


@pytest.fixture(scope="module")
def trained():
    trainer = trainer_of(vectors(), folds=3, epochs=EPOCHS)
    return trainer, *run(trainer, *ASK)


def cross_entropy(logits, y):
    logits = logits.astype(np.float64)
    most = logits.max(1)
    return most + np.log(np.exp(logits - most[:, None]).sum(1)) - logits[np.arange(len(y)), y]


def test_a_score_is_that_of_all_rows_together(trained):
    trainer, state, outcome = trained
    _, y = pool_of(trainer.data)
    drawn = jax.random.randint(jax.random.key(0, impl="threefry2x32"), (SAMPLES, 100), 0, 100, jnp.int32)
    assert sorted(state.outputs) == [0, 1, 2]
    for trial, outputs in state.outputs.items():
        assert outputs.shape == (100, 3)
        right = outputs.argmax(1) == y
        share = right.mean()
        assert 0.3 < share < 0.9
        assert outcome.score[trial] == pytest.approx(share, rel=1e-6)
        error = outcome.standard_error[trial]
        assert error == pytest.approx(math.sqrt(share * (1 - share) / 100), rel=0.35)
        assert error == pytest.approx(np.std(right[np.asarray(drawn)].mean(1), ddof=1), rel=1e-4)


def test_curves_are_each_fold_s_and_the_loss_is_that_of_all_rows(trained):
    trainer, state, outcome = trained
    _, y = pool_of(trainer.data)
    slices = trainer.layout.folds.slices
    assert [own.stop - own.start for own in slices] == [33, 33, 34]
    assert outcome.aux["curve"].shape == outcome.aux["validation_loss"].shape == (3, 3, EPOCHS)
    for trial, outputs in state.outputs.items():
        losses, right = cross_entropy(outputs, y), outputs.argmax(1) == y
        for fold, own in enumerate(slices):
            kept = outcome.aux["checkpoint"][trial, fold]
            curve = outcome.aux["validation_loss"][trial, fold]
            assert kept == 1 + np.argmin(curve)
            np.testing.assert_allclose(curve[kept - 1], losses[own].mean(), rtol=1e-5)
            np.testing.assert_allclose(outcome.aux["curve"][trial, fold, kept - 1], right[own].mean(), rtol=1e-6)
        assert outcome.aux["checkpoint_loss"][trial] == pytest.approx(losses.mean(), rel=1e-5)
        # Of 66 examples there are 8 batches of 8, or 4 of 16.
        updates = EPOCHS * (8 if CONFIGS[trial]["batch_size"] == 8 else 4)
        assert outcome.aux["updates"][trial].tolist() == [updates] * 3
        assert outcome.aux["epochs"][trial].tolist() == [EPOCHS] * 3
    assert trainer.report()["trials"] == sum(bucket["trials"] for bucket in trainer.report()["buckets"]) == 3


def test_the_outputs_are_what_each_network_says_of_the_fold_that_it_held_out(trained):
    """In plain NumPy, with the mean and deviation of the rows that the network was trained on."""
    trainer, state, outcome = trained
    assert len(state.candidates) == 3
    for weights in state.candidates:
        assert len(weights.networks) == 3
        assert weights.loss == pytest.approx(outcome.aux["checkpoint_loss"][weights.trial], rel=1e-6)
        assert weights.score == pytest.approx(outcome.score[weights.trial], rel=1e-6)
        np.testing.assert_allclose(fold_outputs(trainer, weights), state.outputs[weights.trial], rtol=1e-4, atol=1e-4)
    best = max(state.candidates, key=lambda one: (one.score, -one.loss, -one.trial))
    assert_same(state.best.networks, best.networks)
    kernels = [network.params["out"]["kernel"] for network in best.networks]
    assert not any(np.array_equal(kernels[i], kernels[i - 1]) for i in range(3))


def test_the_test_score_is_that_of_the_mean_probabilities(trained):
    trainer, state, _ = trained
    data, weights = trainer.data, state.best
    x, y = pool_of(data)
    total = np.zeros((len(data.y_test), 3))
    for copy, own in enumerate(trainer.layout.folds.slices):
        rest = np.r_[0 : own.start, own.stop : len(y)]
        z = of_mlp(trainer, weights, copy, data.x_test, x[rest])
        total += np.exp(z - cross_entropy(z, np.zeros(len(z), int))[:, None] - z[:, :1]) / 3
    np.testing.assert_allclose(total.sum(1), 1, rtol=1e-9)
    assert trainer.score_test(state) == pytest.approx(np.mean(total.argmax(1) == data.y_test), rel=1e-6)


def weighted(outputs, y):
    """A metric of the user's: of all rows together it is no mean over folds."""
    right = (jnp.argmax(outputs, 1) == y).astype(jnp.float32)
    share = y.astype(jnp.float32) / jnp.sum(y).astype(jnp.float32)
    return jnp.sum(right * share) - jnp.mean(right) ** 2


def auc(outputs, y):
    powers = np.exp(outputs.astype(np.float64) - outputs.max(1, keepdims=True))
    return metrics.roc_auc_score(y, powers / powers.sum(1, keepdims=True), multi_class="ovr")


F1 = functools.partial(metrics.f1_score, average="macro")
METRICS = {
    "r2": (0, 2, {}, lambda o, y: metrics.r2_score(y, o)),
    "r2 of two targets": (2, 3, {}, lambda o, y: metrics.r2_score(y, o)),
    "roc_auc": (None, 3, {"metric": "roc_auc"}, auc),
    "own": (None, 3, {"metric": weighted}, lambda o, y: weighted(jnp.asarray(o), jnp.asarray(y))),
    "on arrays": (None, 3, {"metric": F1}, lambda o, y: F1(y, o.argmax(1))),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", METRICS)
def test_a_metric_is_that_of_all_rows_and_not_the_mean_over_folds(case):
    targets, count, options, expected = METRICS[case]
    trainer = trainer_of(vectors(101, count, targets=targets), folds=count, epochs=EPOCHS, **options)
    state, outcome = run(trainer, *ASK[:2])
    _, y = pool_of(trainer.data)
    apart = []
    for trial in (0, 1):
        outputs = state.outputs[trial]
        assert outputs.shape == ((101, 3) if targets is None else y.shape)
        assert outcome.score[trial] == pytest.approx(float(expected(outputs, y)), rel=1e-4)
        folds = [float(expected(outputs[own], y[own])) for own in trainer.layout.folds.slices]
        apart.append(abs(np.mean(folds) - outcome.score[trial]))
        assert np.isfinite(outcome.standard_error[trial])
        assert outcome.standard_error[trial] > 0
        if case == "on arrays":
            assert np.isnan(outcome.aux["curve"][trial]).all()
        else:
            kept = outcome.aux["checkpoint"][trial]
            np.testing.assert_allclose(outcome.aux["curve"][trial, np.arange(count), kept - 1], folds, rtol=1e-4)
    assert max(apart) > 1e-3
    for weights in state.candidates:
        np.testing.assert_allclose(fold_outputs(trainer, weights), state.outputs[weights.trial], rtol=1e-4, atol=1e-4)


def recall(outputs, y):
    """Of class 2: no number where there is no example of it."""
    is_ = (y == 2).astype(jnp.float32)
    return jnp.sum(is_ * (jnp.argmax(outputs, 1) == 2).astype(jnp.float32)) / jnp.sum(is_)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_fold_that_has_no_score_of_its_own_fails_no_trial(engine):
    """Fold 0 has no example of class 2; all folds together have."""
    data = vectors()
    data.y_train[:33] = np.minimum(data.y_train[:33], 1)
    trainer = trainer_of(data, folds=3, epochs=EPOCHS, engine=engine, metric=recall, patience=2, continues=True)
    state, outcome = run(trainer, *ASK)
    _, y = pool_of(data)
    for trial in range(3):
        expected = np.mean(state.outputs[trial].argmax(1)[y == 2] == 2)
        assert outcome.score[trial] == pytest.approx(expected, rel=1e-5)
        assert np.isnan(outcome.aux["curve"][trial, 0]).all()
        losses, kept = outcome.aux["validation_loss"][trial], outcome.aux["checkpoint"][trial]
        assert (outcome.aux["epochs"][trial] == np.isfinite(losses).sum(1)).all()
        assert (kept == 1 + np.nanargmin(losses, 1)).all()
        assert np.isfinite(outcome.aux["checkpoint_loss"][trial])
    # Such a training goes on like others.
    state, _ = run(trainer, *((trial, config, 2) for trial, config, _ in ASK))
    state = trainer.objective.retain(state, np.arange(3))
    _, parts = run(trainer, *((4 + trial, config, EPOCHS, trial) for trial, config, _ in ASK), state=state)
    np.testing.assert_array_equal(parts.score, outcome.score)
    np.testing.assert_array_equal(parts.aux["validation_loss"], outcome.aux["validation_loss"])
    before = np.minimum(outcome.aux["epochs"], 2)
    np.testing.assert_array_equal(parts.aux["epochs"], outcome.aux["epochs"] - before)


def of_all(outputs, y):
    """A metric that is infinite for all rows together, and a number for each fold."""
    return jnp.mean(outputs) / (jnp.float32(0) if len(y) == 100 else jnp.float32(1))


@pytest.mark.slow
def test_a_trial_without_a_finite_score_of_all_rows_fails():
    trainer = trainer_of(vectors(), folds=3, epochs=1, metric=of_all)
    state, outcome = run(trainer, (0, GOOD, 1))
    assert np.isfinite(outcome.aux["curve"][0]).all()
    assert np.isnan(outcome.score[0])
    assert np.isnan(outcome.standard_error[0])
    assert (state.best, state.candidates, dict(state.outputs)) == (None, (), {})


# --- what is kept --------------------------------------------------------------------------------------------------


def negative(outputs, y):
    """The higher, the worse the loss."""
    return -jnp.mean(jax.nn.log_softmax(outputs)[jnp.arange(len(y)), y])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_what_is_kept_is_bounded_and_keeps_no_chunk(engine, monkeypatch):
    monkeypatch.setattr(candidates, "MOST", 2)
    trainer = trainer_of(vectors(), folds=3, epochs=2, engine=engine, metric=negative)
    lanes = [(trial, GOOD | {"learning_rate": 0.001 * 3**trial, "dropout": 0.1 * trial}, 2) for trial in range(4)]
    state, outcome = run(trainer, *lanes)
    order = np.argsort(outcome.aux["checkpoint_loss"][:4])
    assert [one.trial for one in state.candidates] == order[:2].tolist()
    assert state.best.trial == order[-1] == np.argmax(outcome.score[:4])  # kept beside the candidates
    for leaf in jax.tree.leaves((state.best.networks, [one.networks for one in state.candidates], state.outputs)):
        assert getattr(leaf.base, "nbytes", leaf.nbytes) == leaf.nbytes
    # Bytes for one trial and a half of weights: then the lowest loss alone, and outputs of no trial but the first.
    one, outputs = state.candidates[0].bytes, state.outputs[0].nbytes
    monkeypatch.setattr(candidates, "MOST_BYTES", one * 3 // 2)
    again, _ = run(trainer, *lanes)
    assert [one.trial for one in again.candidates] == order[:1].tolist()
    assert sorted(again.outputs) == list(range(min(4, one * 3 // 2 // outputs)))
    assert again.best.trial == state.best.trial
    assert_same(again.best.networks, state.best.networks)


@pytest.mark.slow
def test_without_folds_no_chunk_is_kept_either(small_digits):
    """A chunk of eight lanes, of which one is a trial's."""
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=1, lanes=8, machine=jh.Machine(engine="vmap"))
    state, outcome = run(trainer, (0, GOOD, 1))
    assert trainer.plan.buckets[-1].size > 1
    assert np.isnan(outcome.standard_error).all()
    for leaf in jax.tree.leaves((state.best.networks, state.outputs)):
        assert getattr(leaf.base, "nbytes", leaf.nbytes) == leaf.nbytes
    np.testing.assert_allclose(np.mean(state.outputs[0].argmax(1) == small_digits.y_valid), outcome.score[0], rtol=1e-6)
