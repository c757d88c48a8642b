"""A loss and a metric of the user's do with every number of examples that a study has, or are refused at the door."""

import json
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.report.console import closing_lines
from jaxhpo.study.journal import plain
from jaxhpo.training import Trainer
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.networks import goal_rehearsal
from jaxhpo.training.networks.goal_rehearsal import rehearse_goal
from tests.training.folded import SPACE, trainer_of, vectors

# Of `vectors` in three folds: 33, 33 and 34 examples, 100 in all, and 20 for the test.
SMALL, LARGE, ALL, TEST = 33, 34, 100, 20


def but_for(*sizes, numpy=np):
    """Return a function of outputs and targets, for any number of examples but some; with `jnp` it can be traced."""

    def own(outputs, y):
        if len(y) in sizes:
            raise TypeError("a shape is written out")
        return numpy.mean(numpy.asarray(outputs)[:, 0])

    return own


REFUSED = {
    "loss, small fold": ("loss", SMALL, jnp, "loss of all 33 examples of a small fold"),
    "loss, large fold": ("loss", LARGE, jnp, "loss of all 34 examples of a fold"),
    "loss, all folds": ("loss", ALL, jnp, "loss of all 100 examples of the folds together"),
    "metric, small fold": ("metric", SMALL, jnp, "metric of all 33 examples of a small fold"),
    "metric, all folds": ("metric", ALL, jnp, "metric of all 100 examples of the folds together"),
    "metric, test": ("metric", TEST, jnp, "metric of all 20 test examples"),
    "metric on arrays, all folds": ("metric", ALL, np, "metric of all 100 examples of the folds together"),
    "loss, part": ("loss", SMALL // 5, jnp, "loss of all 6 examples of a part"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_fails_for_one_number_of_examples_is_refused_before_training(case, monkeypatch):
    name, size, numpy, subject = REFUSED[case]
    monkeypatch.setattr(Trainer, "train", None)
    options = {"model": "mlp", "space": SPACE, "trials": 4, "epochs": 1, "cache": False, "verbose": False}
    with pytest.raises(ValueError) as refused:
        jh.tune(replace(vectors(), split="made"), folds=3, **{name: but_for(size, numpy=numpy)}, **options)
    problem = f"{subject} fails on outputs and targets: TypeError: a shape is written out (test_goal_sizes.py, line "
    assert str(refused.value).startswith(problem)
    assert str(refused.value).endswith("); write it for any number of examples")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("model", ["mlp", lambda units: jh.models.MLP(1, units, 3)])
def test_without_folds_there_are_the_validation_and_the_test_examples(model):
    own = SPACE if model == "mlp" else jh.Space({"units": jh.Choice((4,)), "batch_size": jh.Choice((8,))})
    with pytest.raises(ValueError, match=r"^metric of all 20 test examples fails .*; write it for any number of"):
        trainer_of(vectors(), model, own, metric=but_for(TEST, numpy=jnp))
    with pytest.raises(ValueError, match=r"^loss of all 34 validation examples fails .*; write it for any number of"):
        trainer_of(vectors(), model, own, loss=but_for(LARGE, numpy=jnp))


def test_nobody_is_refused_for_a_number_of_examples_that_is_not_used():
    """No loss is computed of test examples, nor a metric on arrays of one fold; folds of one size have no small one.

    A metric on arrays may be without a value for the test examples, which may lack a class: its score is nan then.
    """
    trainer_of(vectors(), metric=but_for(TEST))
    trainer_of(vectors(), folds=3, loss=but_for(TEST, numpy=jnp), metric=but_for(SMALL))
    trainer_of(vectors(), loss=but_for(SMALL, ALL, TEST, numpy=jnp), metric=but_for(SMALL, ALL, numpy=jnp))
    trainer_of(vectors(99), folds=3, loss=but_for(32, 34, numpy=jnp), metric=but_for(32, 34, numpy=jnp))


def test_a_metric_on_arrays_is_not_tried_with_very_many_outputs(monkeypatch):
    monkeypatch.setattr(goal_rehearsal, "_MOST", ALL * 3 - 1)  # three classes
    trainer_of(vectors(), folds=3, metric=but_for(ALL))
    monkeypatch.setattr(goal_rehearsal, "_MOST", ALL * 3)
    with pytest.raises(ValueError, match="metric of all 100 examples of the folds together fails"):
        trainer_of(vectors(), folds=3, metric=but_for(ALL))


@pytest.mark.parametrize("name", METRICS)
def test_goals_of_jaxhpos_are_not_rehearsed(name):
    goal = read_goal(METRICS[name].task, None, name)
    assert rehearse_goal(goal, None, None, 3) is goal  # nothing is read


def test_a_search_outlives_a_metric_that_fails_at_the_end():
    over = []

    def fickle(outputs, y):
        if over:
            raise KeyError("late")
        return jnp.mean((jnp.argmax(outputs, 1) == y).astype(jnp.float32))

    space = jh.Space({"lr": jh.Float(1e-3, 1e-2), "units": jh.Choice((4,)), "batch_size": jh.Choice((8,))})
    options = {"model": "mlp", "space": space, "algorithm": "random_search", "trials": 4, "lanes": 4, "epochs": 1}
    options |= {"callbacks": [lambda study, trials: over.append(study)], "cache": False, "verbose": False}
    with pytest.warns(RuntimeWarning) as warned:
        study = jh.tune(vectors(), metric=fickle, final_fit=1, **options)
    compared, fitted = (str(one.message) for one in warned)
    assert compared.startswith("winner and ensemble were not compared: KeyError: 'late' (test_goal_sizes.py, line ")
    assert fitted.startswith("the winner was not trained again: metric fails on outputs and targets: KeyError: 'late'")
    assert all(one.filename == __file__ for one in warned)
    assert len(study.finished) == 4
    assert study.best.score == max(trial.score for trial in study.finished if not trial.failed)
    assert study.best_model().predict(vectors().x_test).shape == (TEST,)
    assert study.summary["best"]["test_score"] is None
    assert not {"winner", "ensemble", "recommended", "level"} & set(study.summary)
    assert closing_lines(study.summary)[0].endswith(", not scored on test data.")
    json.dumps(plain(study.summary), allow_nan=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("always:winner and ensemble were not compared")
def test_the_command_saves_the_winner_where_nothing_was_compared(tmp_path, monkeypatch):
    def fail(study):
        raise KeyError("late")

    monkeypatch.setattr("jaxhpo.tuning.workloads.compare_models", fail)
    quick = ["tune", "digits", "--model", "mlp", "--trials", "4", "--epochs", "1", "--train-examples", "256"]
    quick += ["--algorithm", "random_search", "--no-cache"]
    for i, options in enumerate((["--json"], ["--final-fit", "1"])):
        model = tmp_path / str(i)
        done = CliRunner().invoke(cli.app, [*quick, *options, "--save", str(model)])
        assert done.exit_code == 0, done.output
        assert "winner and ensemble were not compared: KeyError: 'late'" in done.stderr
        assert "Traceback" not in done.output
        assert jh.load_model(model).predict(jh.data.load("digits").x_test).shape == (360,)
