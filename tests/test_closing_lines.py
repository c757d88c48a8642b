"""What the end of a study says of winner and ensemble."""

import pytest

from jaxhpo.report.console import closing_lines

WINNER = {"trial": 6, "loss": 0.2, "networks": 5, "flop": 100, "score": 0.9}
ENSEMBLE = {"trials": [6, 2, 3], "loss": 0.1, "networks": 15, "flop": 250, "score": 0.95, "test_score": 0.97}


def lines(**changes):
    best = {"trial": 6, "config": {}, "score": 0.9, "test_score": 0.85}
    seconds = dict.fromkeys(("total", "compile", "train", "algorithm"), 1.0)
    models = {"winner": WINNER, "ensemble": ENSEMBLE, "recommended": "ensemble", "level": 0}
    summary = {"best": best, "final": None, "metric": "accuracy", "trials": 9, "failed": 0, "seconds": seconds}
    return closing_lines(summary | models | changes)


def test_the_better_one_is_named_with_what_it_costs():
    assert lines()[:3] == [
        "Winner: trial 6, validation accuracy 0.9000, test accuracy 0.8500.",
        "Ensemble: 3 trials, validation accuracy 0.9500, test accuracy 0.9700.",
        "The ensemble has the lower validation loss, by 15 networks and 2.5 times the winner's arithmetic.",
    ]
    worse = lines(ensemble=ENSEMBLE | {"loss": 0.3})[2]
    assert (
        worse
        == "The winner has the lower validation loss; the ensemble takes 15 networks and 2.5 times its arithmetic."
    )


@pytest.mark.parametrize("ensemble", [None, ENSEMBLE | {"trials": [6]}])
def test_of_no_ensemble_and_of_one_that_is_the_winner_nothing_is_said(ensemble):
    assert [line.partition(":")[0] for line in lines(ensemble=ensemble)] == ["Winner", "9 trials in 1.0 s"]


@pytest.mark.parametrize(("number", "said"), [(0, []), (1, ["1 other trial is"]), (1234, ["1,234 other trials are"])])
def test_trials_that_are_level_are_counted(number, said):
    found = [line for line in lines(level=number) if "level" in line]
    assert found == [f"{each} level with the winner: within a standard error of the difference." for each in said]


def test_a_search_that_was_broken_off_has_compared_nothing():
    summary = {"best": None, "final": None, "metric": "accuracy", "trials": 0, "failed": 0}
    summary["seconds"] = dict.fromkeys(("total", "compile", "train", "algorithm"), 0.0)
    assert closing_lines(summary)[0] == "No trial had finished."
