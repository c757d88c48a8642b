"""Hyperband against the brackets of its paper, and against brackets in plain Python."""

import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.multi_fidelity.hyperband import bracket_plans
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs

from .multi_fidelity import SPACE, Reference, Rounds, pairs


def test_the_brackets_of_the_paper():
    # R = 81, eta = 3, by Algorithm 1 of Li et al. (2018): n = ceil((s_max + 1) / (s + 1) * eta^s).
    assert bracket_plans(read_rungs(81, 3, 1), 3) == (
        ((81, 1), (27, 3), (9, 9), (3, 27), (1, 81)),
        ((34, 3), (11, 9), (3, 27), (1, 81)),
        ((15, 9), (5, 27), (1, 81)),
        ((8, 27), (2, 81)),
        ((5, 81),),
    )


def test_one_round_of_brackets_by_hand():
    rounds = Rounds("hyperband", lanes=1, budget=9)
    for _ in range(9 + 3 + 1 + 5 + 1 + 3):
        rounds.play(lambda row: -row.trial)
    expected = [(-1, 1)] * 9 + [(0, 3), (1, 3), (2, 3), (9, 9)]
    expected += [(-1, 3)] * 5 + [(13, 9)] + [(-1, 9)] * 3
    assert pairs(rounds.rows) == expected
    assert rounds.epochs == (9 + 3 * 2 + 6) + (5 * 3 + 6) + 3 * 9
    assert pairs(rounds.play(lambda row: 0.0)) == [(-1, 1)]  # and from the first again


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 5, 8, 40])
def test_promotions_are_earned_and_what_is_kept_is_exact(lanes):
    rng = np.random.default_rng(lanes)
    rounds = Rounds("hyperband", lanes=lanes, budget=27)
    reference = Reference(bracket_plans((1, 3, 9, 27), 3))
    for r in range(40):
        limit = int(rng.integers(0, lanes + 1)) if r % 3 == 0 else None
        rows = rounds.play(lambda row: np.nan if rng.uniform() < 0.2 else rng.integers(10) / 10, limit=limit)
        assert len(rows) == (lanes if limit is None else limit)
        reference.tell(rows)
        assert rounds.kept == reference.kept


@pytest.mark.slow
def test_a_trial_told_twice_counts_once():
    rounds = Rounds("hyperband", lanes=3, budget=9)
    while not any(row.source >= 0 for row in rounds.rows):
        rounds.play(lambda row: row.trial)
    asked = rounds.ask()
    lane = int(np.argmax(asked.source >= 0))
    assert asked.source[lane] >= 0
    twice = type(asked)(*(np.repeat(np.asarray(leaf)[lane : lane + 1], 3, axis=0) for leaf in asked[:4]), asked.trial)
    before = rounds.kept
    rounds.tell(twice, lambda row: 0.5)
    assert asked.source[lane] not in rounds.kept
    assert len(set(rounds.kept) - set(before)) <= 1


@pytest.mark.slow
def test_fewer_brackets():
    rounds = Rounds("hyperband", lanes=13, budget=9, brackets=1)
    assert pairs(rounds.play(lambda row: 0.0)) == [(-1, 1)] * 13
    with pytest.raises(ValueError, match=r"^brackets=4 must not be above 3, the number of rungs of budget=9$"):
        algorithms.hyperband(SPACE, lanes=2, budget=9, brackets=4)
    with pytest.raises(ValueError, match=r"^brackets=0 must be an integer of at least 1$"):
        algorithms.hyperband(SPACE, lanes=2, budget=9, brackets=0)
