"""What the kept runs say: means, ranks and comparisons, each with a 95% interval.

A *board* is the regret of several searchers on the same tasks at the same counts: [searchers, tasks, seeds, counts].
Every task weighs the same, and within a task every seed. Intervals are percentiles of a bootstrap that draws tasks with
replacement and then, for each drawn task, as many seeds as a searcher has. All searchers of a draw share its tasks, and
those with as many seeds share these too, so differences and ratios are paired (seed s of a noisy task has the same
noise for everyone). Such an interval speaks for tasks like these; one with `tasks=False` keeps them as they are and
speaks for them alone.
"""

from collections.abc import Sequence
from dataclasses import replace
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
    regret: np.ndarray  # [searchers, tasks, seeds, at] float64; nan where there are fewer seeds

    def of(self, who: str) -> np.ndarray:
        """Return one searcher's regrets: [tasks, seeds, at]."""
        return self.regret[self.who.index(who)]


def board(runs: Sequence[Run], at: Sequence[int], *, needs: Sequence[str] = ()) -> Board:
    """Return the board of the searchers that did every task of `needs`, or every task that any did.

    Only runs that count evaluations, and as many as `at` asks for, are on it. A failed start counts as the median
    configuration: regret is 1 before a searcher's first success.
    """
    tasks = tuple(needs) or tuple(sorted({run.task for run in runs}))
    by = {(run.who, run.task): run for run in runs if run.unit == "evaluations" and run.evals >= max(at)}
    who = tuple(sorted({w for w, _ in by if all((w, task) in by for task in tasks)}))
    most = max((len(by[w, task].seeds) for w in who for task in tasks), default=0)
    regret = np.full((len(who), len(tasks), most, len(at)), np.nan)
    for i, w in enumerate(who):
        for j, task in enumerate(tasks):
            found = by[w, task].regret(at)
            regret[i, j, : len(found)] = np.nan_to_num(found, nan=1.0)
    return Board(who, tasks, tuple(at), regret)


def by_epochs(runs: Sequence[Run], shares: Sequence[float], needs: Sequence[str], evals: int) -> Board:
    """Return the board of the searchers that did every task of `needs`, by epochs spent, of whole trials too.

    Args:
        runs: counted in evaluations or in epochs.
        shares: where to look: parts of the epochs that `evals` whole trainings take. A board's `at` has them in
            thousandths.
        needs: tasks.
        evals: whole trainings.
    """
    counted = []
    for run in runs:
        if run.task not in needs or run.evals < evals:
            continue
        whole = evals * (run.budget if run.unit == "epochs" else 1)
        curves = [[x if i % 2 else 1000 * x / whole for i, x in enumerate(curve)] for curve in run.curves]
        counted.append(replace(run, unit="evaluations", evals=1000, curves=curves))
    return board(counted, [round(1000 * share) for share in shares], needs=needs)


def fewest_seeds(made: Board, who: str) -> int:
    """Return how many seeds a searcher has on each task, or at least has."""
    return int((~np.isnan(made.of(who)[..., 0])).sum(axis=1).min())


def resampled(values: np.ndarray, *, tasks: bool = True, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return bootstrap draws of every task's mean over seeds: [W, tasks, seeds] -> [draws, W, tasks].

    Args:
        values: of W searchers; nan where there are fewer seeds.
        tasks: draw tasks too, and not only their seeds.
        draws: how many.
        seed: of the draws.
    """
    means = np.empty((draws, *values.shape[:2]))
    for w, each in enumerate(values):
        counts = tuple((~np.isnan(each)).sum(axis=1).tolist())
        chosen, weights = _weights(counts, values.shape[2], tasks, draws, seed)
        means[:, w] = np.einsum("dts,dts->dt", weights, np.nan_to_num(each)[chosen])
    return means


def draw_means(values: np.ndarray, *, tasks: bool = True) -> np.ndarray:
    """Return bootstrap draws of the mean over tasks of the mean over seeds: [W, tasks, seeds] -> [draws, W]."""
    return resampled(values, tasks=tasks).mean(axis=-1)


@lru_cache(8)
def _weights(counts: tuple[int, ...], most: int, tasks: bool, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which tasks each draw has, [draws, tasks], and what it weighs their first seeds by, [draws, tasks, most].

    A task that is drawn twice draws its seeds twice.
    """
    n = len(counts)
    chosen = np.tile(np.arange(n), (draws, 1))
    if tasks:
        chosen = np.random.default_rng(seed).integers(n, size=(draws, n))
    seeds = np.array(counts)[chosen]
    there = (np.arange(most) < seeds[..., None]) / seeds[..., None]
    return chosen, np.random.default_rng(seed + 1).multinomial(seeds, there) / seeds[..., None]


def mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over tasks of the mean over seeds: [..., tasks, seeds] -> [...]."""
    return np.nanmean(values, axis=-1).mean(axis=-1)


def interval(value: float, draws: np.ndarray) -> Interval:
    """Return the percentile interval of bootstrap draws around an estimate."""
    tail = 100 * (1 - _LEVEL) / 2
    # Draws themselves, as between one that is infinite (a ratio to 0) and another there is nothing.
    low, high = np.percentile(draws, [tail, 100 - tail], method="inverted_cdf")
    return Interval(float(value), float(low), float(high))


def mean_regrets(made: Board, *, tasks: bool = True) -> dict[str, list[Interval]]:
    """Return every searcher's mean regret at every count."""
    found: dict[str, list[Interval]] = {who: [] for who in made.who}
    for a in range(len(made.at)):
        values = made.regret[..., a]
        draws = draw_means(values, tasks=tasks)
        for who, value, each in zip(made.who, mean(values), draws.T, strict=True):
            found[who].append(interval(value, each))
    return found


def differences(made: Board, baseline: str, at: int, *, tasks: bool = True) -> dict[str, Interval]:
    """Return every searcher's mean regret minus the baseline's: below 0 is better than it."""
    values = made.regret[..., made.at.index(at)]
    means, draws = mean(values), draw_means(values, tasks=tasks)
    base = made.who.index(baseline)
    return {who: interval(means[i] - means[base], draws[:, i] - draws[:, base]) for i, who in enumerate(made.who)}


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
    """Return every searcher's mean over tasks of the rank of its mean regret there, 1 = best; ties share theirs."""
    values = made.regret[..., made.at.index(at)]
    ranks = stats.rankdata(np.nanmean(values, axis=-1), axis=0).mean(axis=-1)
    draws = stats.rankdata(resampled(values), axis=1).mean(axis=-1)
    return {who: interval(ranks[i], draws[:, i]) for i, who in enumerate(made.who)}


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
