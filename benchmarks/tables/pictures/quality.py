"""The pictures: regret by family, regret by epochs, mean ranks, and what asking costs."""

# pyright: reportMissingImports=false
# matplotlib comes with the extra "benchmarks"; types are checked without it as well.

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import statistics, tasks
from benchmarks.quality.settings import COMPARED_AT, SEQUENTIAL
from benchmarks.quality.statistics import Board
from benchmarks.quality.store import Run
from benchmarks.record import RESULTS

_TITLES = {
    "hpobench": "HPOBench",
    "hpolib": "HPOLib",
    "nasbench201": "NAS-Bench-201",
    "analytic": "analytic functions",
    "curves": "recorded training on digits",
    "surrogates": "surrogates of trainings",
}
_BASELINE = "random_search"
_OURS, _PEERS = 6, 4  # the best, which get a colour each
_OURS_COLOURS = ("#1b6ca8", "#2a9d8f", "#7b4fa3", "#c2478c", "#5f8a2f", "#3fb0d0")
_PEER_COLOURS = ("#d9732b", "#b3261e", "#e0a030", "#8c5a3c")
_BANDED = 2  # of each kind, whose intervals are shaded as well
_FIRST = 3  # evaluations where pictures begin
_FLOOR, _CEILING = 1e-4, 1.5  # of the regrets that pictures show


def write(runs: Sequence[Run], folder: Path, *, prefix: str = "") -> None:
    """Draw what the runs allow into a folder."""
    import matplotlib as mpl

    mpl.use("Agg")
    one = [run for run in runs if run.lanes == SEQUENTIAL.lanes]
    drawn = {"regret": by_family(one), "epochs": by_epochs(one), "ranks": ranks(one)}
    cost = RESULTS / "algorithms.json"
    if not prefix and cost.exists():
        drawn["cost"] = by_history(json.loads(cost.read_text(encoding="utf-8")).get("growth", {}))
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        if figure is not None:
            figure.savefig(folder / f"{prefix}{name}.png", dpi=110, bbox_inches="tight")
            figure.clear()


def by_family(runs: Sequence[Run]) -> Any:
    """Return a figure of mean regret against evaluations, a panel a family; None where no family is complete."""
    at = np.unique(np.geomspace(_FIRST, SEQUENTIAL.evals, 40).astype(int)).tolist()
    boards = {}
    for family in tasks.FAMILIES:
        mine = [run for run in runs if run.family == family]
        if mine and (made := statistics.board(mine, at)).who:
            boards[family] = made
    if not boards:
        return None
    return _panels(
        boards,
        _kinds(runs),
        "evaluations",
        [f"{_TITLES[f]}, {len(b.tasks)} task{'s' * (len(b.tasks) > 1)}" for f, b in boards.items()],
    )


def by_epochs(runs: Sequence[Run]) -> Any:
    """Return a figure of regret against epochs spent in all, a panel a grid of curves; None where there are none."""
    shares = np.unique(np.geomspace(0.01, 1, 60).round(3)).tolist()
    boards = {}
    for name in tasks.FAMILIES["curves"]:
        made = statistics.by_epochs(runs, shares, [name], SEQUENTIAL.evals)
        if made.who:
            budget = next(run.budget for run in runs if run.task == name)
            boards[name] = made._replace(at=tuple(at * SEQUENTIAL.evals * budget / 1000 for at in made.at))
    if not boards:
        return None
    partial = {run.who for run in runs if run.unit == "epochs"}
    return _panels(boards, _kinds(runs), "epochs spent", [name.replace("_", " ") for name in boards], keep=partial)


