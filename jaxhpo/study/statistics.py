"""Compare methods by what their studies reached: means, paired differences, ratios and ranks with bootstrap intervals.

For example::

    from jaxhpo.study import statistics

    statistics.mean_intervals(regret)               # [methods, tasks, seeds] -> an interval a method
    statistics.paired_differences(regret, baseline=0)

The values of several methods on the same tasks form an array [methods, tasks, seeds]. They are losses: lower is better,
in ranks, ratios and targets. Every task has the same weight, and within a task every seed. Where a method has fewer
seeds, its row ends with NaN.

The intervals are percentiles of a bootstrap in two stages (Davison and Hinkley 1997, *Bootstrap Methods and their
Application*, sections 3.8 and 5.3): a draw takes tasks with replacement, then for each drawn task as many seeds as the
method has there, with replacement. All methods share the tasks of a draw, and methods with equal numbers of seeds
share its seeds too, so that differences and ratios are paired: what a task or a seed adds to all methods cancels. Such
an interval holds for other tasks of the same kind; with ``tasks=False`` the tasks are fixed, and it holds for these
tasks only. `scipy.stats.bootstrap` draws one stage of equally many observations, which is why it is not used here.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DRAWS = 2000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval."""

    value: float
    low: float
    high: float


class Reached(NamedTuple):
    """How soon studies reached a target."""

    median: float  # evaluations; inf where fewer than half of the studies reached it
    share: float  # of the studies that reached it, in 0 .. 1


def means(values: npt.ArrayLike) -> np.ndarray:
    """Return each method's mean over tasks of its mean over seeds.

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.

    Returns:
        [methods] float64.

    Raises:
        ValueError: if `values` has another shape, an infinite number, or NaN before a number.
    """
    return np.nanmean(_checked(values), axis=-1).mean(axis=-1)


def draw_task_means(values: npt.ArrayLike, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return bootstrap draws of the mean over seeds on each drawn task.

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.
        tasks: Whether tasks are drawn; otherwise only their seeds are.
        draws: The number of draws.
        seed: Of the random numbers; the same seed draws the same tasks and seeds.

    Returns:
        [draws, methods, tasks] float64. Task ``t`` of a draw is the same one for every method.

    Raises:
        ValueError: if an argument is out of its range.
    """
    checked = _checked(values)
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}; 2000 settles two digits of a 95% interval")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}; pass a non-negative integer")
    found = np.empty((draws, *checked.shape[:2]))
    for method, rows in enumerate(checked):
        counts = tuple((~np.isnan(rows)).sum(axis=1).tolist())
        chosen, weights = _weights(counts, checked.shape[2], tasks, draws, seed)
        found[:, method] = np.einsum("dts,dts->dt", weights, np.nan_to_num(rows)[chosen])
    return found


def draw_means(values: npt.ArrayLike, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return bootstrap draws of `means`.

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.
        tasks: Whether tasks are drawn; otherwise only their seeds are.
        draws: The number of draws.
        seed: Of the random numbers.

    Returns:
        [draws, methods] float64.

    Raises:
        ValueError: if an argument is out of its range.
    """
    return draw_task_means(values, tasks=tasks, draws=draws, seed=seed).mean(axis=-1)


def interval(value: float, drawn: npt.ArrayLike, *, level: float = LEVEL) -> Interval:
    """Return an estimate with the percentile interval of its bootstrap draws (Efron and Tibshirani 1993, chapter 13).

    The ends are draws themselves: between a finite draw and an infinite one, such as a ratio to 0, there is no number
    to interpolate.

    Args:
        value: The estimate.
        drawn: [draws] float, the estimate's draws; infinite ones are allowed.
        level: The share of the draws between the ends.

    Returns:
        The estimate, and the ends of its interval.

    Raises:
        ValueError: if `drawn` is not one row of numbers, or `level` is not between 0 and 1.
    """
    row = np.asarray(drawn, np.float64)
    if row.ndim != 1 or not row.size or np.isnan(row).any():
        raise ValueError(
            f"drawn must be a row of numbers, got shape {row.shape} with {int(np.isnan(row).sum())} NaN; "
            "pass the draws of one estimate"
        )
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}; 0.95 is usual")
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(row, [tail, 100 - tail], method="inverted_cdf")
    return Interval(float(value), float(low), float(high))


