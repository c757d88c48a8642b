"""The simulation of shorter trainings, by hand."""

import numpy as np

from benchmarks.value import lengths
from benchmarks.value.lengths import Course, Ended, compared, cut, winner

COURSE = Course(np.array([0.1, 0.2, 0.5, 0.4, 0.3, 0.6]), np.array([5.0, 3.0, 4.0, 3.0, 3.5, 1.0]))


def test_a_training_is_cut_by_epochs_and_by_patience():
    assert cut(COURSE, 300, 20) == Ended(6, 0.6, 1.0)
    assert cut(COURSE, 5, 20) == Ended(5, 0.2, 3.0)
    assert cut(COURSE, 300, 3) == Ended(5, 0.2, 3.0)  # epochs 3, 4 and 5 are none lower than epoch 2
    assert cut(COURSE, 300, 1) == Ended(3, 0.2, 3.0)
    assert cut(COURSE, 1, 1) == Ended(1, 0.1, 5.0)


def test_the_winner_has_the_best_score_and_then_the_lowest_loss():
    assert winner([Ended(1, 0.5, 2.0), Ended(1, 0.5, 1.0), Ended(1, 0.4, 0.1)]) == Ended(1, 0.5, 1.0)


def test_cheaper_trainings_leave_room_for_more(monkeypatch):
    monkeypatch.setattr(lengths, "EPOCHS", (2, 6))
    monkeypatch.setattr(lengths, "PATIENCE", (20,))
    monkeypatch.setattr(lengths, "_WITHIN", 1)
    late = Course(np.array([0.1, 0.9]), np.array([4.0, 2.0]))
    short, whole = compared([COURSE, late, COURSE])
    assert short == {"epochs": 2, "patience": 20, "mean_epochs": 2.0, "score": 0.9, "loss": 2.0} | {
        "trials_within": 3,
        "score_within": 0.9,
        "loss_within": 2.0,
    }
    assert whole == {"epochs": 6, "patience": 20, "mean_epochs": 14 / 3, "score": 0.9, "loss": 2.0} | {
        "trials_within": 1,
        "score_within": 0.6,
        "loss_within": 1.0,
    }