def _panels(boards: dict[str, Board], kinds: dict[str, str], label: str, titles: list[str], keep: Any = ()) -> Any:
    """Return a figure with a panel a board: the best searchers of all panels in colour, the others grey."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    styles = _styles(boards.values(), kinds, keep)
    columns = min(2, len(boards))
    rows = -(-len(boards) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.6 * columns + 1.6, 3.7 * rows), squeeze=False)
    for axis in axes.flat[len(boards) :]:
        axis.axis("off")
    lines: dict[str, Any] = {}
    banded = [who for kind in ("ours", "peer") for who in [w for w in styles if kinds[w] == kind][:_BANDED]]
    for axis, made, title in zip(axes.flat, boards.values(), titles, strict=False):
        values = np.maximum(np.nanmean(made.regret, axis=2).mean(axis=1), _FLOOR)
        # Low ranks last, so that what matters lies on top.
        for i in sorted(range(len(made.who)), key=lambda i: made.who[i] in styles):
            who = made.who[i]
            style = styles.get(who, {"color": "#cfcfcf", "linewidth": 0.8, "zorder": 1})
            (line,) = axis.plot(made.at, values[i], drawstyle="steps-post", **style)
            if who in styles:
                lines[who] = line
            if who in banded:
                _band(axis, made, i, style["color"])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlim(made.at[0], made.at[-1])
        axis.set_ylim(None, min(_CEILING, 1.2 * float(np.nanmax(values))))
        ticks = [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000) if made.at[0] <= t <= made.at[-1]]
        axis.set_xticks(ticks, [f"{t:,}" for t in ticks])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
        axis.tick_params(which="both", labelsize=8)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(label, fontsize=9)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("normalised regret", fontsize=9)
    order = [who for who in styles if who in lines]
    if any(who not in styles for made in boards.values() for who in made.who):
        (lines["others"],) = axes[0, 0].plot([], [], color="#cfcfcf", linewidth=0.8)
        order.append("others")
    figure.tight_layout()
    handles = [lines[who] for who in order]
    figure.legend(handles, order, loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return figure


def _band(axis: Any, made: Board, i: int, colour: str) -> None:
    """Shade the 95% interval of a searcher's mean over these tasks, from its standard error over seeds.

    The interval is of the mean's logarithm, as the axis is: it does not fall to 0 where few seeds are still far away.
    """
    each = made.regret[i]  # [tasks, seeds, at]
    seeds = np.sum(~np.isnan(each), axis=1)
    error = np.sqrt(np.sum(np.nanvar(each, axis=1) / np.maximum(seeds - 1, 1), axis=0)) / len(each)
    middle = np.maximum(np.nanmean(each, axis=1).mean(axis=0), _FLOOR)
    wide = np.exp(1.96 * error / middle)
    low, high = np.maximum(middle / wide, _FLOOR), middle * wide
    axis.fill_between(made.at, low, high, step="post", color=colour, alpha=0.12, linewidth=0)


def _styles(boards: Any, kinds: dict[str, str], keep: Any) -> dict[str, dict[str, Any]]:
    """Return the lines of the searchers that get a colour, the best first: by their mean rank over the panels."""
    places: dict[str, list[float]] = {}
    for made in boards:
        last = np.nanmean(made.regret[..., -1], axis=-1).mean(axis=-1)
        for place, i in enumerate(np.argsort(last, kind="stable")):
            places.setdefault(made.who[i], []).append(place)
    most = max(map(len, places.values()))
    ranked = sorted(
        places, key=lambda who: (-len(places[who]) if most > len(places[who]) else -most, np.mean(places[who]))
    )
    ranked.sort(key=lambda who: who not in keep)
    styles: dict[str, dict[str, Any]] = {}
    for kind, colours, dashes in (("ours", _OURS_COLOURS, "-"), ("peer", _PEER_COLOURS, (0, (4, 1.5)))):
        best = [who for who in ranked if kinds[who] == kind and who != _BASELINE][: len(colours)]
        for who, colour in zip(best, colours, strict=False):
            styles[who] = {"color": colour, "linestyle": dashes, "linewidth": 1.6, "zorder": 3}
    if _BASELINE in places:
        styles[_BASELINE] = {"color": "#222222", "linestyle": ":", "linewidth": 1.6, "zorder": 2}
    return styles


def _kinds(runs: Sequence[Run]) -> dict[str, str]:
    return {run.who: run.kind for run in runs}


def ranks(runs: Sequence[Run]) -> Any:
    """Return the critical-difference diagram of the searchers that did every task; None of fewer than two."""
    import matplotlib.pyplot as plt

    needs = [name for name in tasks.names(*tasks.FAMILIES) if name in {run.task for run in runs}]
    made = statistics.board(runs, (COMPARED_AT,), needs=needs) if runs else None
    if made is None or len(made.who) < 2:
        return None
    kinds, found = _kinds(runs), statistics.critical_difference(made, COMPARED_AT)
    names, places = list(found.ranks), list(found.ranks.values())
    bars = groups(places, found.critical)
    half = (len(names) + 1) // 2
    top, row = 0.42 + 0.16 * len(bars), 0.3
    height = top + row * half
    figure, axis = plt.subplots(figsize=(9, 0.9 + height))
    low, high = 1, max(len(names), 2)
    width = high - low
    axis.set_xlim(low - 0.42 * width, high + 0.42 * width)
    axis.set_ylim(-height, 0.7)
    axis.axis("off")
    axis.hlines(0, low, high, color="black", linewidth=1)
    for tick in range(low, high + 1, max(1, width // 10)):
        axis.vlines(tick, 0, 0.07, color="black", linewidth=1)
        axis.text(tick, 0.12, str(tick), ha="center", fontsize=8)
    axis.hlines(0.45, low, low + min(found.critical, width), color="black", linewidth=1.4)
    axis.text(low, 0.52, f"critical difference {found.critical:.2f}", fontsize=8)
    for i, (name, place) in enumerate(zip(names, places, strict=True)):
        left = i < half
        y = -top - row * (i if left else len(names) - 1 - i)
        end = low - 0.04 * width if left else high + 0.04 * width
        colour = _OURS_COLOURS[0] if kinds[name] == "ours" else _PEER_COLOURS[0]
        axis.plot([place, place, end], [0, y, y], color=colour, linewidth=0.8)
        axis.text(
            end - 0.01 * width if left else end + 0.01 * width,
            y,
            f"{name}  {place:.1f}" if left else f"{place:.1f}  {name}",
            ha="right" if left else "left",
            va="center",
            fontsize=9,
            color=colour,
        )
    for i, (start, end) in enumerate(bars):
        axis.hlines(-0.2 - 0.16 * i, start - 0.004 * width, end + 0.004 * width, color="black", linewidth=3)
    title = f"mean rank over {len(made.tasks)} tasks after {COMPARED_AT} evaluations, 1 = best"
    axis.set_title(f"{title}; joined: not told apart at 5%", fontsize=10)
    return figure


def groups(places: Sequence[float], critical: float) -> list[tuple[float, float]]:
    """Return the ends of the longest runs of sorted mean ranks that differ by at most the critical difference."""
    found: list[tuple[int, int]] = []
    for i, place in enumerate(places):
        end = max(j for j, other in enumerate(places) if other - place <= critical)
        if end > i and not any(a <= i and end <= b for a, b in found):
            found.append((i, end))
    return [(places[a], places[b]) for a, b in found]


def by_history(growth: dict[str, dict[str, float]]) -> Any:
    """Return a figure of milliseconds of ask and tell against trials told; None where nothing was measured."""
    if not growth:
        return None
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7.2, 4.6))
    cycle = [*_OURS_COLOURS, *_PEER_COLOURS, "#555555"]
    order = sorted(growth, key=lambda name: -list(growth[name].values())[-1])
    for i, name in enumerate(order):
        told = [int(count) for count in growth[name]]
        style = ("-", (0, (4, 1.5)), ":")[i // len(cycle) % 3]
        axis.plot(
            told,
            list(growth[name].values()),
            marker="o",
            markersize=3,
            color=cycle[i % len(cycle)],
            linestyle=style,
            label=name,
        )
    axis.axhline(1, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(told, [f"{count:,}" for count in told])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("trials told before")
    axis.set_ylabel("milliseconds of ask and tell, 8 lanes")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8, frameon=False)
    return figure
