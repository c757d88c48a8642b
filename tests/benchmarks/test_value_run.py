"""Runs are kept line by line, go on where they ended, and fail each alone."""

import contextlib
import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.value import __main__ as command
from benchmarks.value import methods, own, run
from benchmarks.value.problems import Problem
from benchmarks.value.recorded import plain, read
from benchmarks.value.rules.choosing import by_gap
from benchmarks.value.rules.pool import figures_of, pool_of

FIGURES = {"score": 0.5, "loss": 1.0, "wall": 2.0, "trials": None, "config": None, "about": {}}


def small():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    return pd.DataFrame({"a": y + 0.1 * rng.normal(size=40), "b": rng.normal(size=40)}), y


def lost():
    os._exit(3)


def problem(name="small", load=small, **more):
    columns = {"rows": 40, "columns": 2, "classes": 2}
    return Problem(
        **{"name": name, "kind": "table", "half": "tuning", "load": load, "source": "", "about": ""} | columns | more
    )


@pytest.fixture
def asked(monkeypatch):
    """What was run, by a stand-in that fails for `random_forest` and for the ensemble of `gp`."""
    found = []

    def in_process(problem, split, name, seconds, kept):
        found.append((problem.name, split, name, seconds))
        made = {each: dict(FIGURES) for each in methods.answers_of(name)}
        return made | {each: {"error": "ValueError: no"} for each in made if each in ("random_forest", "gp+ensemble")}

    monkeypatch.setattr(run, "in_process", in_process)
    return found


def go(file, names=("linear", "random_forest"), **more):
    options = {"splits": 2, "seconds": 5.0, "file": file} | more
    return list(run.run([problem()], names, **options))


def test_what_has_a_line_is_not_run_again(asked, tmp_path):
    file = tmp_path / "new" / "lines.jsonl"
    assert len(go(file, splits=1)) == 2
    assert len(go(file)) == 2
    assert asked == [("small", split, name, 5.0) for split in (0, 1) for name in ("linear", "random_forest")]
    assert go(file) == []
    assert len(go(file, seconds=6.0)) == 4  # other seconds are other lines
    lines = run.read(file)
    assert len(lines) == 8
    assert {name: lines[0][name] for name in ("problem", "kind", "task", "half", "rows", "split", "method")} == {
        "problem": "small", "kind": "table", "task": "classification", "half": "tuning", "rows": 40, "split": 0,
        "method": "linear",
    }  # fmt: skip
    assert lines[0]["score"] == 0.5
    assert {"date", "commit"} <= set(lines[0])


def test_what_failed_has_a_line_and_runs_again_when_asked(asked, tmp_path):
    file = tmp_path / "lines.jsonl"
    lines = go(file, splits=1)
    assert lines[1]["error"] == "ValueError: no"
    assert [line["method"] for line in go(file, splits=1, again=True)] == ["random_forest"]
    assert len(run.read(file)) == 2  # the last line counts
    assert len(file.read_text().splitlines()) == 3


def test_a_line_that_was_cut_short_is_made_anew(asked, tmp_path):
    file = tmp_path / "lines.jsonl"
    go(file, splits=1)
    whole = file.read_text()
    file.write_text(whole[:-20])
    assert [line["method"] for line in go(file, splits=1)] == ["random_forest"]
    assert [json.loads(line)["method"] for line in file.read_text().splitlines()] == ["linear", "random_forest"]
    file.write_text("{}\n" + whole)
    with pytest.raises(ValueError, match="line 1 is no line of"):
        run.read(file)


def test_methods_run_on_what_they_are_for(asked, tmp_path):
    go(tmp_path / "lines.jsonl", names=("tfidf_naive_bayes", "linear"), splits=1)
    assert [name for _, _, name, _ in asked] == ["linear"]


def test_a_study_gives_two_lines(asked, tmp_path):
    file = tmp_path / "lines.jsonl"
    lines = go(file, names=("q_learning:folds=1", "linear", "q_learning:folds=1+ensemble"), splits=1)
    assert [line["method"] for line in lines] == ["q_learning:folds=1", "q_learning:folds=1+ensemble", "linear"]
    assert [name for _, _, name, _ in asked] == ["q_learning:folds=1", "linear"]
    assert go(file, names=("q_learning:folds=1+ensemble",), splits=1) == []


