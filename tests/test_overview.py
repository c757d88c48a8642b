"""What a study has understood, shown before it begins: on standard error, in a notebook and in its summary."""

import json
from functools import partial

import IPython.display
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import jaxhpo as jh
from jaxhpo.report import console
from jaxhpo.tuning import Options, Tuning, overview

SPACE = jh.Space({"x": jh.Float(0.0, 1.0), "n": jh.Int(1, 3)})


def dataset(y, x=None, **options):
    """Return a data set of the given labels or targets: the first half trains."""
    y = np.asarray(y)
    x = np.zeros((len(y), 2), np.float32) if x is None else x
    half = len(y) // 2
    rows = {"train": slice(0, half), "valid": slice(half, -2), "test": slice(-2, None)}
    parts = {f"x_{split}": x[row] for split, row in rows.items()} | {
        f"y_{split}": y[row] for split, row in rows.items()
    }
    return jh.Dataset("mine", **parts, **{"classes": None} | options)


def test_a_study_of_trainings_begins_with_data_network_and_search():
    tuning = Tuning("digits", Options(trials=32, lanes=8))
    assert tuning.overview == [
        "digits: 1,797 images 8x8x1, 10 classes (9.7% to 10.2%); 1,077 train, 360 validation, 360 test",
        "cnn, trained up to 300 epochs with patience 10; 8 hyperparameters; 32 trials, 8 at a time",
    ]


def test_what_the_loader_did_comes_after():
    notes = ("column 'id' is left out: its 10 values all differ", "column 'age' is scaled")
    data = dataset(np.int32([0, 1] * 100), classes=2, notes=notes)
    tuning = Tuning(data, Options(trials=4, lanes=4, epochs=1, timeout="5m", space=jh.Space({"layers": jh.Int(1, 2)})))
    assert tuning.overview == [
        "mine: 200 rows of 2 numbers, 2 classes (50.0% to 50.0%); 100 train, 98 validation, 2 test",
        "mlp, trained up to 1 epoch; 1 hyperparameter; 4 trials, 4 at a time, in at most 300 s",
        *notes,
    ]


@pytest.mark.parametrize(
    ("y", "classes", "said"),
    [
        (np.int32([0, 1] * 600), 2, "2 classes (50.0% to 50.0%); 1,198 examples in 5 folds, 2 test"),
        # Of the six examples that are dealt out: mean 5, deviation sqrt(35 / 3); the two of the test are not looked at.
        (np.float32([0, 2, 4, 6, 8, 10, 900, 900]), None, "mean 5, deviation 3.416; 6 examples in 5 folds, 2 test"),
    ],
)
def test_folds_are_said_in_place_of_the_split(y, classes, said):
    data = dataset(y, classes=classes)
    assert overview.training_lines(data, "mlp", "", "", 5)[0].endswith(said)


def test_what_a_trial_has_is_said_of_trials():
    assert overview.search_words(SPACE, 16, 2, None, folds=5) == "2 hyperparameters; 16 trials of 5 folds, 2 at a time"
    assert overview.search_words(SPACE, 16, 4, 9.5, repeats=3) == (
        "2 hyperparameters; 16 trials of 3 trainings, 4 at a time, in at most 9.5 s"
    )


