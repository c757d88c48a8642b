"""The final fit: the winner trained again on all but the test examples, from several seeds, all of them reported."""

import json
import math
from dataclasses import replace

import jax
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.report.console import closing_lines
from jaxhpo.study.journal import plain
from jaxhpo.training import FinalFit, Trainer, final_fit
from tests.training.small_models import CASES, TRAINS, assert_same, dataset_of

SPACE = jh.Space(TRAINS | {"units": jh.Choice((4, 16)), "dropout": jh.Float(0.0, 0.5)})
CONFIG = {"learning_rate": 0.02, "batch_size": 16, "units": 16, "dropout": 0.25}
EPOCHS = 2


@pytest.fixture(scope="module")
def trainer(small_digits):
    return Trainer(small_digits, "mlp", SPACE, epochs=3, lanes=4)


@pytest.fixture(scope="module")
def fitted(trainer):
    """Three trainings, and what each of them saw and did."""
    seen = []
    train, score = Trainer.train, Trainer.score_weights

    def spy(self, key, data, proposal, done):
        def take(launch, result):
            seen.extend(("updates", int(n)) for n in np.asarray(result.updates)[: len(launch.lanes)])
            done(launch, result)

        seen.append(("data", data))
        return train(self, key, data, proposal, take)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train", spy)
        patch.setattr(Trainer, "score_weights", lambda self, *a: seen.append(("scored", a)) or score(self, *a))
        final = final_fit(trainer, CONFIG, epochs=EPOCHS, seeds=3, seed=5)
    return final, seen


def of(seen, what):
    return [value for name, value in seen if name == what]


