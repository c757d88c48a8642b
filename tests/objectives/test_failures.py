"""Exceptions of a user's function: their place, the reason of a trial, and a first round that fails alike."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.objectives.worker import describe, identify, place

SPACE = jh.Space({"x": jh.Int(1, 8)})


def first_line(function):
    return function.__code__.co_firstlineno


def helper(config):
    return np.zeros(config["x"]) @ np.zeros(9)  # NumPy raises


def raised(function, *arguments):
    with pytest.raises(Exception) as caught:
        function(*arguments)
    return caught.value


def study_of(score, xs, *, lanes=4, **options):
    """Return a study of trials of the given values of x, in rounds of `lanes`; and what it raises, or None."""
    study = jh.Study(SPACE, jh.algorithms.random_search(SPACE, lanes=lanes), score.objective(SPACE), **options)
    for x in xs:
        study.enqueue({"x": x})
    try:
        study.run(len(xs))
    except ValueError as error:
        return study, str(error)
    return study, None


def test_the_place_is_the_innermost_line_of_the_users():
    error = raised(lambda: helper({"x": 2}))
    assert place(error) == ("test_failures.py", first_line(helper) + 1)
    assert describe(error).startswith("ValueError: matmul: ")
    assert describe(error).endswith(f" (test_failures.py, line {first_line(helper) + 1})")
    standard = raised(lambda: json.loads("{"))
    assert place(standard) == ("test_failures.py", place(standard)[1])
    assert place(ValueError("never raised")) is None
    assert describe(ValueError("never raised")) == "ValueError: never raised"


def test_a_cell_of_a_notebook_is_called_so():
    scope = {}
    exec(compile("def score():\n    raise KeyError('a')", "/tmp/ipykernel_12/345.py", "exec"), scope)
    error = raised(scope["score"])
    assert describe(error) == "KeyError: 'a' (a notebook's cell, line 2)"


def test_notes_and_unreadable_messages_are_no_harm():
    class UnreadableError(RuntimeError):
        def __str__(self):
            raise RuntimeError

    def noted():
        error = ValueError("bad\nshape")
        error.add_note("a note\nof two lines")
        raise error

    assert describe(raised(noted)) == f"ValueError: bad shape (test_failures.py, line {first_line(noted) + 3})"
    assert describe(UnreadableError()).endswith("UnreadableError: its message cannot be read")
    assert describe(ValueError()) == "ValueError"


def test_exceptions_of_one_type_from_one_line_are_the_same():
    errors = [raised(helper, {"x": x}) for x in (2, 3)]
    assert str(errors[0]) != str(errors[1])
    assert identify(errors[0]) == identify(errors[1])
    assert identify(raised(helper, {})) != identify(errors[0])  # a KeyError of the same line


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_first_round_that_fails_alike_ends_the_study(workers):
    function = jh.function(helper, workers=workers)
    study, error = study_of(function, [2, 3, 4, 5, 6, 7])
    assert error.startswith("objective fails in all of the first 4 trials in the same way, ValueError: matmul: ")
    assert error.endswith(
        f"(test_failures.py, line {first_line(helper) + 1}); mend it, or the space if no configuration of it can work"
    )
    assert study.trials["state"].tolist() == ["failed"] * 4
    assert all("size 9 is different from" in reason for reason in study.trials["reason"])


def test_equal_failures_are_one_warning():
    def score(config):
        return 1 / (config["x"] - config["x"] % 8) if config["x"] < 5 else 1.0

    with pytest.warns(RuntimeWarning) as caught:
        study, error = study_of(jh.function(score, workers=0), [1, 2, 5, 3])
    place = f"(test_failures.py, line {first_line(score) + 1})"
    message = f"ZeroDivisionError: division by zero {place}"
    assert [str(warning.message) for warning in caught] == [f"trials 0, 1, 3 failed: {message}"]
    assert error is None
    assert [trial.reason for trial in study.finished] == [message, message, None, message]


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
def test_what_does_not_end_a_study():
    def two_kinds(config):
        return {"a": 1}[config["x"]] if config["x"] % 2 else 1 / 0

    def later(config):
        return 1.0 if config["x"] == 1 else 1 / 0

    assert study_of(jh.function(two_kinds, workers=0), [1, 2, 3, 4])[1] is None
    study, error = study_of(jh.function(later, workers=0), [1, 2, 3, 4, 5, 6, 7, 8])  # the second round fails
    assert error is None
    assert study.trials["state"].tolist() == ["complete"] + ["failed"] * 7
    study, error = study_of(jh.function(lambda config: math.nan, workers=0), [1, 2, 3, 4])  # a loss may diverge
    assert error is None
    assert study.trials["reason"].tolist() == ["the score is nan"] * 4


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
def test_with_one_lane_two_trials_have_to_fail():
    def score(config):
        raise ValueError("mine")

    study, error = study_of(jh.function(score, workers=0), [1, 2, 3], lanes=1)
    assert len(study.finished) == 2
    assert error.startswith("objective fails in all of the first 2 trials in the same way, ValueError: mine (test_fail")


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
def test_a_function_that_returns_nothing_ends_the_study():
    study, error = study_of(jh.function(lambda config: None, workers=0), [1, 2, 3, 4])
    assert len(study.finished) == 4
    assert "the score is NoneType, not a number; mend it" in error


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
def test_static_values_that_all_fail_end_the_study():
    """The door traces sixteen of the sizes, all but the few that fail."""
    space = jh.Space({"n": jh.Int(1, 100), "x": jh.Float(0.0, 1.0)})

    def train(key, hparams):
        if hparams["n"] in (50, 51):
            raise RuntimeError(f"no {hparams['n']}")
        return hparams["x"] * jnp.float32(hparams["n"])

    objective = jh.traceable(train, static=("n",)).objective(space)
    study = jh.Study(space, jh.algorithms.random_search(space, lanes=2), objective)
    for n in (50, 51):
        study.enqueue({"n": n, "x": 0.5})
    line = first_line(train) + 2
    message = rf"the first 2 trials in the same way, RuntimeError: no 50 \(test_failures.py, line {line}\); mend"
    with pytest.raises(ValueError, match=message):
        study.run(4)
    assert [trial.reason for trial in study.finished][1] == f"RuntimeError: no 51 (test_failures.py, line {line})"


def test_a_traced_score_that_is_not_finite_has_a_reason():
    space = jh.Space({"x": jh.Float(0.0, 1.0)})
    objective = jh.traceable(lambda key, h: jnp.log(h["x"] - 0.5)).objective(space)
    study = jh.Study(space, jh.algorithms.random_search(space, lanes=2), objective)
    for x in (0.25, 0.75):
        study.enqueue({"x": x})
    study.run(2)
    assert [trial.reason for trial in study.finished] == ["the score is not finite", None]


@pytest.mark.filterwarnings("ignore:trial:RuntimeWarning")
def test_the_journal_has_the_reason(tmp_path):
    def score(config):
        return 1 / (config["x"] - 2)

    options = {"algorithm": "grid_search", "trials": 3, "lanes": 3, "verbose": False, "cache": False}
    jh.tune(jh.function(score, workers=0), space=SPACE, output=tmp_path / "out", **options)
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()][1:4]
    reason = f"ZeroDivisionError: division by zero (test_failures.py, line {first_line(score) + 1})"
    assert {row["config"]["x"]: row["reason"] for row in rows} == {1: None, 2: reason, 3: None}
