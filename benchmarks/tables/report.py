"""What the kept runs come to: `results/quality.json`, from which tables are made, and the pictures beside the runs.

Three comparisons: the *workbench*'s tasks; the *smooth* ones, in `results/quality_smooth.json`; and the verdict's,
which are all fifteen recorded tables.
"""

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.quality import statistics, store, tasks
from benchmarks.quality.settings import AT, BATCHES, COMPARED_AT, SEQUENTIAL, TARGET
from benchmarks.quality.statistics import Board
from benchmarks.quality.store import Run
from benchmarks.record import save
from benchmarks.tables.pictures import quality as pictures
from benchmarks.tables.quality import families_table, regret_table
from jaxhpo.study.statistics import Interval, means

_BASELINE = "random_search"
_PRIOR = ("q_learning", "q_learning_no_prior")  # with and without
_COMPARED = 5  # of ours, the best, that are compared with every peer
_ALWAYS = ("q_learning", "q_learning_no_prior", "gp", "tpe")  # and these


def write(*, verdict: bool = False) -> None:
    """Make tables and pictures of the kept runs; say so where there is nothing to compare."""
    runs = store.load(skipped=True)
    if verdict:
        runs = [run for run in runs if run.family in tasks.TABLES] + store.load(verdict=True, skipped=True)
    if not any(not run.skipped for run in runs):
        print("no runs are kept; run python -m benchmarks.quality")
        return
    parts = {"verdict_": runs}
    if not verdict:
        parts = {
            "": [run for run in runs if run.family != tasks.SMOOTH],
            "smooth_": [run for run in runs if run.family == tasks.SMOOTH],
        }
    for prefix, part in parts.items():
        if done := [run for run in part if not run.skipped]:
            save(f"quality_{prefix}".rstrip("_"), summarise(part), module="quality", show=_tables)
            pictures.write(done, store.ROOT, prefix=prefix)


def _tables(quality: dict[str, Any]) -> str:
    return "\n\n".join([regret_table(quality), families_table(quality)])