def test_columns_of_a_table_are_counted_by_kind():
    columns = {"area": range(40), "kind": ["flat", "house"] * 20, "zip": ["01", "02", "03", "04"] * 10}
    columns |= {"sold": [f"2021-{day % 12 + 1:02}-{day % 28 + 1:02}" for day in range(40)], "y": [0, 1] * 20}
    frame = pd.DataFrame(columns)
    data = jh.data.load(frame.sample(frac=1, random_state=0))
    assert [column.kind for column in data.columns] == ["number", "category", "category", "date"]
    line = overview.training_lines(data, "mlp", 2, "")[0]
    assert line.startswith("table: 40 rows of 4 columns (1 number, 1 date, 2 categories) as 10 numbers, 2 classes")
    only = overview.training_lines(jh.data.load(frame[["area", "y"]].sample(frac=1, random_state=0)), "mlp", 2, "")[0]
    assert only.startswith("table: 40 rows of 1 number, 2 classes")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            dataset(np.int32([0, 1, 1, 1, 0, 1, 1, 1]), classes=2, class_names=("no", "yes")),
            "8 rows of 2 numbers, 2 classes (no 25.0%, yes 75.0%); 4 train, 2 validation, 2 test",
        ),
        (
            dataset(np.int32([0, 1, 2, 3, 4, 4, 4, 4, 4, 4]), classes=5, class_names=tuple("abcde")),
            "2 numbers, 5 classes (10.0% to 60.0%)",
        ),
        (
            dataset(np.int32([0, 1] * 4), classes=2, class_names=("a" * 21, "b")),
            "2 classes (50.0% to 50.0%)",  # long names would take the line
        ),
        (
            dataset(np.int32([0, 1, 1, 1] * 2), classes=2, class_names=(1, 2)),
            "2 classes (1 25.0%, 2 75.0%)",
        ),
        # Of the four training targets: mean 3, deviation sqrt(5); the others are not looked at.
        (
            dataset(np.float32([0, 2, 4, 6, 900, 900, 900, 900])),
            "target from 0 to 6 with mean 3, deviation 2.236; 4 train",
        ),
        (dataset(np.float32([[0, 1], [2, 1500]] * 4)), "2 targets from 0 to 1,500"),
        (
            dataset(np.int32([0, 1] * 4), np.ones((8, 7), np.int32), classes=2, vocabulary=9),
            "mine: 8 texts of up to 7 tokens, vocabulary 9, 2 classes",
        ),
        (
            dataset(np.int32([0, 1] * 4), np.ones((8, 1), np.float32), classes=2),
            "8 rows of 1 number, 2 classes",
        ),
    ],
)
def test_known_data(data, said):
    assert said in overview.training_lines(data, "mlp", 2, "")[0]


def score(config, budget):
    del budget
    return config["x"]


@pytest.mark.parametrize(
    ("called", "epochs", "first"),
    [
        (jh.function(score, workers=0), 9, "score: a function called in Python, with budgets up to 9"),
        (
            jh.traceable(lambda key, hparams: hparams["x"] * hparams["n"].astype("float32")),
            None,
            "<lambda>: a function traced by JAX, all trials of a round at once",
        ),
    ],
)
def test_a_study_of_a_function_begins_with_how_it_is_called(called, epochs, first, capfd):
    seen = []
    study = jh.tune(
        called,
        space=SPACE,
        trials=4,
        lanes=2,
        algorithm="random_search",
        epochs=epochs,
        cache=False,
        callbacks=[lambda study, trials: seen.append(capfd.readouterr().err)],
    )
    lines = [first, "2 hyperparameters; 4 trials, 2 at a time"]
    assert seen[0].startswith("\n".join(lines) + "\n")
    assert first not in seen[1]
    assert json.loads(json.dumps(study.summary))["overview"] == lines


def test_constants_are_counted_apart():
    space = jh.Space({"x": jh.Float(0.1, 0.1), "n": jh.Int(3, 3), "c": jh.Choice((1,)), "y": jh.Float(0.0, 1.0)})
    assert overview.search_words(space, 1000, 8, None) == "1 hyperparameter and 3 constants; 1,000 trials, 8 at a time"


@pytest.mark.slow
def test_nothing_is_shown_where_it_is_not_wanted(capfd):
    study = jh.tune(jh.function(score, workers=0), space=SPACE, trials=2, lanes=2, epochs=1, cache=False, verbose=False)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert study.summary["overview"][0] == "score: a function called in Python, with budgets up to 1"


def test_what_would_steer_a_terminal_is_escaped(capfd):
    console.show_lines(["a \x1b[31mred\n name", "plain"])
    assert capfd.readouterr().err == "a \\x1b[31mred\\n name\nplain\n"


def test_a_notebook_shows_the_lines_in_one_block(monkeypatch, capfd):
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda content: shown.append(content.data))
    monkeypatch.setattr(console, "Console", partial(Console, force_jupyter=True))
    console.show_lines(["classes a < b", "second"])
    (block,) = shown
    assert "classes a &lt; b\nsecond" in block
    assert capfd.readouterr().err == ""
