"""What the kept runs say: means, ranks and comparisons, each with a 95% interval.

A *board* is the regret of several searchers on the same tasks at the same counts: [searchers, tasks, seeds, counts].
Every task weighs the same, and within a task every seed. Intervals are percentiles of a bootstrap that draws tasks with
replacement and then, for each drawn task, as many seeds as it has; all searchers of a draw share its tasks and its
seeds, so differences and ratios are paired by both (seed s of a noisy task has the same noise for everyone). Such an
interval speaks for tasks like these; one with `tasks=False` keeps the tasks as they are and speaks for them alone.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.quality.store import Run

DRAWS = 2000
_LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate and its 95% interval."""

    value: float
    low: float
    high: float


class Board(NamedTuple):
    """Regrets of searchers that all did the same tasks."""

    who: tuple[str, ...]
    tasks: tuple[str, ...]
    at: tuple[int, ...]  # evaluations
    regret: np.ndarray  # [searchers, tasks, seeds, at] float64; nan where a task has fewer seeds

    def of(self, who: str) -> np.ndarray:
        """Return one searcher's regrets: [tasks, seeds, at]."""
        return self.regret[self.who.index(who)]


def board(runs: Sequence[Run], at: Sequence[int], *, needs: Sequence[str] = ()) -> Board:
    """Return the board of the searchers that did every task of `needs`, or every task that any did.

    A failed start counts as the median configuration: regret is 1 before a searcher's first success. Where a seed is
    missing from one searcher it is left out of that task for all.
    """
    tasks = tuple(needs) or tuple(sorted({run.task for run in runs}))
    by = {(run.who, run.task): run for run in runs if run.unit == "evaluations"}
    who = tuple(sorted({w for w, _ in by if all((w, task) in by for task in tasks)}))
    shared = {task: sorted(set.intersection(*(set(by[w, task].seeds) for w in who))) if who else [] for task in tasks}
    most = max(map(len, shared.values()), default=0)
    regret = np.full((len(who), len(tasks), most, len(at)), np.nan)
    for i, w in enumerate(who):
        for j, task in enumerate(tasks):
            run = by[w, task]
            rows = [run.seeds.index(seed) for seed in shared[task]]
            regret[i, j, : len(rows)] = np.nan_to_num(run.regret(at)[rows], nan=1.0)
    return Board(who, tasks, tuple(at), regret)


