"""What a study refuses, each with one clear line."""

import math

import pytest

from jaxhpo.space import Int, Space
from jaxhpo.study import Study
from tests.study.toy import SPACE, objective, search


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"space": {"a": 1}}, "must be a jaxhpo.Space"),
        ({"algorithm": "random_search"}, "must be an Algorithm"),
        ({"objective": lambda x: x}, "must be an Objective"),
        ({"on_trial": 1}, "on_trial=1 must be a function of a trial, or None"),
        ({"known": {3: 0.5}}, "known has 3: 0.5; give a jaxhpo.types.LaneResult for a trial's number"),
        ({"seed": -1}, "seed=-1 must be an integer in [0, 2**32)"),
        ({"seed": 2**32}, "must be an integer in [0, 2**32)"),
        ({"seed": 0.5}, "seed=0.5 must be"),
        ({"direction": "up"}, "direction='up' must be 'maximize' or 'minimize'"),
        ({"space": Space({"score": Int(1, 2)})}, "hyperparameter named 'score', a column"),
        ({"space": Space({"q": Int(1, 2)})}, "proposes points of shape (4, 3), but the space has 1 dimensions"),
    ],
)
def test_bad_studies(arguments, message):
    with pytest.raises(ValueError) as error:
        Study(**({"space": SPACE, "algorithm": search()} | arguments))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "trials=0 must be an integer of at least 1"),
        ({"trials": 4, "timeout": 0}, "timeout=0 must be a number of seconds above 0"),
        ({"trials": 4, "timeout": math.nan}, "timeout=nan must be"),
    ],
)
def test_bad_runs(arguments, message):
    with pytest.raises(ValueError) as error:
        Study(SPACE, search(), objective()).run(**arguments)
    assert message in str(error.value)


def test_a_study_without_success_has_no_best():
    study = Study(SPACE, search())
    with pytest.raises(ValueError, match="no trial has been told"):
        _ = study.best
    study.ask()
    study.tell([math.nan] * 4)
    with pytest.raises(ValueError, match="all 4 trials failed"):
        _ = study.best
    assert "4 trials" in repr(study)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"a": 0.5, "b": 1}, "config lacks c"),
        ({"a": 0.5, "b": 1, "c": "x", "d": 1}, "config has unknown d"),
        ({"a": 2.0, "b": 1, "c": "x"}, "config a: value 2.0 is outside [0.0, 1.0]"),
        ({"a": 0.5, "b": 1, "c": "z"}, "config c: value 'z' is not one of"),
        ("a=1", "config='a=1' must be a dict"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(ValueError) as error:
        Study(SPACE, search()).enqueue(config)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], "must be 4 numbers, one for each trial"),
        (["a", "b", "c", "d"], "must be 4 numbers"),
        ({0: 1.0}, "scores name trials [0]; ask returned [0, 1, 2, 3]"),
    ],
)
def test_bad_scores(scores, message):
    study = Study(SPACE, search())
    study.ask()
    with pytest.raises(ValueError) as error:
        study.tell(scores)
    assert message in str(error.value)
    study.tell([1, 2, 3, 4])  # nothing was lost
