"""Successive halving against promotions made by hand, and against brackets in plain Python."""

import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.multi_fidelity.brackets import halve, open_brackets
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs
from jaxhpo.space import Choice, Space
from jaxhpo.study import run_traced
from jaxhpo.types import Objective, Outcome

from .multi_fidelity import SPACE, Reference, Rounds, pairs


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((81, 3, 1), (1, 3, 9, 27, 81)),
        ((20, 3, 1), (2, 7, 20)),
        ((20, 2, 3), (5, 10, 20)),
        ((5, 2, 1), (1, 3, 5)),
        ((1, 3, 1), (1,)),
        ((9, 4, 9), (9,)),
    ],
)
def test_rungs(arguments, expected):
    assert read_rungs(*arguments) == expected


def test_a_bracket_by_hand():
    assert halve(9, 3, (1, 3, 9)) == ((9, 1), (3, 3), (1, 9))
    rounds = Rounds("successive_halving", lanes=9, budget=9)
    scores = {0: 0.1, 1: 0.9, 2: 0.3, 3: 0.7, 4: 0.2, 5: 0.8, 6: 0.4, 7: 0.5, 8: 0.6}
    first = rounds.play(lambda row: scores[row.trial])
    assert pairs(first) == [(-1, 1)] * 9
    assert rounds.kept == [1, 3, 5]
    second = rounds.play(lambda row: {1: 0.91, 5: 0.97, 3: 0.95}.get(row.source, 0.0))
    assert pairs(second) == [(1, 3), (5, 3), (3, 3)] + [(-1, 1)] * 6  # the next bracket starts early
    assert [row.point for row in second[:3]] == [first[trial].point for trial in (1, 5, 3)]
    assert 10 in rounds.kept  # what continued trial 5
    third = rounds.play(lambda row: 1.0)
    assert pairs(third) == [(10, 9)] + [(-1, 1)] * 8
    whole = [row for row in rounds.rows if row.budget > 1 or row.trial < 9]
    assert sum(row.budget for row in whole) == 9 * 1 + 3 * 3 + 1 * 9
    assert rounds.epochs == 9 * 1 + 3 * 2 + 1 * 6 + 14  # and 14 of the brackets that follow


def test_equal_scores_go_on_in_the_order_they_were_told_and_failed_ones_never():
    rounds = Rounds("successive_halving", lanes=9, budget=9)
    scores = [np.nan, 0.5, 0.5, np.nan, 0.5, 0.5, np.nan, 0.1, np.inf * 0]
    rounds.play(lambda row: scores[row.trial])
    assert rounds.kept == [1, 2, 4]
    assert pairs(rounds.play(lambda row: np.nan))[:3] == [(1, 3), (2, 3), (4, 3)]
    # A rung of failed trials ends the bracket, one of fewer good ones than are due sends on those.
    assert rounds.kept == []
    rounds = Rounds("successive_halving", lanes=9, budget=9)
    rounds.play(lambda row: 0.5 if row.trial == 4 else np.nan)
    assert pairs(rounds.play(lambda row: 0.5))[:2] == [(4, 3), (-1, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "budget"), [(1, 9), (4, 9), (8, 20), (64, 9)])
def test_promotions_are_earned_and_what_is_kept_is_exact(lanes, budget):
    rng = np.random.default_rng(lanes)
    rounds = Rounds("successive_halving", lanes=lanes, budget=budget)
    reference = Reference((halve(9, 3, read_rungs(budget, 3, 1)),))
    for r in range(40):
        limit = int(rng.integers(0, lanes + 1)) if r % 3 == 0 else None  # a batch cut short
        rows = rounds.play(lambda row: np.nan if rng.uniform() < 0.2 else rng.integers(10) / 10, limit=limit)
        assert len(rows) == (lanes if limit is None else limit)  # no lane idles
        reference.tell(rows)
        assert rounds.kept == reference.kept
    assert any(row.budget == budget for row in rounds.rows)


@pytest.mark.slow
def test_trials_of_others_join_at_the_smallest_rung_alone():
    rounds = Rounds("successive_halving", lanes=4, budget=9)
    reference = Reference((halve(9, 3, (1, 3, 9)),))
    reference.tell(rounds.tell_others((1, 0.9), (1, 0.1)))
    rounds.tell_others((9, 1.0), (3, 1.0), (2, 1.0))
    assert rounds.kept == [0, 1]
    for _ in range(4):
        reference.tell(rounds.play(lambda row: 0.5))
        assert rounds.kept == reference.kept
    assert (0, 3) in pairs(rounds.rows)
    assert not {2, 3, 4} & {row.source for row in rounds.rows}


@pytest.mark.slow
def test_a_batch_larger_than_brackets_starts_several():
    rounds = Rounds("successive_halving", lanes=64, budget=9)
    assert pairs(rounds.play(lambda row: row.trial / 100)) == [(-1, 1)] * 64
    second = rounds.play(lambda row: row.trial / 100)
    promoted = [9 * b + i for b in range(7) for i in (8, 7, 6)]
    assert [row.source for row in second] == promoted + [-1] * 43
    assert open_brackets((halve(9, 3, (1, 3, 9)),), 64) == 36


@pytest.mark.slow
def test_one_rung_is_uniform_search_without_repeats():
    space = Space({"a": Choice((1, 2, 3, 4)), "b": Choice(("x", "y", "z"))})
    method = algorithms.successive_halving(space, lanes=4)
    assert method.resumable is None
    objective = Objective(lambda key: (), lambda key, state, proposal: (state, Outcome(proposal.point[:, 0], {})))
    told = run_traced(method, objective, 2).proposal
    assert (np.asarray(told.source) == -1).all()
    assert (np.asarray(told.budget) == 1).all()
    assert len(np.unique(np.asarray(told.point).reshape(8, 2), axis=0)) == 8


@pytest.mark.parametrize("name", ["successive_halving", "hyperband", "asha"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_budget": 30}, "min_budget=30 must not be above budget=9; lower it"),
        ({"min_budget": 0}, "min_budget=0 must be an integer of at least 1"),
        ({"eta": 1}, "eta=1 must be an integer of at least 2"),
        ({"eta": 3.0}, "eta=3.0 must be an integer of at least 2"),
    ],
)
def test_rungs_that_cannot_be(name, options, message):
    with pytest.raises(ValueError) as error:
        algorithms.make(name, SPACE, lanes=2, budget=9, **options)
    assert str(error.value) == message


@pytest.mark.slow
def test_too_few_configurations():
    with pytest.raises(ValueError, match=r"^configurations=8 must be at least 9, for one to reach budget=9$"):
        algorithms.successive_halving(SPACE, lanes=2, budget=9, configurations=8)
    rounds = Rounds("successive_halving", lanes=4, budget=9, configurations=12)
    for _ in range(3):
        assert pairs(rounds.play(lambda row: row.trial)) == [(-1, 1)] * 4
    assert pairs(rounds.play(lambda row: 0.0)) == [(11, 3), (10, 3), (9, 3), (8, 3)]