def draw_means(values: np.ndarray, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return bootstrap draws of the mean over tasks of the mean over seeds: [W, tasks, seeds] -> [draws, W].

    Args:
        values: of W searchers; nan where a task has fewer seeds.
        tasks: draw tasks too, and not only their seeds.
        draws: how many.
        seed: of the draws.
    """
    weights = _weights(tuple((~np.isnan(values[0])).sum(axis=1).tolist()), values.shape[2], tasks, draws, seed)
    return weights @ np.nan_to_num(values).reshape(len(values), -1).T


@lru_cache(4)
def _weights(counts: tuple[int, ...], most: int, tasks: bool, draws: int, seed: int) -> np.ndarray:
    """Return what each draw weighs every task's seeds by, of which a task has the first few: [draws, tasks * most]."""
    rng = np.random.default_rng(seed)
    n, seeds = len(counts), np.array(counts)
    times = rng.multinomial(n, np.full(n, 1 / n), draws) if tasks else np.ones((draws, n), np.int64)
    # A task that is drawn twice draws its seeds twice.
    there = (np.arange(most) < seeds[:, None]) / seeds[:, None]
    weights = rng.multinomial(times * seeds, there) / seeds[:, None] / n
    return weights.reshape(draws, -1)


def mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over tasks of the mean over seeds: [..., tasks, seeds] -> [...]."""
    return np.nanmean(values, axis=-1).mean(axis=-1)


def interval(value: float, draws: np.ndarray) -> Interval:
    """Return the percentile interval of bootstrap draws around an estimate."""
    tail = 100 * (1 - _LEVEL) / 2
    return Interval(float(value), float(np.percentile(draws, tail)), float(np.percentile(draws, 100 - tail)))


def mean_regrets(made: Board, *, tasks: bool = True) -> dict[str, list[Interval]]:
    """Return every searcher's mean regret at every count."""
    found: dict[str, list[Interval]] = {who: [] for who in made.who}
    for a in range(len(made.at)):
        values = made.regret[..., a]
        draws = draw_means(values, tasks=tasks)
        for who, value, each in zip(made.who, mean(values), draws.T, strict=True):
            found[who].append(interval(value, each))
    return found


def differences(made: Board, baseline: str, at: int) -> dict[str, Interval]:
    """Return every searcher's mean regret minus the baseline's: below 0 is better than it."""
    values = made.regret[..., made.at.index(at)]
    values = values - values[made.who.index(baseline)]
    draws = draw_means(values)
    return {who: interval(v, each) for who, v, each in zip(made.who, mean(values), draws.T, strict=True)}


def ratios(made: Board, ours: str, at: int) -> dict[str, Interval]:
    """Return the mean regret of `ours` over every searcher's: below 1 is better than it.

    A ratio of two means over the same tasks and seeds, not a mean of ratios, which one easy task would rule. Where
    both means are 0 it is 1.
    """
    values = made.regret[..., made.at.index(at)]
    means, draws = mean(values), draw_means(values)
    place = made.who.index(ours)

    def over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((a == 0) & (b == 0), 1.0, a / b)

    value, each = over(means[place], means), over(draws[:, place : place + 1], draws)
    return {who: interval(value[i], each[:, i]) for i, who in enumerate(made.who)}


def mean_ranks(made: Board, at: int) -> dict[str, Interval]:
    """Return every searcher's mean rank, 1 = best: ranked seed by seed within a task, ties share their mean."""
    values = made.regret[..., made.at.index(at)]
    ranks = np.where(np.isnan(values), np.nan, stats.rankdata(np.nan_to_num(values), axis=0))
    draws = draw_means(ranks)
    return {who: interval(v, each) for who, v, each in zip(made.who, mean(ranks), draws.T, strict=True)}


class Difference(NamedTuple):
    """Friedman's test over tasks and Nemenyi's critical difference of mean ranks (Demsar 2006)."""

    ranks: dict[str, float]  # mean over tasks of the rank of a searcher's mean regret, the best first
    p_value: float  # of all searchers being alike
    critical: float  # mean ranks that differ by more differ at 5%


def critical_difference(made: Board, at: int) -> Difference:
    """Return how far mean ranks of at least two searchers must lie apart on these tasks."""
    scores = np.nanmean(made.regret[..., made.at.index(at)], axis=-1)  # [searchers, tasks]
    k, n = scores.shape
    ranks = stats.rankdata(scores, axis=0).mean(axis=1)
    p_value = float(stats.friedmanchisquare(*scores).pvalue) if k > 2 and n > 1 else float("nan")
    q = stats.studentized_range.ppf(_LEVEL, k, np.inf) / np.sqrt(2)
    order = np.argsort(ranks, kind="stable")
    return Difference({made.who[i]: float(ranks[i]) for i in order}, p_value, float(q * np.sqrt(k * (k + 1) / (6 * n))))


class Reached(NamedTuple):
    """How soon a regret was reached."""

    median: float  # evaluations, over all tasks and seeds that weigh the same; inf where fewer than half reached it
    share: float  # of studies that reached it


def reached(runs: Sequence[Run], target: float) -> dict[str, Reached]:
    """Return for every searcher the count at which regret first fell to the target."""
    found: dict[str, list[float]] = {}
    for run in runs:
        found.setdefault(run.who, []).extend(first_at(curve, target) for curve in run.curves)
    return {
        who: Reached(float(np.quantile(counts, 0.5, method="inverted_cdf")), float(np.mean(np.isfinite(counts))))
        for who, counts in found.items()
    }


def first_at(curve: Sequence[float], target: float) -> float:
    """Return the count at which a flat curve (`store.changes`) first has a regret of at most `target`, inf if never."""
    return next((c for c, regret in zip(curve[::2], curve[1::2], strict=True) if regret <= target), float("inf"))
