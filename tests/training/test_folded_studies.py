"""Studies whose trials are folds and continue one another: what a rung has trained, and who answers together."""

import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.tuning import TrainingStudy
from tests.training.folded import SPACE, assert_same, fold_outputs, of_mlp, pool_of, rows_of, run, trainer_of, vectors

EPOCHS = 9
MILD = jh.Space(dict(SPACE) | {"learning_rate": jh.Float(1e-2, 0.1, log=True), "optimizer": jh.Choice(("adam",))})
CURVES = ("curve", "loss", "validation_loss")


def halving(space):
    return jh.algorithms.successive_halving(space, lanes=4, budget=EPOCHS, eta=3)


def population(space):
    return jh.algorithms.pbt(space, lanes=4, budget=EPOCHS, population=4, interval=3)


def study_of(algorithm, trials, **options):
    trainer = trainer_of(vectors(), space=MILD, epochs=EPOCHS, continues=True, **options)
    return TrainingStudy(trainer, algorithm(trainer.space), seed=2).run(trials)


def root_of(study, trial):
    while study.finished[trial].source >= 0:
        trial = study.finished[trial].source
    return trial


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
@pytest.mark.parametrize("options", [{"folds": 3}, {"repeats": 2}], ids=["folds", "repeats"])
def test_a_survivor_of_halving_is_its_first_trial_at_once(engine, options):
    """Also where patience has ended some of its lanes in an earlier rung: bit for bit."""
    study = study_of(halving, 28, patience=2, engine=engine, **options)
    continued = [trial for trial in study.finished if trial.source >= 0]
    assert {trial.budget for trial in continued} == {3, 9}
    trainer, some = study.trainer, False
    for trial in continued:
        fresh = trainer.objective.init(study._keys.objective)
        asked = rows_of(trainer.space, (root_of(study, trial.trial), trial.config, trial.budget))
        state, whole = trainer.objective.evaluate(study._keys.objective, fresh, asked)
        for name in (*CURVES, "checkpoint", "checkpoint_loss"):
            np.testing.assert_array_equal(trial.aux[name], whole.aux[name][0])
        assert trial.score == whole.score[0]
        before = study.finished[trial.source].budget
        np.testing.assert_array_equal(trial.aux["epochs"], np.maximum(whole.aux["epochs"][0] - before, 0))
        own = {one.trial: one for one in study.objective_state.candidates}[trial.trial]
        assert_same(own.networks, state.best.networks)
        some |= bool((whole.aux["epochs"][0] < trial.budget).any())
    assert some
    members = study.evaluate_ensemble(32).trials  # of a chain the best alone
    chains = [root_of(study, trial) for trial in members]
    assert len(chains) == len(set(chains)) >= 2


@pytest.mark.slow
def test_a_population_in_folds_scores_what_its_networks_say():
    """Each member's outputs are its own networks', after hyperparameters of a source have changed."""
    study = study_of(population, 12, folds=3)
    state, trainer = study.objective_state, study.trainer
    _, y = pool_of(trainer.data)
    changed = [t for t in study.finished if t.source >= 0 and t.config != study.finished[t.source].config]
    assert changed
    assert len(state.candidates) == 12
    for weights in state.candidates:
        outputs = fold_outputs(trainer, weights)
        np.testing.assert_allclose(outputs, state.outputs[weights.trial], rtol=2e-4, atol=2e-4)
        assert study.finished[weights.trial].score == pytest.approx(np.mean(outputs.argmax(1) == y), rel=1e-5)
    for trial in changed:  # what other hyperparameters reached is no score of its own
        assert (trial.aux["checkpoint"] > study.finished[trial.source].budget).all()


@pytest.mark.slow
def test_the_last_epoch_counts_where_it_is_asked_for():
    trainer = trainer_of(vectors(), folds=3, epochs=4, checkpoint="last", patience=1, space=MILD)
    config = {"learning_rate": 0.1, "batch_size": 8, "layers": 2, "units": 8, "dropout": 0.0, "optimizer": "adam"}
    state, outcome = run(trainer, (0, config, 4))
    _, y = pool_of(trainer.data)
    np.testing.assert_array_equal(outcome.aux["checkpoint"], outcome.aux["epochs"])
    assert (outcome.aux["epochs"][0] < 4).any()
    assert state.best.networks[0].params["out"]["kernel"].shape[-1] == 3
    np.testing.assert_allclose(fold_outputs(trainer, state.best), state.outputs[0], rtol=1e-4, atol=1e-4)
    assert outcome.score[0] == pytest.approx(np.mean(state.outputs[0].argmax(1) == y), rel=1e-6)


@pytest.mark.slow
def test_an_ensemble_is_the_mean_of_its_members():
    """Score and loss on the pool, and the test score, against NumPy."""
    trainer = trainer_of(vectors(), folds=3, epochs=4, space=MILD)
    study = TrainingStudy(trainer, jh.algorithms.random_search(MILD, lanes=4, budget=4), seed=1).run(8)
    found, state = study.evaluate_ensemble(3), study.objective_state
    x, y = pool_of(trainer.data)
    order = sorted(range(8), key=lambda trial: study.finished[trial].aux["checkpoint_loss"])
    losses = np.array([study.finished[trial].aux["checkpoint_loss"] for trial in order[:3]], np.float64)
    raw = np.exp(-(losses - losses[0]) * 100 / 8)
    raw = raw[raw > 1e-3]
    assert found.trials == tuple(order[: len(raw)])
    np.testing.assert_allclose([one.share for one in found.members], raw / raw.sum(), rtol=1e-5)
    powers = [np.exp(state.outputs[trial].astype(np.float64)) for trial in found.trials]
    mean = sum(one.share * each / each.sum(1, keepdims=True) for one, each in zip(found.members, powers, strict=True))
    assert found.score == pytest.approx(np.mean(mean.argmax(1) == y), rel=1e-6)
    assert found.loss == pytest.approx(-np.log(mean[np.arange(100), y]).mean(), rel=1e-5)
    assert found.standard_error == pytest.approx(np.sqrt(found.score * (1 - found.score) / 100), rel=0.25)
    total = 0
    for weights, share in found.members:
        for copy, own in enumerate(trainer.layout.folds.slices):
            rest = np.r_[0 : own.start, own.stop : 100]
            powers = np.exp(of_mlp(trainer, weights, copy, trainer.data.x_test, x[rest]))
            total += share * powers / powers.sum(1, keepdims=True) / 3
    assert study.score_ensemble(3) == pytest.approx(np.mean(total.argmax(1) == trainer.data.y_test), rel=1e-6)
    level = study.level_trials()
    assert study.winner.trial not in level
    assert all(study.finished[trial].score <= study.winner.score for trial in level)