@pytest.mark.slow
def test_it_trains_on_training_and_validation_examples(fitted, trainer):
    final, seen = fitted
    (data,) = of(seen, "data")
    d = trainer.data
    assert (len(d.y_train), len(d.y_valid)) == (160, 54)
    x = np.concatenate([d.x_train, d.x_valid])
    assert np.array_equal(data.train.x, x)
    assert np.array_equal(data.train.y, np.concatenate([d.y_train, d.y_valid]))
    assert of(seen, "updates") == [EPOCHS * (214 // 16)] * 3  # 160 examples make 20
    for model in final.models:
        np.testing.assert_allclose(model.scaling["offset"], x.mean(), rtol=1e-6)


@pytest.mark.slow
def test_every_training_is_reported_and_its_own(fitted, trainer):
    final, seen = fitted
    assert len(of(seen, "scored")) == len(final.test_scores) == len(final.models) == 3
    kernels = [model.params["hidden_0"]["kernel"] for model in final.models]
    assert not any(np.array_equal(kernels[i], kernels[i - 1]) for i in range(3))
    for model, score in zip(final.models, final.test_scores, strict=True):
        assert score == pytest.approx(np.mean(model.predict(trainer.data.x_test) == trainer.data.y_test), rel=1e-6)
        assert model.config == final.config == CONFIG
        assert model.learner.model.units == 16


@pytest.mark.slow
def test_a_seed_fixes_it(fitted, trainer):
    final, _ = fitted
    fewer = final_fit(trainer, CONFIG, epochs=EPOCHS, seeds=2, seed=5)
    assert fewer.test_scores == final.test_scores[:2]
    for a, b in zip(fewer.models, final.models, strict=False):
        assert_same(a.params, b.params)
    other = final_fit(trainer, CONFIG, epochs=EPOCHS, seeds=1, seed=6)
    assert not np.array_equal(other.models[0].params["out"]["kernel"], final.models[0].params["out"]["kernel"])


@pytest.mark.slow
def test_the_test_split_chooses_nothing(fitted, small_digits):
    final, _ = fitted
    wrong = replace(small_digits, y_test=(small_digits.y_test + 1) % 10)
    again = final_fit(Trainer(wrong, "mlp", SPACE, epochs=3, lanes=4), CONFIG, epochs=EPOCHS, seeds=3, seed=5)
    for a, b in zip(again.models, final.models, strict=True):
        assert_same(a.params, b.params)
    assert max(again.test_scores) < min(final.test_scores)


def test_mean_and_standard_error_by_hand():
    final = FinalFit({"units": 8}, "accuracy", (0.5, 0.6, 0.7, 0.8), ())
    assert final.mean == pytest.approx(0.65)
    assert final.standard_error == pytest.approx(math.sqrt((0.15**2 + 0.05**2 + 0.05**2 + 0.15**2) / 3 / 4))
    assert repr(final).startswith("FinalFit(test accuracy 0.6500 +- 0.0645, 4 trainings")
    one = FinalFit({}, "rmse", (2.5,), ())
    assert one.mean == 2.5
    assert math.isnan(one.standard_error)
    assert plain(one.to_json()) == {
        "config": {},
        "metric": "rmse",
        "test_scores": [2.5],
        "mean": 2.5,
        "standard_error": None,
    }
    lost = FinalFit({}, "accuracy", (0.5, math.nan), ())
    assert math.isnan(lost.mean)
    assert math.isnan(lost.standard_error)


@pytest.mark.slow
def test_a_training_that_diverges_is_nan(trainer):
    space = jh.Space(TRAINS | {"learning_rate": jh.Choice((0.1, 1e30)), "optimizer": jh.Choice(("sgd",))})
    trainer = Trainer(trainer.data, "mlp", space, epochs=1, lanes=2)
    config = {"learning_rate": 1e30, "batch_size": 16, "optimizer": "sgd"}
    final = final_fit(trainer, config, epochs=1, seeds=2)
    assert np.isnan(final.test_scores).all()
    assert math.isnan(final.mean)
    assert len(final.models) == 2
    assert json.loads(json.dumps(plain(final.to_json()), allow_nan=False))["test_scores"] == [None, None]


@pytest.mark.parametrize("seeds", [0, -1, 1.5, True, "3", None])
def test_how_many_trainings(trainer, seeds):
    with pytest.raises(ValueError, match=f"seeds={seeds!r} must be an integer of at least 1"):
        final_fit(trainer, CONFIG, epochs=1, seeds=seeds)


@pytest.mark.slow_but_for("linen")
@pytest.mark.parametrize("name", ["targets", "linen", "rnn"])
def test_models_of_every_kind_are_fitted(name, small_digits):
    case = CASES[name]
    data = dataset_of(name, small_digits)
    trainer = Trainer(data, case.model, jh.Space(TRAINS | case.space), epochs=1, lanes=2)
    config = {"learning_rate": 0.05, "batch_size": 16} | case.config
    final = final_fit(trainer, config, epochs=1, seeds=1)
    model = final.models[0]
    predicted = model.predict(data.x_test)
    if name == "targets":
        y, p = data.y_test.astype(float), predicted.astype(float)
        assert final.test_scores[0] == pytest.approx(np.mean(1 - ((p - y) ** 2).mean(0) / y.var(0)), abs=1e-5)
        both = np.concatenate([data.y_train, data.y_valid])
        np.testing.assert_allclose(model.scaling["target_offset"], both.mean(0), rtol=1e-5)
    else:
        hits = predicted == np.array(data.class_names)[data.y_test]
        assert hits.mean() == pytest.approx(final.test_scores[0], rel=1e-6)
    assert model.config == config


# --- in a study ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study(small_digits):
    options = {"trials": 4, "lanes": 4, "epochs": 2, "seed": 3, "cache": False, "verbose": False}
    return jh.tune(small_digits, model="mlp", space=SPACE, algorithm="random_search", final_fit=2, **options)


@pytest.mark.slow
def test_a_study_keeps_it(study):
    assert isinstance(study.final, FinalFit)
    assert study.final.config == study.best.config
    assert study.best_model() is study.final.models[0]
    assert study.best.test_score not in (None, study.final.mean)
    final = study.summary["final"]
    assert final == study.final.to_json()
    assert len(final["test_scores"]) == 2
    line = f"2 seeds: test accuracy {study.final.mean:.4f} +- {study.final.standard_error:.4f} (standard error)."
    assert f"Trained on all but the test examples, {line}" in closing_lines(study.summary)
    once = closing_lines(study.summary | {"final": final | {"test_scores": [0.5], "mean": 0.5}})
    assert "Trained on all but the test examples, one seed: test accuracy 0.5000." in once


@pytest.mark.slow
def test_a_study_can_be_fitted_later(study, small_digits):
    options = {"trials": 4, "lanes": 4, "epochs": 2, "seed": 3, "cache": False, "verbose": False}
    later = jh.tune(small_digits, model="mlp", space=SPACE, algorithm="random_search", **options)
    assert later.final is None
    assert later.summary["final"] is None
    assert later.best == study.best
    before = later.best_model()
    predicted = before.predict(small_digits.x_test) == small_digits.y_test
    assert predicted.mean() == pytest.approx(later.best.test_score, rel=1e-6)
    final = later.final_fit(seeds=2)
    assert final is later.final
    assert final.test_scores == study.final.test_scores
    assert later.best_model() is final.models[0]
    assert later.best == study.best  # what was selected stays


@pytest.mark.slow
def test_the_best_model_is_the_first_that_did_not_diverge(study):
    fake = jh.TrainingStudy(study.trainer, jh.algorithms.random_search(study.space, lanes=1))
    fake.final = FinalFit({}, "accuracy", (math.nan, 0.1, 0.9), ("a", "b", "c"))
    assert fake.best_model() == "b"
    fake.final = FinalFit({}, "accuracy", (math.nan, math.nan), ("a", "b"))
    with pytest.raises(ValueError, match="all 2 trainings of the final fit diverged"):
        fake.best_model()


@pytest.mark.slow
def test_a_study_without_trials_has_no_networks(study):
    empty = jh.TrainingStudy(study.trainer, jh.algorithms.random_search(study.space, lanes=1))
    for call in (empty.best_model, empty.final_fit, empty.score_test):
        with pytest.raises(ValueError, match="study has no best trial: no trial has been told"):
            call()
    with pytest.raises(ValueError, match="seeds=0 must be an integer of at least 1"):
        study.final_fit(0)
    assert len(study.final.models) == 2  # what was there stays


@pytest.mark.slow_but_for("error0")
@pytest.mark.parametrize(
    "error",
    [ValueError("memory=1 GiB is too little"), RuntimeError("RESOURCE_EXHAUSTED: no\nmore"), TypeError("no shape")],
)
def test_a_search_outlives_a_final_fit_that_fails(error, small_digits, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("jaxhpo.tuning.training_study.final_fit", fail)
    options = {"trials": 4, "lanes": 4, "epochs": 2, "seed": 3, "cache": False, "verbose": False}
    with pytest.warns(RuntimeWarning, match=r"^the winner was not trained again: (memory=1|RES.*: no$|no shape)"):
        study = jh.tune(small_digits, model="mlp", space=SPACE, algorithm="random_search", final_fit=2, **options)
    assert study.best.test_score is not None
    assert study.final is None
    assert study.summary["final"] is None


@pytest.mark.parametrize("number", [-1, 1.5, True, "3", None])
def test_a_bad_number_is_refused_before_anything_is_trained(number, small_digits):
    with pytest.raises(ValueError, match=f"final_fit={number!r} must be a number of trainings, 0 for none"):
        jh.tune(small_digits, final_fit=number, verbose=False, cache=False)


@pytest.mark.slow
def test_weights_are_not_kept_on_the_device_twice(fitted):
    final, _ = fitted
    assert all(isinstance(leaf, np.ndarray) for model in final.models for leaf in jax.tree.leaves(model.params))
