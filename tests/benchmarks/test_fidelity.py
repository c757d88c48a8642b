"""What a study's course counts, against numbers computed by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.training import fidelity
from jaxhpo.study.trials import Trial


def trial(number, score, budget, source=-1):
    return Trial(number, {}, score, budget, source, 0, 0, 0.0, np.zeros(1, np.float32), {})


def test_what_a_source_was_trained_is_not_counted_again():
    study = SimpleNamespace(seconds=SimpleNamespace(compile=9.0, train=2.0, algorithm=0.5))
    course = fidelity.Course()
    course(study, [trial(0, 0.5, 3), trial(1, float("nan"), 3)])
    course(study, [trial(2, 0.4, 9, source=0), trial(3, 0.7, 1)])
    course(study, [trial(4, 0.6, 27, source=2)])
    assert course.epochs == [0, 6, 6 + 6 + 1, 13 + 18]
    assert course.score == [float("-inf"), 0.5, 0.7, 0.7]
    assert course.seconds[1:] == [2.5] * 3
    assert fidelity.reached(course, 0.7) == 2
    assert fidelity.reached(course, 0.5) == 1
    assert fidelity.reached(course, 0.8) is None


@pytest.mark.slow
def test_a_study_ends_when_it_is_there():
    found = fidelity.compare("few_digits", 1, 8, 3)
    base = found["random_search"]["rows"][0]
    assert base["spent"] == 24
    assert found["random_search"]["epochs_share"] == base["epochs"] / 24
    for method in ("hyperband", "successive_halving", "asha"):
        (row,) = found[method]["rows"]
        assert (row["epochs"] is None) == (found[method]["epochs_share"] is None)
        assert row["epochs"] is None or 0 < row["epochs"] <= 24 + 3 * 8
