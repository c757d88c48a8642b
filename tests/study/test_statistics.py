"""Statistics of studies against numbers computed by hand."""

import ast
from pathlib import Path

import numpy as np
import pytest

from jaxhpo.study import statistics

NAN, INF = float("nan"), float("inf")
# Methods a and b on two tasks with two seeds.
TWO = np.array([[[0.1, 0.3], [0.0, 0.2]], [[0.4, 0.2], [0.2, 0.4]]])


def test_a_mean_weighs_every_task_alike():
    values = [[[1.0, 3.0], [5.0, NAN]]]  # the second task has one seed
    assert statistics.means(values).tolist() == [3.5]
    drawn = statistics.draw_means(values, tasks=False)
    assert drawn.shape == (2000, 1)
    assert sorted(set(drawn[:, 0])) == [3.0, 3.5, 4.0]  # (1, 2 or 3 + 5) / 2
    np.testing.assert_allclose(drawn.mean(), 3.5, atol=0.05)


def test_draws_of_tasks_are_shared_by_methods():
    drawn = statistics.draw_means([[[1.0], [2.0]], [[11.0], [12.0]]])
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 10.0)
    values, counts = np.unique(drawn[:, 0], return_counts=True)
    assert values.tolist() == [1.0, 1.5, 2.0]
    np.testing.assert_allclose(counts / 2000, [0.25, 0.5, 0.25], atol=0.04)


def test_draws_of_seeds_are_shared_by_methods_with_as_many():
    drawn = statistics.draw_task_means([[[0.0, 1.0, NAN]], [[5.0, 6.0, NAN]], [[0.0, 1.0, 2.0]]], draws=500)
    assert drawn.shape == (500, 3, 1)
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 5.0)
    assert not np.allclose(drawn[:, 2] - drawn[:, 0], drawn[0, 2] - drawn[0, 0])


def test_the_same_seed_draws_the_same_and_another_does_not():
    first, again, other = (statistics.draw_means(TWO, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_interval_of_a_mean_is_the_normal_one():
    each = np.random.default_rng(0).normal(size=(1, 1, 400))
    (found,) = statistics.mean_intervals(each, tasks=False)
    error = each.std() / 20
    assert found == pytest.approx((each.mean(), each.mean() - 1.96 * error, each.mean() + 1.96 * error), abs=0.02)


def test_the_interval_of_tasks_is_wider_than_that_of_seeds():
    values = [[[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]]]
    (both,), (seeds,) = (statistics.mean_intervals(values, tasks=tasks) for tasks in (True, False))
    assert both.value == seeds.value == pytest.approx(1.05)
    assert (seeds.low, seeds.high) == pytest.approx((1.0, 1.1), abs=0.02)  # all first seeds, all second ones
    assert both.low < 0.5
    assert both.high > 1.6


def test_ends_are_draws_even_where_some_are_infinite():
    assert statistics.interval(2.0, [1.0] * 90 + [INF] * 10) == (2.0, 1.0, INF)
    assert statistics.interval(50, np.arange(1, 101), level=0.9) == (50.0, 5.0, 95.0)


def test_differences_are_paired():
    a, b = statistics.paired_differences(TWO, 1)
    assert a.value == pytest.approx(-0.15)
    assert b == (0.0, 0.0, 0.0)
    same = statistics.paired_differences([[[0.1, 0.3]], [[0.2, 0.4]]], 1)[0]
    assert same == pytest.approx((-0.1, -0.1, -0.1))  # each seed differs by as much


def test_ratios_are_of_means():
    a, b = statistics.paired_ratios(TWO, 0)
    assert a == (1.0, 1.0, 1.0)
    assert b.value == pytest.approx(0.15 / 0.3)
    assert b.low < 0.5 < b.high
    both, none, one = statistics.paired_ratios([[[0.0]], [[0.0]], [[2.0]]], 0)
    assert both == none == (1.0, 1.0, 1.0)
    assert one == (0.0, 0.0, 0.0)
    assert statistics.paired_ratios([[[1.0]], [[0.0]]], 0)[1] == (INF, INF, INF)


def test_ranks_by_hand():
    # Means on the first task: a .2, b .3, c .25; on the second: a .1, b .3, c .4.
    a, b, c = statistics.mean_ranks([*TWO, [[0.4, 0.1], [0.3, 0.5]]])
    assert (a.value, b.value, c.value) == (1.0, 2.5, 2.5)
    assert a.low == 1.0
    assert b.high > 2.5
    assert statistics.mean_ranks([[[0.5]], [[0.5]], [[0.1]]]) == [(2.5, 2.5, 2.5), (2.5, 2.5, 2.5), (1.0, 1.0, 1.0)]


def test_the_first_evaluation_at_a_target():
    assert statistics.first_at([1, 7, 9], [0.5, 0.1, 0.2], 0.1) == 7
    assert statistics.first_at([1, 7], [NAN, 0.0], 0.1) == 7
    assert statistics.first_at([1], [0.5], 0.1) == INF
    assert statistics.reached([7, 3, INF]) == (7.0, pytest.approx(2 / 3))
    assert statistics.reached([3, INF, INF]) == (INF, pytest.approx(1 / 3))
    assert statistics.reached([3, INF]) == (3.0, 0.5)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: statistics.means([[1.0]]), r"values must be \[methods, tasks, seeds\], got shape \(1, 1\); give"),
        (lambda: statistics.means(np.zeros((0, 1, 1))), r"got shape \(0, 1, 1\)"),
        (lambda: statistics.means([[[1.0, INF]]]), "values must be finite, got inf; give a failed study"),
        (lambda: statistics.means([[[1.0], [NAN]]]), r"values\[0, 1\] must begin with numbers, got \[nan\]; put NaN"),
        (lambda: statistics.means([[[NAN, 1.0]]]), r"values\[0, 0\] must begin with numbers, got \[nan, 1.0\]"),
        (lambda: statistics.draw_means(TWO, draws=0), "draws must be at least 1, got 0; 2000"),
        (lambda: statistics.draw_means(TWO, seed=-1), "seed must be at least 0, got -1; pass"),
        (lambda: statistics.interval(0.0, []), r"drawn must be a row of numbers, got shape \(0,\) with 0 NaN; pass"),
        (lambda: statistics.interval(0.0, [NAN]), "with 1 NaN"),
        (lambda: statistics.interval(0.0, [1.0], level=95), "level must be between 0 and 1, got 95; 0.95 is usual"),
        (lambda: statistics.paired_differences(TWO, 2), "baseline must be a place among 2 methods, got 2; count from"),
        (lambda: statistics.paired_ratios(TWO, -1), "numerator must be a place among 2 methods, got -1"),
        (lambda: statistics.paired_ratios(-TWO, 0), "values must not be below 0 in a ratio, got -0.4; pass losses"),
        (lambda: statistics.first_at([1], [], 0.1), "counts must be as many as values, got 1 and 0; pass a pair"),
        (lambda: statistics.first_at([1], [1], NAN), "target must be a number, got nan; pass the value"),
        (lambda: statistics.reached([]), r"counts must be a row of numbers, got \[\]; pass what first_at returned"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(call, says):
    with pytest.raises(ValueError, match=says) as failed:
        call()
    assert "\n" not in str(failed.value)


def test_scipy_is_imported_for_ranks_only():
    body = ast.parse(Path(statistics.__file__).read_text(encoding="utf-8")).body
    imports = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    assert not [line for line in imports if "scipy" in line]