def mean_intervals(values: npt.ArrayLike, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """Return each method's mean over tasks and seeds with its 95% interval.

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.
        tasks: Whether tasks are drawn; otherwise the interval holds for these tasks only.
        draws: The number of draws.
        seed: Of the random numbers.

    Returns:
        One interval a method, in their order.

    Raises:
        ValueError: if an argument is out of its range.
    """
    drawn = draw_means(values, tasks=tasks, draws=draws, seed=seed)
    return [interval(value, row) for value, row in zip(means(values), drawn.T, strict=True)]


def paired_differences(
    values: npt.ArrayLike, baseline: int, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0
) -> list[Interval]:
    """Return each method's mean minus the baseline's with its 95% interval: below 0 is better than the baseline.

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.
        baseline: The place of a method.
        tasks: Whether tasks are drawn; otherwise the interval holds for these tasks only.
        draws: The number of draws.
        seed: Of the random numbers.

    Returns:
        One interval a method, in their order; the baseline's is exactly 0.

    Raises:
        ValueError: if an argument is out of its range.
    """
    found = means(values)
    _check_place("baseline", baseline, len(found))
    drawn = draw_means(values, tasks=tasks, draws=draws, seed=seed)
    return [interval(found[i] - found[baseline], drawn[:, i] - drawn[:, baseline]) for i in range(len(found))]


def paired_ratios(
    values: npt.ArrayLike, numerator: int, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0
) -> list[Interval]:
    """Return one method's mean over every method's with its 95% interval: below 1 it is better than that method.

    It is a ratio of two means over the same tasks and seeds. A mean of ratios would follow the one task on which the
    denominator is smallest. Where both means are 0 the ratio is 1, where only the denominator is, infinite.

    Args:
        values: [methods, tasks, seeds] float, none below 0; a row of fewer seeds ends with NaN.
        numerator: The place of a method.
        tasks: Whether tasks are drawn; otherwise the interval holds for these tasks only.
        draws: The number of draws.
        seed: Of the random numbers.

    Returns:
        One interval a method, in their order; the numerator's own is exactly 1.

    Raises:
        ValueError: if an argument is out of its range.
    """
    found = means(values)
    _check_place("numerator", numerator, len(found))
    least = float(np.nanmin(np.asarray(values, np.float64)))
    if least < 0:
        raise ValueError(f"values must not be below 0 in a ratio, got {least}; pass losses whose best value is 0")
    drawn = draw_means(values, tasks=tasks, draws=draws, seed=seed)

    def over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((a == 0) & (b == 0), 1.0, a / b)

    ratio, rows = over(found[numerator], found), over(drawn[:, numerator : numerator + 1], drawn)
    return [interval(value, row) for value, row in zip(ratio, rows.T, strict=True)]


def mean_ranks(values: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> list[Interval]:
    """Return each method's mean over tasks of the rank of its mean there, with its 95% interval (Demsar 2006).

    Args:
        values: [methods, tasks, seeds] float; a row of fewer seeds ends with NaN.
        draws: The number of draws, of tasks and of their seeds.
        seed: Of the random numbers.

    Returns:
        One interval a method, in their order. Rank 1 is the lowest mean; methods that tie share their mean rank.

    Raises:
        ValueError: if an argument is out of its range.
    """
    from scipy.stats import rankdata  # slow to import, for one function

    ranks = rankdata(np.nanmean(_checked(values), axis=-1), axis=0).mean(axis=-1)
    drawn = rankdata(draw_task_means(values, draws=draws, seed=seed), axis=1).mean(axis=-1)
    return [interval(value, row) for value, row in zip(ranks, drawn.T, strict=True)]


def first_at(counts: Sequence[float], values: Sequence[float], target: float) -> float:
    """Return the first evaluation whose value is at most a target.

    Args:
        counts: [N] evaluations spent, ascending.
        values: [N] the value after each, the lower the better; NaN is none.
        target: What is to be reached.

    Returns:
        One of `counts`, inf where none of the values is as low.

    Raises:
        ValueError: if `counts` and `values` differ in length, or `target` is NaN.
    """
    if len(counts) != len(values):
        raise ValueError(f"counts must be as many as values, got {len(counts)} and {len(values)}; pass a pair of each")
    if np.isnan(target):
        raise ValueError(f"target must be a number, got {target}; pass the value that is to be reached")
    return next((float(c) for c, value in zip(counts, values, strict=True) if value <= target), float("inf"))


def reached(counts: npt.ArrayLike) -> Reached:
    """Return the median of what `first_at` found of several studies, and the share that reached the target.

    Args:
        counts: [studies] float, inf where a study did not reach it.

    Returns:
        The lower median, which is one of `counts`, and the share of finite ones.

    Raises:
        ValueError: if `counts` is not one row of numbers.
    """
    row = np.asarray(counts, np.float64)
    if row.ndim != 1 or not row.size or np.isnan(row).any():
        raise ValueError(f"counts must be a row of numbers, got {row.tolist()}; pass what first_at returned")
    return Reached(float(np.quantile(row, 0.5, method="inverted_cdf")), float(np.mean(np.isfinite(row))))


@lru_cache(8)
def _weights(counts: tuple[int, ...], most: int, tasks: bool, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which tasks each draw has, [draws, tasks], and the weights of their seeds, [draws, tasks, most].

    A task that is drawn twice draws its seeds twice.
    """
    n = len(counts)
    chosen = np.tile(np.arange(n), (draws, 1))
    if tasks:
        chosen = np.random.default_rng(seed).integers(n, size=(draws, n))
    seeds = np.array(counts)[chosen]
    there = (np.arange(most) < seeds[..., None]) / seeds[..., None]
    return chosen, np.random.default_rng(seed + 1).multinomial(seeds, there) / seeds[..., None]


def _checked(values: npt.ArrayLike) -> np.ndarray:
    """Return values as [methods, tasks, seeds] float64."""
    array = np.asarray(values, np.float64)
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"values must be [methods, tasks, seeds], got shape {array.shape}; give what is one an axis of length 1"
        )
    if np.isinf(array).any():
        raise ValueError("values must be finite, got inf; give a failed study the loss that it is to count as")
    missing = np.isnan(array)
    early = missing[..., 0] | (missing[..., :-1] & ~missing[..., 1:]).any(axis=-1)
    if early.any():
        method, task = np.argwhere(early)[0].tolist()
        raise ValueError(
            f"values[{method}, {task}] must begin with numbers, got {array[method, task].tolist()}; "
            "put NaN behind the seeds that there are"
        )
    return array


def _check_place(name: str, place: int, count: int) -> None:
    if not 0 <= place < count:
        raise ValueError(f"{name} must be a place among {count} methods, got {place}; count from 0")
