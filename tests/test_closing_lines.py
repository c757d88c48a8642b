"""What the end of a study says of winner and ensemble."""

import pytest

from jaxhpo.report.console import closing_lines

UNKNOWN = dict.fromkeys(("corrected_score", "corrected_standard_error", "gain", "gain_standard_error"))
WINNER = {"trial": 6, "loss": 0.2, "networks": 5, "flop": 100, "score": 0.9} | UNKNOWN
ENSEMBLE = {"trials": [6, 2, 3], "loss": 0.1, "networks": 15, "flop": 250, "score": 0.95, "test_score": 0.97} | UNKNOWN
CORRECTED = WINNER | {"corrected_score": 0.87654, "gain": -0.0123, "gain_standard_error": 0.004, "optimism": 0.03125}


def lines(**changes):
    best = {"trial": 6, "config": {}, "score": 0.9, "test_score": 0.85}
    seconds = dict.fromkeys(("total", "compile", "train", "algorithm"), 1.0)
    models = {"winner": WINNER, "ensemble": ENSEMBLE, "recommended": "ensemble", "level": 0, "few_examples": None}
    summary = {"best": best, "final": None, "metric": "accuracy", "trials": 9, "failed": 0, "seconds": seconds}
    return closing_lines(summary | models | changes)


def test_the_better_one_is_named_with_what_it_costs():
    assert lines()[:3] == [
        "Winner: trial 6, validation accuracy 0.9000, test accuracy 0.8500.",
        "Ensemble: 3 trials, validation accuracy 0.9500, test accuracy 0.9700.",
        "Recommended: the ensemble (lower validation loss): 15 networks, 2.5 times the arithmetic.",
    ]
    size = "the ensemble costs 2.5 times the arithmetic."
    worse = lines(ensemble=ENSEMBLE | {"loss": 0.3}, recommended="winner")[2]
    assert worse == f"Recommended: the winner (lower validation loss); {size}"
    assert lines(recommended="winner")[2] == f"Recommended: the winner (more training examples); {size}"


def test_scores_that_are_corrected_for_choosing_and_gains_are_said():
    ensemble = ENSEMBLE | {"corrected_score": 0.9, "gain": 0.02, "gain_standard_error": 0.0051}
    assert lines(winner=CORRECTED, ensemble=ensemble, few_examples=True)[3:6] == [
        "Validation accuracy, corrected for choosing: winner 0.8765, ensemble 0.9000.",
        "Gain over the default configuration: winner -0.0123 +- 0.0040, ensemble 0.0200 +- 0.0051.",
        "Few examples: choosing among 9 trials made the winner look 0.0312 better.",
    ]
    assert lines(winner=CORRECTED | UNKNOWN | {"corrected_score": 0.8}, ensemble=None, few_examples=False)[1:3] == [
        "Validation accuracy, corrected for choosing: winner 0.8000.",
        "9 trials in 1.0 s: compiling 1.0 s, training 1.0 s, choosing 1.00 s.",
    ]


def test_a_winner_that_is_the_default_configuration_is_called_so():
    assert lines(default={"trial": 6})[0].startswith("Winner: trial 6 (the default), validation accuracy")
    assert lines(default={"trial": 5})[0].startswith("Winner: trial 6, validation accuracy")


def test_no_line_is_wider_than_a_terminal():
    ensemble = ENSEMBLE | {"trials": list(range(10)), "networks": 50, "flop": 2340}
    answers = {"winner": CORRECTED, "ensemble": ensemble | dict.fromkeys(UNKNOWN, -0.12345), "level": 12}
    for recommended in ("winner", "ensemble"):
        assert max(map(len, lines(**answers, recommended=recommended, few_examples=True))) <= 96


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