def summarise(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of the tables as plain data; intervals are [value, low, high].

    `overall` has the searchers that did every task, one evaluation at a time, at least as far as `COMPARED_AT`, and
    `families` those that did every task of the family; `batches` those that did every task with that many lanes.
    `epochs` compares by epochs spent, on recorded curves.
    """
    done = [run for run in runs if not run.skipped]
    one = [run for run in done if run.lanes == SEQUENTIAL.lanes]
    kinds = {run.who: run.kind for run in done}
    members = {family: _ran(done, family) for family in tasks.FAMILIES}
    members = {family: names for family, names in members.items() if names}
    everything = [name for names in members.values() for name in names]
    return {
        "evaluations": list(AT),
        "compared_at": COMPARED_AT,
        "seeds": SEQUENTIAL.seeds,
        "target": TARGET,
        "tasks": members,
        "overall": _overall(one, everything, kinds),
        "families": {
            family: _means(statistics.board(one, (COMPARED_AT,), needs=names)) for family, names in members.items()
        },
        "prior": {family: found for family, names in members.items() if (found := _prior(one, names))},
        "batches": {
            str(b.lanes): _means(
                statistics.board([r for r in done if r.lanes == b.lanes], (b.evals,), needs=everything)
            )
            for b in BATCHES
        },
        "epochs": _epochs(done, members.get("curves", [])),
        "against": _against(one, everything, kinds),
        "friedman": _friedman(statistics.board(one, (COMPARED_AT,), needs=everything)),
        "skipped": _skipped(runs),
    }


def _ran(runs: Sequence[Run], family: str) -> list[str]:
    """Return the tasks of a family on which anything ran, in their order."""
    ran = {run.task for run in runs}
    return [name for name in tasks.names(family) if name in ran]


def _overall(runs: Sequence[Run], needs: Sequence[str], kinds: dict[str, str]) -> dict[str, Any]:
    """Return a row a searcher, the best first; None for what it was not run for."""
    sooner = statistics.board(runs, tuple(at for at in AT if at <= COMPARED_AT), needs=needs)
    whole = statistics.board(runs, AT, needs=needs)
    if not sooner.who:
        return {}
    regrets = statistics.mean_regrets(sooner) | statistics.mean_regrets(whole)
    ranks = statistics.mean_ranks(sooner, COMPARED_AT)
    last = statistics.mean_ranks(whole, AT[-1]) if whole.who else {}
    away = statistics.differences(sooner, _BASELINE, COMPARED_AT) if _BASELINE in sooner.who else {}
    reached = statistics.reached([run for run in runs if run.who in whole.who and run.task in needs], TARGET)
    rows = {
        who: {
            "kind": kinds[who],
            "seeds": statistics.fewest_seeds(sooner, who),
            "regret": [_plain(each) for each in regrets[who]] + [None] * (len(AT) - len(regrets[who])),
            "minus_random": _plain(away[who]) if who in away else None,
            "rank": _plain(ranks[who]),
            "last_rank": _plain(last[who]) if who in last else None,
            "to_target": reached[who].median if who in reached and math.isfinite(reached[who].median) else None,
            "reached": _round(reached[who].share) if who in reached else None,
        }
        for who in sooner.who
    }
    return dict(sorted(rows.items(), key=lambda row: regrets[row[0]][len(sooner.at) - 1].value))


def _means(made: Board, *, tasks: bool = False) -> dict[str, dict[str, list[float | None]]]:
    """Return the mean regret at a board's only count, and less random search's; the best first.

    Intervals are of these very tasks unless `tasks`.
    """
    if not made.who:
        return {}
    (at,) = made.at
    found = {who: each[0] for who, each in statistics.mean_regrets(made, tasks=tasks).items()}
    away = statistics.differences(made, _BASELINE, at, tasks=tasks) if _BASELINE in made.who else {}
    return {
        who: {"regret": _plain(found[who])} | ({"minus_random": _plain(away[who])} if who in away else {})
        for who in sorted(found, key=lambda who: found[who].value)
    }


def _prior(runs: Sequence[Run], names: Sequence[str]) -> dict[str, list[Any]] | None:
    """Return the mean regrets of `q_learning` with its prior and without, at every count, and their differences."""
    pair = statistics.board([run for run in runs if run.who in _PRIOR], AT, needs=names)
    if len(pair.who) < len(_PRIOR):
        return None
    have, without = (statistics.mean_regrets(pair)[who] for who in _PRIOR)
    return {
        "with": [_round(each.value) for each in have],
        "without": [_round(each.value) for each in without],
        "difference": [_plain(statistics.differences(pair, _PRIOR[1], at)[_PRIOR[0]]) for at in AT],
    }


def _epochs(runs: Sequence[Run], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return by lanes the regret when as many epochs are spent as `evals` whole trainings take."""
    if not names:
        return {}
    return {
        str(setting.lanes): _means(
            statistics.by_epochs([run for run in runs if run.lanes == setting.lanes], (1.0,), names, setting.evals)
        )
        for setting in (SEQUENTIAL, *BATCHES)
    }


def _against(runs: Sequence[Run], needs: Sequence[str], kinds: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return ratios of regrets of our best methods over every peer's, on the tasks that the peer did.

    {ours: {peer: {"tasks": how many, "10": [value, low, high], ...}}}
    """
    made = statistics.board(runs, (COMPARED_AT,), needs=needs)
    ranked = [who for _, who in sorted(zip(means(made.regret[..., 0]), made.who, strict=True))]
    best = [who for who in ranked if kinds[who] == "ours" and who != _BASELINE]
    compared = list(dict.fromkeys([*best[:_COMPARED], *(who for who in _ALWAYS if who in best)]))
    peers = sorted({run.who for run in runs if run.kind == "peer" or run.who == _BASELINE})
    found: dict[str, dict[str, Any]] = {}
    for ours in compared:
        for peer in peers:
            did = {run.task: run.evals for run in runs if run.who == peer and run.task in needs}
            shared = [name for name in needs if name in did]
            if not shared:
                continue
            counts = tuple(at for at in AT if at <= min(did.values()))
            pair = statistics.board([run for run in runs if run.who in (ours, peer)], counts, needs=shared)
            ratios = {str(at): _plain(statistics.ratios(pair, ours, at)[peer]) for at in counts}
            found.setdefault(ours, {})[peer] = {"tasks": len(shared), **ratios}
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


def _plain(interval: Interval) -> list[float | None]:
    """Return an interval as JSON has it: None for what is infinite, such as a ratio to 0."""
    return [_round(value) if math.isfinite(value) else None for value in interval]


def _round(value: float) -> float:
    return float(f"{value:.4g}")
