"""What the kept runs say: means, ranks and comparisons, each with a 95% interval.

A *board* is the regret of several searchers on the same tasks at the same counts: [searchers, tasks, seeds, counts].
Every task weighs the same, and within a task every seed. Intervals are those of `jaxhpo.study.statistics`, a bootstrap
over tasks, then seeds, that all searchers of a board share (seed s of a noisy task has the same noise for everyone).
Such an interval speaks for tasks like these; one with `tasks=False` keeps them as they are and speaks for them alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.quality.store import Run
from jaxhpo.study import statistics
from jaxhpo.study.statistics import Interval, Reached


class Board(NamedTuple):
    """Regrets of searchers that all did the same tasks."""

    who: tuple[str, ...]
    tasks: tuple[str, ...]
    at: tuple[int, ...]  # evaluations
    regret: np.ndarray  # [searchers, tasks, seeds, at] float64; nan where there are fewer seeds

    def of(self, who: str) -> np.ndarray:
        """Return one searcher's regrets: [tasks, seeds, at]."""
        return self.regret[self.who.index(who)]

    def values(self, at: int) -> np.ndarray:
        """Return everyone's regrets at one count: [searchers, tasks, seeds]."""
        return self.regret[..., self.at.index(at)]


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


def mean_regrets(made: Board, *, tasks: bool = True) -> dict[str, list[Interval]]:
    """Return every searcher's mean regret at every count."""
    if not made.who:
        return {}
    columns = [statistics.mean_intervals(made.regret[..., a], tasks=tasks) for a in range(len(made.at))]
    return {who: [column[i] for column in columns] for i, who in enumerate(made.who)}


def differences(made: Board, baseline: str, at: int, *, tasks: bool = True) -> dict[str, Interval]:
    """Return every searcher's mean regret minus the baseline's: below 0 is better than it."""
    found = statistics.paired_differences(made.values(at), made.who.index(baseline), tasks=tasks)
    return dict(zip(made.who, found, strict=True))


def ratios(made: Board, ours: str, at: int) -> dict[str, Interval]:
    """Return the mean regret of `ours` over every searcher's: below 1 is better than it."""
    return dict(zip(made.who, statistics.paired_ratios(made.values(at), made.who.index(ours)), strict=True))


def mean_ranks(made: Board, at: int) -> dict[str, Interval]:
    """Return every searcher's mean over tasks of the rank of its mean regret there, 1 = best; ties share theirs."""
    return dict(zip(made.who, statistics.mean_ranks(made.values(at)), strict=True))


class Difference(NamedTuple):
    """Friedman's test over tasks and Nemenyi's critical difference of mean ranks (Demsar 2006)."""

    ranks: dict[str, float]  # mean over tasks of the rank of a searcher's mean regret, the best first
    p_value: float  # of all searchers being alike
    critical: float  # mean ranks that differ by more differ at 5%


def critical_difference(made: Board, at: int) -> Difference:
    """Return how far mean ranks of at least two searchers must lie apart on these tasks."""
    scores = np.nanmean(made.values(at), axis=-1)  # [searchers, tasks]
    k, n = scores.shape
    ranks = stats.rankdata(scores, axis=0).mean(axis=1)
    p_value = float(stats.friedmanchisquare(*scores).pvalue) if k > 2 and n > 1 else float("nan")
    q = stats.studentized_range.ppf(statistics.LEVEL, k, np.inf) / np.sqrt(2)
    order = np.argsort(ranks, kind="stable")
    return Difference({made.who[i]: float(ranks[i]) for i in order}, p_value, float(q * np.sqrt(k * (k + 1) / (6 * n))))


def reached(runs: Sequence[Run], target: float) -> dict[str, Reached]:
    """Return for every searcher how soon the regret of its studies first fell to the target."""
    found: dict[str, list[float]] = {}
    for run in runs:
        firsts = (statistics.first_at(curve[::2], curve[1::2], target) for curve in run.curves)
        found.setdefault(run.who, []).extend(firsts)
    return {who: statistics.reached(counts) for who, counts in found.items()}
