"""What the kept runs come to: `results/quality.json`, from which tables are made, and the pictures beside the runs."""

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.quality import plots, statistics, store, tasks
from benchmarks.quality.settings import AT, BATCHES, SEQUENTIAL, TARGET
from benchmarks.quality.statistics import Board, Interval
from benchmarks.quality.store import Run
from benchmarks.record import save

_BASELINE = "random_search"
_COMPARED = 5  # of ours, the best, that are compared with every peer
_ALWAYS = ("q_learning",)  # and these


def write(*, verdict: bool = False) -> None:
    """Make tables and pictures of the kept runs; say so where there is nothing to compare."""
    runs = store.load(verdict=verdict, skipped=True)
    done = [run for run in runs if not run.skipped]
    if not done:
        print("no runs are kept; run python -m benchmarks.quality")
        return
    name = "quality_verdict" if verdict else "quality"
    save(name, summarise(runs), module="quality")
    plots.write(done, store.ROOT, prefix="verdict_" if verdict else "")


def summarise(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of the tables as plain data; intervals are [value, low, high].

    `overall` has the searchers that did every task with `SEQUENTIAL`, and `families` those that did every task of the
    family; `batches` those that did every task with that many lanes.
    """
    done = [run for run in runs if not run.skipped]
    one = [run for run in done if run.lanes == SEQUENTIAL.lanes and run.evals == SEQUENTIAL.evals]
    kinds = {run.who: run.kind for run in done}
    members = {family: _ran(done, family) for family in tasks.FAMILIES}
    members = {family: names for family, names in members.items() if names}
    everything = statistics.board(one, AT, needs=[name for names in members.values() for name in names])
    return {
        "evaluations": list(AT),
        "seeds": SEQUENTIAL.seeds,
        "target": TARGET,
        "tasks": members,
        "overall": _overall(everything, one, kinds),
        "families": {
            family: _means(statistics.board(one, (AT[-1],), needs=names)) for family, names in members.items()
        },
        "batches": {
            str(b.lanes): _means(
                statistics.board([r for r in done if (r.lanes, r.evals) == b[:2]], (b.evals,), needs=everything.tasks)
            )
            for b in BATCHES
        },
        "against": _against(one, everything, kinds),
        "friedman": _friedman(everything),
        "skipped": _skipped(runs),
    }


def _ran(runs: Sequence[Run], family: str) -> list[str]:
    """Return the tasks of a family on which anything ran, in their order."""
    ran = {run.task for run in runs}
    return [name for name in tasks.names(family) if name in ran]


def _overall(made: Board, runs: Sequence[Run], kinds: dict[str, str]) -> dict[str, Any]:
    """Return a row a searcher, the best first."""
    if not made.who:
        return {}
    last = made.at[-1]
    means, ranks = statistics.mean_regrets(made), statistics.mean_ranks(made, last)
    reached = statistics.reached([run for run in runs if run.who in made.who], TARGET)
    away = statistics.differences(made, _BASELINE, last) if _BASELINE in made.who else {}
    rows = {
        who: {
            "kind": kinds[who],
            "regret": [_plain(each) for each in means[who]],
            "minus_random": _plain(away[who]) if who in away else None,
            "rank": _plain(ranks[who]),
            "to_target": reached[who].median if math.isfinite(reached[who].median) else None,
            "reached": _round(reached[who].share),
        }
        for who in made.who
    }
    return dict(sorted(rows.items(), key=lambda row: row[1]["regret"][-1][0]))


def _means(made: Board) -> dict[str, list[float]]:
    """Return the mean regret at a board's only count, the best first; intervals are of these very tasks."""
    if not made.who:
        return {}
    means = {who: each[0] for who, each in statistics.mean_regrets(made, tasks=False).items()}
    return {who: _plain(means[who]) for who in sorted(means, key=lambda who: means[who].value)}


def _against(runs: Sequence[Run], made: Board, kinds: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return ratios of regrets of our best methods over every peer's, pair by pair: a peer may have fewer seeds."""
    last = made.regret[..., -1]
    ranked = [w for _, w in sorted(zip(statistics.mean(last), made.who, strict=True))] if made.who else []
    best = [who for who in ranked if kinds[who] == "ours" and who != _BASELINE]
    compared = list(dict.fromkeys([*best[:_COMPARED], *(who for who in _ALWAYS if who in best)]))
    peers = [who for who in ranked if kinds[who] == "peer" or who == _BASELINE]
    found: dict[str, dict[str, Any]] = {}
    for ours in compared:
        for peer in peers:
            pair = statistics.board([run for run in runs if run.who in (ours, peer)], AT, needs=made.tasks)
            ratios = {str(at): _plain(statistics.ratios(pair, ours, at)[peer]) for at in AT}
            found.setdefault(ours, {})[peer] = ratios
    return found


def _friedman(made: Board) -> dict[str, Any]:
    if len(made.who) < 2:
        return {}
    found = statistics.critical_difference(made, made.at[-1])
    ranks = {who: _round(rank) for who, rank in found.ranks.items()}
    p_value = _round(found.p_value) if math.isfinite(found.p_value) else None
    return {"ranks": ranks, "p_value": p_value, "critical_difference": _round(found.critical)}


def _skipped(runs: Sequence[Run]) -> dict[str, dict[str, list[str]]]:
    """Return by searcher and reason the tasks that it was not run on."""
    found: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        if run.skipped:
            names = found.setdefault(run.who, {}).setdefault(run.skipped, [])
            names += [run.task] * (run.task not in names)
    return found


def _plain(interval: Interval) -> list[float]:
    return [_round(value) for value in interval]


def _round(value: float) -> float:
    return float(f"{value:.4g}")
