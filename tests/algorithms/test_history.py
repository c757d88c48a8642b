"""What methods have been told: order, growth, what is forgotten, and the numbers that are made of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import tpe
from jaxhpo.algorithms.common import history
from jaxhpo.compilation import CompilationCounter
from jaxhpo.space import Float, Space
from jaxhpo.study import Study
from jaxhpo.types import Objective, Outcome, Proposal


def told(scores, *, active=None, start=0, into=None, **known):
    """Return a history after one batch of these scores; trial n's point is n / 1000."""
    number = len(scores)
    active = np.ones(number, bool) if active is None else np.asarray(active)
    trial = start + np.arange(number, dtype=np.int32)
    point = (trial[:, None] / 1000).astype(np.float32)
    budget = np.full(number, 3, np.int32)
    proposal = Proposal(point, budget, np.full(number, -1, np.int32), active, np.where(active, trial, -1))
    into = history.empty(1, number) if into is None else into
    return history.append(into, proposal, Outcome(np.asarray(scores, np.float32), {}, **known))


def test_active_rows_are_kept_in_order():
    found = told([3.0, 9.0, np.nan, 5.0], active=[True, False, True, True])
    assert found.count == 3
    np.testing.assert_array_equal(found.trial[:4], [0, 2, 3, -1])
    np.testing.assert_array_equal(found.score[:3], np.float32([3, np.nan, 5]))
    np.testing.assert_array_equal(found.budget[:4], [3, 3, 3, 0])
    np.testing.assert_array_equal(history.filled(found)[:4], [True, True, True, False])
    np.testing.assert_array_equal(history.succeeded(found)[:4], [True, False, True, False])


@pytest.mark.parametrize(("trials", "rows"), [(1, 64), (64, 64), (65, 128), (128, 128), (1000, 1024)])
def test_it_doubles_by_the_number_of_trials(trials, rows):
    before = told([1.0, 2.0])
    after = history.grow(before, trials)
    assert after.score.shape == (rows,)
    assert after.point.shape == (rows, 1)
    np.testing.assert_array_equal(after.trial[:3], [0, 1, -1])
    assert not history.filled(after)[2:].any()
    traced = jax.jit(lambda state: history.grow(state, trials))(before)
    jax.tree.map(np.testing.assert_array_equal, after, traced)


def test_one_that_was_not_grown_forgets_its_worst():
    scores = np.arange(64.0)
    scores[10] = np.nan
    full = told(scores)
    after = told([100.0, np.nan, 101.0], active=[True, False, True], start=64, into=full)
    assert after.count == 66
    kept = set(np.asarray(after.trial).tolist())
    assert kept == set(range(66 + 1)) - {10, 0, 65}  # the failed one, the worst one, and what was inactive


def test_standard_errors_stay_with_their_trials():
    error = np.float32([0.5, 0.25, np.nan, 0.125])
    found = told([3.0, 9.0, 7.0, 5.0], active=[True, False, True, True], standard_error=error)
    expected = np.full(128, np.nan, np.float32)
    expected[[0, 2]] = 0.5, 0.125
    np.testing.assert_array_equal(found.noise, expected[:64])
    np.testing.assert_array_equal(history.grow(found, 65).noise, expected)
    more = told([1.0, 2.0], start=3, into=found)  # whose standard errors are not known
    np.testing.assert_array_equal(more.noise, expected[:64])
    full = told(np.arange(64.0), standard_error=np.arange(64, dtype=np.float32))
    over = told([100.0], start=64, into=full, standard_error=np.float32([0.5]))  # in place of the worst
    np.testing.assert_array_equal(over.noise, np.append(np.float32(0.5), np.arange(1, 64, dtype=np.float32)))


def test_failed_trials_are_as_bad_as_the_worst():
    found = told([3.0, np.nan, 5.0])
    np.testing.assert_array_equal(history.imputed(found)[:4], [3, 3, 5, 3])
    np.testing.assert_array_equal(history.imputed(told([np.nan, np.nan]))[:2], [0, 0])


def test_ranks_are_between_0_and_1_and_ties_share_one():
    found = told([3.0, np.nan, 5.0, 9.0])
    np.testing.assert_allclose(history.ranks(found)[:5], [0.25, 0.25, 0.625, 0.875, 0.5])


def test_new_points_come_first_and_each_once():
    found = told([1.0, 2.0])  # 0 and 0.001
    points = jnp.array([[0.001], [0.1], [0.1], [0.2], [0.0]], jnp.float32)
    np.testing.assert_array_equal(history.is_new(found, points), [False, True, True, True, False])
    np.testing.assert_array_equal(history.first_new_rows(found, points, 3), [1, 3, 0])


@pytest.mark.slow
def test_a_study_compiles_what_was_planned_and_no_more():
    space = Space({"x": Float(0.0, 1.0)})
    objective = Objective(lambda key: (), lambda key, state, p: (state, Outcome(p.point[:, 0], {})))
    study = Study(space, tpe(space, lanes=8), objective)
    planned = study.planned_programs(136)
    assert planned == 6  # start; ask of 64 and 128 rows; tell of 64, 128 and 256
    assert study.planned_programs(64) == 3
    assert study.planned_programs(65) == 4
    assert study.planned_programs(1024) == 11
    counter = CompilationCounter()
    study.run(136)
    assert counter.requests == planned + 1  # and the objective's
