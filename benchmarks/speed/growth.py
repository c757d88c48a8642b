"""How the cost of training grows with lanes, epochs and width, and how much memory it takes."""

from typing import Any

import jax
import numpy as np

import jaxhpo as jh
from benchmarks.speed import tasks
from benchmarks.speed.ours import batch_of, peak_gib, timed
from jaxhpo.training import Trainer

_EXAMPLES = 1000
_REPEATS = 5
_CONFIG = {"learning_rate": 1e-3, "dropout": 0.1, "batch_size": 32, "layers": 2, "units": 32}


class _Point:
    """A number of lanes, epochs and units, its programs compiled."""

    def __init__(self, task: tasks.Task, lanes: int, epochs: int, units: int, **options: Any):
        config = _CONFIG | {"units": units}
        fixed = {name: jh.Choice((config[name],)) for name in ("batch_size", "layers", "units")}
        space = jh.Space(
            {"learning_rate": jh.Float(1e-4, 1e-1, log=True), "dropout": jh.Float(0.0, 0.5)}
            | {name: fixed[name] for name in fixed}
        )
        self.lanes, self.epochs, self.units = lanes, epochs, units
        self.trainer = Trainer(task.data, task.model, space, epochs=epochs, lanes=lanes, checkpoint="last", **options)
        self.batch = batch_of(self.trainer, [config] * lanes, epochs)
        self.state = self.trainer.objective.init(jax.random.key(0))
        self.seconds: list[float] = []

    def run(self, times: int) -> None:
        """Train the batch so many times and note the seconds of each."""
        self.seconds.append(sum(timed(self.trainer, self.state, self.batch) for _ in range(times)) / times)

    def row(self, examples: int) -> dict[str, Any]:
        """Return the medians."""
        seconds, work = float(np.median(self.seconds)), self.lanes * self.epochs
        self.trainer.forget()
        timed(self.trainer, self.state, self.batch)
        return {
            "lanes": self.lanes,
            "epochs": self.epochs,
            "units": self.units,
            "engine": self.trainer.plan.engine,
            "launch_lanes": self.trainer.plan.buckets[-1].size,
            "seconds_per_lane": seconds / self.lanes,
            "samples_per_second": work * examples / seconds,
            "gflop_per_second": self.trainer.report()["useful_gflop"] / seconds,
        }


def _task(name: str, data_dir: str | None, quick: bool) -> tasks.Task:
    task = tasks.make(name, data_dir=data_dir, quick=quick)
    return task._replace(data=task.data.take(min(_EXAMPLES, len(task.data.y_train))))


def measure(
    name: str, *, data_dir: str | None, quick: bool, lanes: list[int], epochs: list[int], units: list[int]
) -> dict[str, list[dict[str, Any]]]:
    """Return seconds a lane as lanes, epochs and units grow, the sizes of each taken in turns."""
    task = _task(name, data_dir, quick)
    middle = lanes[len(lanes) // 2]
    points = {
        "lanes": [_Point(task, n, 1, _CONFIG["units"]) for n in lanes],
        "epochs": [_Point(task, middle, n, _CONFIG["units"]) for n in epochs],
        "units": [_Point(task, middle, 1, n) for n in units],
    }
    for group in points.values():
        for repeat in range(1 + (1 if quick else _REPEATS)):
            for point in group:
                # On a processor few lanes take as much less time, and are run as much more often.
                most = max(p.lanes * p.epochs for p in group) if jax.default_backend() == "cpu" else 1
                point.run(max(1, most // (4 * point.lanes * point.epochs)))
                if repeat == 0:  # warm now
                    point.seconds.clear()
    return {name: [point.row(len(task.data.y_train)) for point in group] for name, group in points.items()}


def memory(name: str, *, data_dir: str | None, quick: bool, lanes: int, budget: float, engine: str) -> dict[str, Any]:
    """Return by how much peak memory grows when many lanes train with a budget, in GiB."""
    task = _task(name, data_dir, quick)
    point = _Point(task, lanes, 1, _CONFIG["units"], machine=jh.Machine(memory=budget, engine=engine))
    before = peak_gib()
    point.run(1)
    return {
        "lanes": lanes,
        "engine": engine,
        "launch_lanes": point.trainer.plan.buckets[-1].size,
        "budget_gib": budget,
        "grown_gib": peak_gib() - before,
    }
