"""Peers on tasks: every (peer, task, seed) is kept as soon as it is done, and what is kept is not run again.

A peer sees what our methods see: level indices (ordered dimensions as integers, the others as categories) and the
observed score as float32, negated where it minimises. It runs in one thread, with the settings that it has by default.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality import store, tasks
from benchmarks.quality.peers import environments
from benchmarks.quality.peers.worker import Worker, WorkerError
from benchmarks.quality.settings import Setting
from benchmarks.quality.store import Run
from benchmarks.quality.tasks import Task
from benchmarks.record import processor
from jaxhpo.space import Choice

_TIMED = (10, 50, 100, 250)  # observations at which seconds are kept
_WINDOW = 5  # the mean of so many suggestions before
Seconds = dict[str, float]


class Peer(NamedTuple):
    """A row of the tables."""

    who: str
    environment: str  # `requirements_ENVIRONMENT.txt`, `worker_ENVIRONMENT.py`
    method: str  # as its worker names it
    most: dict[int, tuple[int, int]]  # lanes -> most evaluations and seeds, as it is slow; other lanes are not run

    def within(self, setting: Setting) -> Setting | None:
        """Return as much of a setting as the peer is run with."""
        if setting.lanes not in self.most:
            return None
        evals, seeds = self.most[setting.lanes]
        return Setting(setting.lanes, min(setting.evals, evals), min(setting.seeds, seeds))


PEERS = {
    peer.who: peer
    for peer in (
        Peer("optuna_gp", "optuna", "gp", {1: (100, 20), 8: (256, 10)}),
        Peer("optuna_tpe", "optuna", "tpe", {1: (100, 20), 8: (256, 10), 32: (256, 10)}),
        Peer("optuna_cmaes", "optuna", "cmaes", {1: (100, 20)}),
        Peer("smac3", "smac", "hpo", {1: (100, 5)}),
        Peer("hyperoptax", "hyperoptax", "bayesian", {1: (100, 20), 8: (256, 10)}),
        Peer("hebo", "hebo", "hebo", {1: (50, 5)}),
    )
}


def run(
    names: Iterable[str],
    settings: Iterable[Setting],
    *,
    chosen: Iterable[str] | None = None,
    root: Path | None = store.ROOT,
    again: bool = False,
    verdict: bool = False,
    folder: Path | None = None,
) -> Iterator[Run]:
    """Run peers on tasks and keep what they did, seed by seed; yield a run when its last seed is done.

    Args:
        names: of tasks.
        settings: each of them on each task, as far as a peer is run with them (`Peer.most`).
        chosen: names of peers; all unless given.
        root: where runs are kept, and continued where seeds are missing; None keeps none.
        again: run even what is kept.
        verdict: whether the tasks are the verdict's.
        folder: of the environments; in the user's cache unless given.

    Raises:
        ValueError: a peer is unknown.
        RuntimeError: an environment cannot be made.
    """
    chosen = list(PEERS if chosen is None else chosen)
    if unknown := [who for who in chosen if who not in PEERS]:
        raise ValueError(f"peer {unknown[0]!r} is unknown; known are {', '.join(PEERS)}")
    loaded = [tasks.load(name, verdict=verdict) for name in names]
    settings = list(settings)
    for peer in (PEERS[who] for who in chosen):
        python = environments.ready(peer.environment, folder)
        if root:
            _describe(peer, python, root)
        kept = {run.place: run for run in store.load(root, verdict=verdict, who=peer.who)} if root else {}
        for setting in dict.fromkeys(filter(None, map(peer.within, settings))):
            for task in loaded:
                blank = _blank(peer, task, setting)
                have = _kept_part(blank, {} if again else kept)
                if len(have.seeds) >= setting.seeds:
                    continue
                try:
                    for have in _seeds(have, peer, python, task, setting):  # noqa: B020 it grows
                        if root:
                            store.append(have, root=root, verdict=verdict)
                except WorkerError as error:  # one peer must not end a night's run
                    print(f"{peer.who} on {task.name} failed: {error}", flush=True)
                    continue
                yield have


def _blank(peer: Peer, task: Task, setting: Setting) -> Run:
    """Return a run in which nothing was done yet."""
    return Run(
        who=peer.who,
        kind="peer",
        task=task.name,
        family=task.family,
        fingerprint=task.fingerprint,
        lanes=setting.lanes,
        evals=setting.evals,
        seeds=[],
        version=environments.version(peer.environment),
        budget=task.budget,
    )


def _kept_part(blank: Run, kept: dict[tuple, Run]) -> Run:
    """Return what is kept of a run, or the blank one where it is of another task or release."""
    have = kept.get(blank.place)
    same = have is not None and (have.fingerprint, have.version) == (blank.fingerprint, blank.version)
    return have if same and have is not None else blank


def _seeds(have: Run, peer: Peer, python: Path, task: Task, setting: Setting) -> Iterator[Run]:
    """Yield the run with one seed more, until all are done."""
    with ExitStack() as stack:
        worker = stack.enter_context(_worker(peer, python))
        for seed in range(setting.seeds):
            if seed in have.seeds:
                continue
            curve, seconds = measure(worker, task, setting, seed, peer.method)
            done = len(have.seeds)
            have = replace(
                have,
                seeds=[*have.seeds, seed],
                curves=[*have.curves, curve],
                seconds=_merged(have.seconds, seconds, done),
            )
            yield have


def _worker(peer: Peer, python: Path) -> Worker:
    return Worker([str(python), str(environments.HERE / f"worker_{peer.environment}.py")])


def measure(worker: Worker, task: Task, setting: Setting, seed: int, method: str) -> tuple[list[float], Seconds]:
    """Run one study; return how its incumbent changed (`store.changes`) and the seconds of ask and tell.

    The seconds are "search", by the clock, and of processor time "cpu", "each" suggestion in the mean, and "at_10",
    "at_50", ...: a suggestion when so many observations were told.
    """
    worker.start(space=described(task), seed=seed, batch=setting.lanes, evals=setting.evals, method=method)
    tried, seen = [], []
    wall, cpu = worker.wall, []
    while len(tried) < setting.evals:
        levels = worker.ask(min(setting.lanes, setting.evals - len(tried)))
        asked, cost = worker.wall, worker.cpu
        array = np.array(levels, np.int32)
        _check(array, task)
        trials = np.arange(len(tried), len(tried) + len(levels))
        scores = task.observe(array, seed, trials).astype(np.float32)
        worker.tell(levels, [-float(score) if np.isfinite(score) else None for score in scores])
        wall += asked + worker.wall
        cpu += [(cost + worker.cpu) / len(levels)] * len(levels)
        tried += levels
        seen += scores.tolist()
    seconds = {"search": wall, "cpu": sum(cpu), "each": sum(cpu) / len(cpu)}
    seconds |= {f"at_{n}": float(np.mean(cpu[max(n - _WINDOW, 0) : n])) for n in _TIMED if n <= len(cpu)}
    truth = task.score(np.array(tried, np.int32))
    return store.changes(task, np.array(seen), truth), seconds


def described(task: Task) -> list[dict[str, Any]]:
    """Return a task's space as `protocol.py` has it."""
    return [
        {"name": name, "size": size, "ordered": not isinstance(dimension, Choice) or dimension.ordered}
        for (name, dimension), size in zip(task.space.items(), task.space.level_counts, strict=True)
    ]


def _check(levels: np.ndarray, task: Task) -> None:
    sizes = np.array(task.space.level_counts)
    if levels.shape[1:] != sizes.shape or (levels < 0).any() or (levels >= sizes).any():
        raise WorkerError(f"configurations are not of the space: {levels.tolist()}")


def _merged(old: Seconds, new: Seconds, done: int) -> Seconds:
    """Return the seconds of `done` seeds and one more: sums of "search" and "cpu", means of the rest."""
    if not done:
        return {name: round(value, 5) for name, value in new.items()}
    sums = {"search", "cpu"}
    return {
        name: round(old[name] + value if name in sums else (old[name] * done + value) / (done + 1), 5)
        for name, value in new.items()
    }


def _describe(peer: Peer, python: Path, root: Path) -> None:
    """Write down on what machine and with which packages a peer runs."""
    about = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": 1,
        "packages": environments.packages(python),
    }
    file = root / "peers" / f"{peer.environment}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
