"""`tune` with functions in place of data, and what it shows of them."""

import functools
import json
import math

import jax
import jax.numpy as jnp
import pytest

import jaxhpo as jh
from jaxhpo.report.console import best_table, closing_lines
from jaxhpo.report.progress import ProgressBar

LINE = jh.Space({"x": jh.Float(-2.0, 2.0, levels=41), "kind": jh.Choice(("a", "b"))})


def strict(line):
    """Read a line that has to be strict JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


def train(key, hparams):
    del key
    return jnp.where(hparams["x"] > 1.9, jnp.nan, (hparams["x"] - 0.5) ** 2 + float(hparams["kind"] == "b"))


def score(config, budget):
    if config["x"] > 1.5:
        raise RuntimeError("too far")
    return abs(config["x"]) / budget


def test_a_traceable_function(tmp_path, capfd):
    options = {"minimize": True, "lanes": 4, "trials": 40, "cache": False, "verbose": True}
    study = jh.tune(jh.traceable(train), space=LINE, algorithm="grid_search", output=tmp_path / "out", **options)
    shown = capfd.readouterr()  # standard error is no terminal
    assert shown.out == ""
    understood = study.summary["overview"]
    lines = shown.err.splitlines()
    assert lines[: len(understood)] == understood
    assert len(lines) == len(understood) + 10
    assert lines[len(understood)].startswith("4 of 40 trials, best ")
    assert study.direction == "minimize"
    assert study.best.score == study.trials["score"].min()
    assert study.best.config["kind"] == "a"
    assert study.best.test_score is None
    header, *trials, result = [strict(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert header["header"]["function"] == "train"
    assert (header["header"]["metric"], header["header"]["direction"]) == ("score", "minimize")
    assert header["header"]["plan"]["engine"] == "vmap"
    assert "data" not in header["header"]
    assert len(trials) == 40
    assert result["result"]["training"] is None
    assert result["result"]["final"] is None
    assert result["result"]["best"]["score"] == study.best.score
    lines = closing_lines(study.summary)
    assert lines[0] == f"Winner: trial {study.best.trial}, score {study.best.score:.6g}."
    assert next(iter(best_table(study).columns[0].cells)) == "score"
    assert type(study) is jh.Study  # a function's study has no networks
    assert not any(hasattr(study, name) for name in ("best_model", "final_fit", "winner", "score_test"))


@pytest.mark.filterwarnings("ignore:trial .* failed. RuntimeError. too far:RuntimeWarning")
def test_a_plain_function_that_fails_sometimes(tmp_path):
    grid = jh.Space({"x": jh.Float(-2.0, 2.0, levels=5)})
    study = jh.tune(
        jh.function(score, workers=0),
        space=grid,
        minimize=True,
        algorithm="grid_search",
        epochs=4,
        trials=5,
        lanes=2,
        output=tmp_path / "out",
        verbose=False,
        cache=False,
    )
    assert study.trials["score"].tolist()[:4] == [0.5, 0.25, 0.0, 0.25]
    assert math.isnan(study.trials["score"].iloc[4])
    assert study.best.config == {"x": 0.0}
    rows = [strict(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert rows[5]["score"] is None
    assert rows[0]["header"]["plan"]["engine"] == "processes"
    assert closing_lines(study.summary)[1].startswith("5 trials (1 failed) in ")


@pytest.mark.slow
def test_a_function_that_always_fails_is_said():
    always = jh.traceable(lambda key, hparams: hparams["x"] * jnp.nan)
    study = jh.tune(always, space=jh.Space({"x": LINE["x"]}), trials=4, cache=False, verbose=False)
    assert study.summary["best"] is None
    assert closing_lines(study.summary)[0] == "None of the 4 trials succeeded: no call gave a finite score."


HALVING = functools.partial(jh.algorithms.successive_halving, configurations=9, eta=3)


@pytest.mark.parametrize(
    "kind", ["function", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("traceable", "static"))]
)
def test_what_it_costs_that_every_trial_trains_from_its_start_is_said(tmp_path, kind):
    """Nine configurations for 1, the best three of them for 3."""
    space = jh.Space({"x": jh.Float(0.0, 1.0), "y": jh.Choice((1, 2))})
    traced = jh.traceable(lambda key, h, budget: h["x"] * h["y"] * budget, static=("y",) if kind == "static" else ())
    called = jh.function(lambda config, budget: config["x"] * budget, workers=0)
    options = {"algorithm": HALVING, "epochs": 9, "lanes": 9, "output": tmp_path / "out"}
    with jax.numpy_dtype_promotion("standard"):
        study = jh.tune(
            called if kind == "function" else traced, space=space, trials=12, cache=False, verbose=False, **options
        )
    assert study.trials["budget"].tolist() == [1] * 9 + [3] * 3
    assert (study.trials["source"] >= 0).tolist() == [False] * 9 + [True] * 3
    assert study.trials["trained_from"].tolist() == [0] * 12
    assert study.summary["restarts"] == {"computed": 9 * 1 + 3 * 3, "asked": 9 * 1 + 3 * 2}
    line = "18 units of budget were computed for 15 asked: every trial trained from its start."
    assert line in closing_lines(study.summary)
    rows = [strict(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [row["trained_from"] for row in rows[1:13]] == [0] * 12


def test_nothing_is_said_of_restarts_where_no_trial_continues_another():
    objective = jh.function(lambda config, budget: config["x"] * budget, workers=0)
    space = jh.Space({"x": jh.Float(0.0, 1.0)})
    options = {"algorithm": "random_search", "epochs": 9, "trials": 4, "cache": False, "verbose": False}
    study = jh.tune(objective, space=space, **options)
    assert study.summary["restarts"] is None
    assert not any("from its start" in line for line in closing_lines(study.summary))


@pytest.mark.parametrize("portfolio", [False, True])
@pytest.mark.parametrize("static", [(), ("y",)])
def test_population_based_training_of_a_function_is_refused(static, portfolio):
    space = jh.Space({"x": jh.Float(0.0, 1.0), "y": jh.Choice((1, 2))})
    message = (
        "algorithm changes hyperparameters of a training as it goes on, and a function trains every trial from its "
        "start with the last ones only; use another algorithm with rungs, such as 'asha' or 'hyperband'"
    )
    options = {"space": space, "algorithm": "pbt", "epochs": 20, "lanes": 4, "trials": 8}
    if portfolio:
        past = jh.Study(space, jh.algorithms.random_search(space, lanes=2))
        past.tell([1.0 for _ in past.ask()])
        options["enqueue"] = jh.Portfolio.from_studies([past])
    for train in (
        lambda key, h, budget: h["x"] + jnp.float32(h["y"]) * jnp.float32(budget),
        lambda key, h: h["x"] * jnp.float32(h["y"]),
    ):
        check_refused(message, jh.traceable(train, static=static), **options)
    check_refused(message, jh.function(lambda config, budget: 1.0, workers=0), **options)
    algorithm = jh.algorithms.pbt(space, lanes=4, budget=20)
    objective = jh.traceable(train).objective(space)
    for run in (jh.Study, lambda space, *rest: jh.run_traced(*rest, 2)):
        with pytest.raises(ValueError, match="algorithm changes hyperparameters of a training"):
            run(space, algorithm, objective)
    assert not jh.algorithms.pbt(space, lanes=4, budget=1).perturbs  # it has no second step


def test_progress_is_shown_in_a_terminal(monkeypatch, capfd):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    study = jh.Study(LINE, jh.algorithms.grid_search(LINE, lanes=2))
    study.ask()
    study.tell([0.25, 0.5])
    study._metrics[-1]["epsilon"] = 0.125
    with ProgressBar(4, 2, enabled=True, details=True) as progress:
        progress(study, study.finished)
    shown = capfd.readouterr().err
    for part in ("tuning", "2/4", "best 0.5000", "epsilon 0.12", "2 lanes"):
        assert part in shown
    with ProgressBar(4, 2, enabled=False) as progress:
        progress(study, study.finished)
    assert capfd.readouterr() == ("", "")


OF_DATA = {
    "model": "mlp",
    "loss": score,
    "metric": "rmse",
    "target": "y",
    "drop": "a",
    "task": "regression",
    "image_size": (8, 8),
    "final_fit": 2,
    "machine": jh.Machine(engine="vmap"),
    "train_examples": 10,
    "data_dir": "/tmp",
    "text": jh.TextOptions(),
    "patience": 3,
    "checkpoint": "last",
    "folds": 2,
    "repeats": 2,
}


def check_refused(message, data, **options):
    with pytest.raises(ValueError) as error:
        jh.tune(data, **{"verbose": False, "cache": False} | options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OF_DATA)
def test_what_is_for_data_cannot_go_with_a_function(name):
    from jaxhpo.tuning import workloads

    assert set(OF_DATA) == set(workloads._OF_DATA)
    value = OF_DATA[name]
    message = f"{name}={value!r} is for data, and the trials are calls of a function; leave it out"
    for function in (jh.traceable(train), jh.function(score, workers=0)):
        check_refused(message, function, space=LINE, **{name: value})


@pytest.mark.filterwarnings("ignore:.* no effect. no computation:RuntimeWarning")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "space=None cannot go with a function; say what varies"),
        ({"space": {"x": 1}}, "must be a jaxhpo.Space"),
        ({"space": LINE, "epochs": 0}, "epochs=0 must be an integer of at least 1"),
        ({"space": LINE, "epochs": True}, "epochs=True must be an integer of at least 1"),
        ({"space": LINE, "minimize": "rmse"}, "minimize='rmse' must be True or False"),
        (
            {"space": jh.Space({"x": jh.Float(0.0, 1.0), "kind": LINE["kind"], "budget": jh.Int(1, 3)})},
            "space has a hyperparameter named 'budget', a column of the trials; rename it",
        ),
        ({"space": jh.Space({"z": jh.Float(0.0, 1.0, levels=3)})}, "train reads 'x', which is not in the space"),
    ],
)
def test_bad_arguments_of_a_function(options, message):
    check_refused(message, jh.traceable(train), **options)
