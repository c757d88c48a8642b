"""Results that are kept: one file a searcher, one line a run, committed beside the benchmarks.

    store.append(Run(who="gp", kind="ours", task=task.name, family=task.family, ...))
    runs = store.load(kind="peer", lanes=1)

A *run* is what one searcher (a method of ours, or a peer) did on one task with some seeds. The verdict's runs are kept
in a folder of their own, which nothing reads unless asked to.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.tasks.task import Task
from benchmarks.record import RESULTS

ROOT = RESULTS / "quality"
_DIGITS = 4  # significant digits of a regret


@dataclass(frozen=True)
class Run:
    """One searcher on one task."""

    who: str  # "gp", "gp_ucb", "optuna_tpe": names the file, and a row of a table
    kind: str  # "ours" or "peer"
    task: str
    family: str
    fingerprint: str  # the task's
    lanes: int  # evaluations between two decisions
    evals: int  # of every seed; where `unit` is "epochs", as many epochs as these take
    seeds: list[int]
    version: str  # of the searcher: a peer's release, a hash of our source
    options: dict[str, Any] = field(default_factory=dict)
    budget: int = 1  # the task's: epochs of a whole evaluation
    unit: str = "evaluations"  # what the curves count: "evaluations" or "epochs"
    curves: list[list[float]] = field(default_factory=list)  # a seed: count, regret, count, regret, ... (`changes`)
    seconds: dict[str, float] = field(default_factory=dict)  # "search": all seeds; "compile"; "each": per ask + tell
    skipped: str = ""  # why it was not run

    @property
    def key(self) -> tuple:
        """What a run is of; a run of the same key need not be made again."""
        seeds = () if self.skipped else tuple(self.seeds)
        return (*self.place, self.fingerprint, self.version, seeds)

    @property
    def limit(self) -> int:
        """The count at which the curves end."""
        return self.evals * self.budget if self.unit == "epochs" else self.evals

    @property
    def place(self) -> tuple:
        """What a newer run replaces."""
        return (self.who, self.task, self.lanes, self.evals, json.dumps(self.options, sort_keys=True))

    def regret(self, at: Sequence[int]) -> np.ndarray:
        """Return the incumbent's regret after so many evaluations or epochs: [seeds, len(at)], nan before the first."""
        return np.array([[_regret_at(curve, count) for count in at] for curve in self.curves]).reshape(-1, len(at))


def _regret_at(curve: list[float], count: int) -> float:
    past = [regret for index, regret in zip(curve[::2], curve[1::2], strict=True) if index <= count]
    return past[-1] if past else float("nan")


def changes(task: Task, observed: np.ndarray, truth: np.ndarray, spent: np.ndarray | None = None) -> list[float]:
    """Return how the incumbent's regret changed in one study, flat: count, regret, count, regret, ...

    Args:
        task: whose regret it is.
        observed: [N] what the searcher saw, in order of trials; nan failed.
        truth: [N] the same trials' scores without noise, each at its own budget (`Task.score`).
        spent: [N] epochs spent when the trial ended, all before included; 1, 2, ... evaluations unless given.
    """
    spent = np.arange(1, len(observed) + 1) if spent is None else spent
    flat: list[float] = []
    best = -np.inf
    for seen, regret, count in zip(np.asarray(observed, np.float64), task.regret(truth), spent, strict=True):
        if seen > best:
            best = seen
            value = float(f"{regret:.{_DIGITS}g}")
            if flat and value == flat[-1]:
                continue  # another configuration, as good
            if flat and flat[-2] == count:
                del flat[-2:]
            flat += [int(count), value]
    return flat


def epochs_spent(budget: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return the epochs spent in all when each trial has ended: what its source had spent is not spent again.

    Args:
        budget: [N] int, epochs of each trial, its source's included.
        source: [N] int, the trial (a row) that it continues, -1 where it starts afresh.
    """
    continued = np.where(source >= 0, budget[np.maximum(source, 0)], 0)
    return np.cumsum(budget - continued)


def load(root: Path = ROOT, *, verdict: bool = False, skipped: bool = False, **wanted: Any) -> list[Run]:
    """Return the kept runs whose fields are as wanted (a value, or a set of values): `load(kind="peer", lanes={1, 8})`.

    Args:
        root: the folder.
        verdict: the verdict's runs instead of the workbench's.
        skipped: those as well that were not run.
        wanted: fields of `Run`.
    """

    def fits(run: Run) -> bool:
        found = ((getattr(run, name), value) for name, value in wanted.items())
        return all(have in value if isinstance(value, set | frozenset) else have == value for have, value in found)

    files = sorted(_folder(root, verdict).glob("*.json"))
    return [run for file in files for run in _read(file) if fits(run) and (skipped or not run.skipped)]


def kept(who: str, *, root: Path = ROOT, verdict: bool = False) -> set[tuple]:
    """Return the keys of a searcher's kept runs, skipped ones included."""
    return {run.key for run in _read(_folder(root, verdict) / f"{who}.json")}


def append(*runs: Run, root: Path = ROOT, verdict: bool = False) -> None:
    """Keep runs; each replaces an older one of the same place (searcher, task, lanes, evaluations, options)."""
    for who in dict.fromkeys(run.who for run in runs):
        new = {run.place: run for run in runs if run.who == who}
        file = _folder(root, verdict) / f"{who}.json"
        _write(file, ({run.place: run for run in _read(file)} | new).values())


def _folder(root: Path, verdict: bool) -> Path:
    return root / ("verdict" if verdict else "runs")


def _read(file: Path) -> Iterator[Run]:
    if file.exists():
        for row in json.loads(file.read_text(encoding="utf-8")):
            yield Run(**row)


def _write(file: Path, runs: Iterable[Run]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = sorted(runs, key=lambda run: (run.family, *map(str, run.place)))
    lines = [json.dumps(_without_defaults(run), separators=(",", ":")) for run in rows]
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    part.replace(file)  # a reader never sees half a file


def _without_defaults(run: Run) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if value not in ({}, [], "") or name == "seeds"}