def test_a_study_with_one_line_runs_again_and_both_lines_are_new(asked, tmp_path):
    file = tmp_path / "lines.jsonl"
    go(file, names=("q_learning",), splits=1)
    old = file.read_text().splitlines()[0]
    file.write_text(old.replace('"score": 0.5', '"score": 0.25') + "\n")  # the other line was lost
    assert len(go(file, names=("q_learning",), splits=1)) == 2
    assert [(line["method"], line["score"]) for line in run.read(file)] == [
        ("q_learning", 0.5),
        ("q_learning+ensemble", 0.5),
    ]


def test_an_ensemble_fails_alone_and_its_study_runs_again_when_asked(asked, tmp_path):
    file = tmp_path / "lines.jsonl"
    winner, ensemble = go(file, names=("gp",), splits=1)
    assert winner["score"] == 0.5
    assert ensemble["error"] == "ValueError: no"
    assert go(file, names=("gp",), splits=1) == []
    assert len(go(file, names=("gp",), splits=1, again=True)) == 2


@pytest.mark.slow
def test_the_answers_of_a_study_have_a_line_each_and_a_record(tmp_path):
    name, kept = "random_search:trials=2,lanes=2,epochs=2,folds=1", tmp_path / "new" / "study.npz"
    lines = run.in_process(problem(), 0, name, 60.0, kept)
    assert list(lines) == [name, f"{name}+ensemble"]
    assert all(line["trials"] == 2 and 0 < line["wall"] < 60 for line in lines.values())
    found = read(kept)
    assert found.about["method"] == name
    assert found.valid.shape == (2, 6, 2)  # a fifth of the 30 rows that are not tested
    pool = pool_of(found)
    best = np.zeros(len(pool.losses))
    best[np.argmax(pool.scores)] = 1
    for line, weights in zip(lines.values(), (best, by_gap(8, 10, pool)), strict=True):
        np.testing.assert_allclose((line["score"], line["loss"]), figures_of(pool, weights), rtol=1e-4)


def test_a_study_of_one_training_has_a_winner_alone(monkeypatch, tmp_path):
    def refuse():
        raise ValueError("an ensemble needs two trainings or more")

    def tune(data, **options):
        model = SimpleNamespace(probabilities=lambda x: np.tile([0.25, 0.75], (len(x), 1)))
        winner = SimpleNamespace(config={"units": 8})
        said = {"winner": dict.fromkeys(own.SAID) | {"score": 0.75}}
        study = SimpleNamespace(finished=[1], winner=winner, best_model=lambda: model, evaluate_ensemble=refuse)
        study.summary = said
        return study

    monkeypatch.setattr(own.jh, "tune", tune)
    monkeypatch.setattr(own, "record", lambda study, x, y, about: about | {"y": y})
    written = {}
    monkeypatch.setattr(run, "write", written.__setitem__)
    lines = run.measure(problem(), 0, "gp:folds=1", 5.0, tmp_path / "study.npz")
    assert lines["gp:folds=1+ensemble"] == {"error": "ValueError: an ensemble needs two trainings or more"}
    one = lines["gp:folds=1"]
    assert (one["score"], one["trials"], one["config"]) == (0.5, 1, {"units": 8})
    assert one["said"] == dict.fromkeys(own.SAID) | {"score": 0.75}
    assert one["loss"] == pytest.approx(-(np.log(0.25) + np.log(0.75)) / 2)
    kept = written[tmp_path / "study.npz"]
    assert (kept["method"], kept["half"], kept["deviation"]) == ("gp:folds=1", "tuning", 1.0)
    assert sorted(kept["y"]) == [0] * 5 + [1] * 5


