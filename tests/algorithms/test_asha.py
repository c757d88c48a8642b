"""Asynchronous successive halving against promotions made by hand, and in plain Python."""

import numpy as np
import pytest

from jaxhpo import algorithms

from .multi_fidelity import SPACE, Rounds, best, pairs

RUNGS = (1, 3, 9)


def due(rows, lanes):
    """Return the promotions that are due, (source, budget), at most `lanes`: highest rung first, best first."""
    continued, found = {row.source for row in rows}, []
    for rung in (1, 0):
        told = [row for row in rows if row.budget == RUNGS[rung]]
        for row in best(told, len(told) // 3):
            if row.trial not in continued:
                found.append((row.trial, RUNGS[rung + 1]))
    return found[:lanes]


def test_promotions_by_hand():
    rounds = Rounds("asha", lanes=3, budget=9)
    assert pairs(rounds.play(lambda row: {0: 0.1, 1: 0.9, 2: 0.3}[row.trial])) == [(-1, 1)] * 3
    assert rounds.kept == [0, 1, 2]
    # One of three is due.
    assert pairs(rounds.play(lambda row: {3: 0.95, 4: 0.2, 5: 0.92}[row.trial])) == [(1, 3), (-1, 1), (-1, 1)]
    # Five at the first rung: one is due, and the best of them, trial 5, was not continued.
    assert pairs(rounds.play(lambda row: {6: 0.9, 7: 0.0, 8: 0.0}[row.trial])) == [(5, 3), (-1, 1), (-1, 1)]
    # Seven: two are due, and both were continued.
    assert pairs(rounds.play(lambda row: 0.0)) == [(-1, 1)] * 3
    # Ten: a third is due, trial 2.
    assert pairs(rounds.play(lambda row: {12: 0.5}.get(row.trial, 0.0))) == [(2, 3), (-1, 1), (-1, 1)]
    # Twelve at the first rung and three at the second, of which trial 3 is the best.
    assert pairs(rounds.play(lambda row: 1.0)) == [(3, 9), (4, 3), (-1, 1)]
    assert rounds.metrics == {"continued": 2.0, "finished": 1.0}
    assert rounds.rows[-3].point == rounds.rows[1].point
    assert rounds.epochs == 13 * 1 + 4 * 2 + 1 * 6


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 12])
def test_promotions_are_those_that_are_due(lanes):
    rng = np.random.default_rng(lanes)
    rounds = Rounds("asha", lanes=lanes, budget=9, keep=1000)
    for r in range(50):
        if r % 10 == 5:
            rounds.tell_others((3, float(rng.uniform())))
        expected = due(rounds.rows, lanes)
        limit = int(rng.integers(0, lanes + 1)) if r % 3 == 0 else None
        rows = rounds.play(lambda row: np.nan if rng.uniform() < 0.2 else rng.integers(10) / 10, limit=limit)
        assert pairs(rows) == (expected + [(-1, 1)] * lanes)[: len(rows)]
        assert len(rows) == (lanes if limit is None else limit)
        done = {row.source for row in rounds.rows}
        whole = [row for row in rounds.rows if row.budget < 9 and row.trial not in done and not np.isnan(row.score)]
        assert rounds.kept == [row.trial for row in whole]


@pytest.mark.slow
def test_failed_trials_count_and_are_never_promoted():
    rounds = Rounds("asha", lanes=6, budget=9)
    rounds.play(lambda row: 0.5 if row.trial == 3 else np.nan)
    assert rounds.kept == [3]
    assert pairs(rounds.play(lambda row: np.nan)) == [(3, 3)] + [(-1, 1)] * 5
    assert rounds.kept == []


@pytest.mark.slow
def test_equal_scores_are_promoted_in_the_order_they_were_told():
    rounds = Rounds("asha", lanes=6, budget=9)
    rounds.play(lambda row: 0.5)
    assert pairs(rounds.play(lambda row: 0.5))[:3] == [(0, 3), (1, 3), (-1, 1)]
    assert pairs(rounds.play(lambda row: 0.5))[:2] == [(2, 3), (-1, 1)]


@pytest.mark.slow
def test_what_is_kept_is_bounded_and_given_up_for_good():
    rounds = Rounds("asha", lanes=8, budget=9, keep=4)
    for _ in range(5):
        rounds.play(lambda row: row.trial)
    told = [row for row in rounds.rows if row.budget == 1]
    places = {row.trial: place for place, row in enumerate(best(told, len(told)))}
    held = [trial for trial in rounds.kept if trial in places]
    assert all(places[trial] < len(told) // 3 + 4 for trial in held)
    given_up = set(places) - set(rounds.kept) - {row.source for row in rounds.rows}
    assert given_up
    for _ in range(20):  # all worse than what was given up, so that many more are due
        rounds.play(lambda row: -row.trial)
    assert not given_up & {row.source for row in rounds.rows}


def test_trials_of_others_between_the_rungs_take_no_part():
    rounds = Rounds("asha", lanes=3, budget=9)
    rounds.tell_others((2, 1.0), (4, 1.0), (20, 1.0))
    assert rounds.kept == []
    rounds.tell_others((3, 0.1), (3, 0.3), (3, 0.2))
    assert pairs(rounds.play(lambda row: 0.0)) == [(4, 9), (-1, 1), (-1, 1)]


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"^keep=0 must be an integer of at least 1$"):
        algorithms.asha(SPACE, lanes=2, budget=9, keep=0)
    assert algorithms.asha(SPACE, lanes=2).resumable is None