@pytest.mark.slow
def test_a_process_of_its_own(tmp_path):
    line = run.in_process(problem(), 0, "linear", 5.0, tmp_path / "none.npz")["linear"]
    assert line["score"] == 1.0
    assert 0 < line["loss"] < 0.3
    assert 0 <= line["wall"] < 60
    assert line["trials"] is None
    assert "scikit-learn" in line["about"]["versions"]
    json.dumps(line)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_process_that_dies_or_takes_too_long_is_an_error(tmp_path):
    kept = tmp_path / "none.npz"
    died = run.in_process(problem(load=lost), 0, "linear", 5.0, kept)
    assert died == {"linear": {"error": "the process ended with code 3"}}
    late = run.in_process(problem(), 0, "gp", 5.0, kept, limit=0.01)
    assert late == {"gp": {"error": "ended after 0 s"}, "gp+ensemble": {"error": "ended after 0 s"}}


def test_configurations_are_plain():
    found = plain({"a": np.float32(0.5), "b": (np.int64(1), None), "c": np.ones(2), 1: print})
    assert found == {"a": 0.5, "b": [1, None], "c": [1.0, 1.0], "1": str(print)}


@pytest.fixture
def main(monkeypatch, capsys):
    """Return what the command prints, or its error."""
    monkeypatch.setattr(
        command, "PROBLEMS", {"small": problem(), "texts": problem("texts", kind="text", half="reporting")}
    )

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["value", *map(str, arguments)])
        with contextlib.suppress(SystemExit):
            command.main()
        captured = capsys.readouterr()
        return captured.out + captured.err

    return call


def test_the_command_runs_and_shows(asked, main, tmp_path):
    file = tmp_path / "lines.jsonl"
    options = ("--half", "tuning", "--output", file)
    said = main(*options, "--splits", 1, "--methods", "hand_written", "random_forest", "linear")
    assert "score 0.5000, loss 1.0000, 2.0 s" in said
    assert "failed: ValueError: no" in said
    assert "| random_forest | - | - | - | - | 0 | - | 1 |" in main(*options, "--table")
    assert "random_forest" not in main(*options, "--table", "--methods", "linear")
    assert "baseline" not in main(*options, "--table", "--baseline", "linear")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say --half tuning or --half reporting"),
        (("--problems", "smal"), "problem 'smal' is unknown; did you mean 'small'?"),
        (("--problems", "texts", "--half", "tuning"), "problem 'texts' is of the half 'reporting', not 'tuning'"),
        (("--half", "tuning", "--methods", "linaer"), "method 'linaer' is unknown; did you mean 'linear'?"),
        (("--half", "tuning", "--methods", "tfidf_naive_bayes"), "method 'tfidf_naive_bayes' is for text problems"),
        (("--problems", "small", "texts", "--methods", "linear"), "problem 'texts' is text, classification; leave"),
        (("--half", "tuning", "--methods", "linear:C=2"), "linear takes no options"),
        (("--half", "tuning", "--seconds", "0"), "'0' must be a number of seconds above 0"),
        (("--half", "tuning", "--seconds", "x"), "'x' must be a number of seconds above 0"),
        (("--half", "tuning", "--splits", "0"), "'0' must be a whole number of at least 1"),
        (("--table", "--output", "nowhere.jsonl"), "nowhere.jsonl has no lines; run the benchmark first"),
    ],
)
def test_what_the_command_refuses(asked, main, arguments, message):
    assert message in " ".join(main(*arguments).split())
    assert not asked


def test_a_method_without_its_package_is_refused(asked, main, monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    assert "method 'optuna_tpe' needs optuna; pip install optuna, or name other --methods" in main("--half", "tuning")
    assert not asked


def test_the_table_needs_the_baseline(asked, main, tmp_path):
    file = tmp_path / "lines.jsonl"
    main("--half", "tuning", "--output", file, "--methods", "linear")
    assert "method 'hand_written' has no line in" in main("--table", "--output", file)


def test_quick_keeps_nothing(asked, main, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    assert "### Texts" in main("--quick")
    assert len(asked) == 6  # of four methods, three are for tables and three for texts
    assert not list(tmp_path.iterdir())


def test_quick_takes_the_smallest_of_each_kind():
    given = [problem("a", columns=9), problem("b"), problem("c", rows=30), problem("d", kind="text", columns=0)]
    assert [each.name for each in command.smallest_of_each(given)] == ["d", "c"]


def test_the_usual_methods_are_there():
    for name in methods.DEFAULT_METHODS:
        if name != "optuna_tpe":  # whose package may not be
            assert callable(methods.load(name))
