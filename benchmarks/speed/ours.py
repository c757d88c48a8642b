"""jaxhpo's side: whole studies, and one lane's step."""

import resource
import time
from typing import Any
from unittest import mock

import jax
import numpy as np

import jaxhpo as jh
from benchmarks.speed import tasks
from benchmarks.speed.process import started
from jaxhpo.training import Trainer
from jaxhpo.training.run import executor
from jaxhpo.types import FRESH, Proposal

LANES = 16  # of a study


def study(name: str, *, data_dir: str | None, quick: bool, trials: int) -> dict[str, Any]:
    """Run a study from `tune`'s call to its return; return its configurations and figures."""
    task = tasks.make(name, data_dir=data_dir, quick=quick)
    launched: list[float] = []
    launch = executor._Batch._launch

    def noted(*args: Any) -> None:
        launched.append(time.time())
        launch(*args)

    begun = time.perf_counter()
    with mock.patch.object(executor._Batch, "_launch", noted):
        done = jh.tune(
            task.data,
            model=task.model,
            space=tasks.SPACE,
            algorithm="random_search",
            trials=trials,
            lanes=min(LANES, trials),
            epochs=task.epochs,
            patience=task.epochs,  # the other sides train all epochs, and take the last
            checkpoint="last",
            seed=tasks.SEED,
            verbose=False,
        )
    seconds = time.perf_counter() - begun
    summary, training = done.summary, done.summary["training"]
    return {
        "seconds": seconds,
        "seconds_without_compilation": training["seconds"],
        "first_launch_after_process_start": launched[0] - started(),
        "compilations": summary["compilations"],
        "cache_hits": summary["cache_hits"],
        "useful_share": training["useful_share"],
        "gflop_per_second": training["gflop_per_second"],
        "useful_gflop": training["useful_gflop"],
        "plan": summary["plan"],
        "best_validation_accuracy": summary["best"]["score"],
        "peak_gib": peak_gib(),
        "configs": [trial.config for trial in done.finished],
    }


def peak_gib() -> float:
    """Return the most memory that the device, or on a processor this process, has held."""
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    if stats:
        return stats["peak_bytes_in_use"] / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def batch_of(trainer: Trainer, configs: list[dict[str, Any]], epochs: int) -> Proposal:
    """Return a batch of configurations to be trained for so many epochs."""
    lanes = len(configs)
    point = np.stack([trainer.space.from_config(config) for config in configs])
    number = np.arange(lanes, dtype=np.int32)
    return Proposal(point, np.full(lanes, epochs, np.int32), np.full(lanes, FRESH, np.int32), number >= 0, number)


def timed(trainer: Trainer, state: Any, batch: Proposal) -> float:
    """Return the seconds of evaluating a batch."""
    begun = time.perf_counter()
    trainer.objective.evaluate(jax.random.key(0), state, batch)
    return time.perf_counter() - begun


def step_seconds(units: int, batch: int, steps: int) -> list[float]:
    """Return seconds a step of one CNN lane: two 3x3 convolutions on 28x28 images, a dense layer of 4 units."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(steps * batch + 2 * batch, 28, 28, 1)).astype(np.float32)
    y = np.arange(len(x), dtype=np.int32) % 10
    parts = (slice(0, steps * batch), slice(steps * batch, -batch), slice(-batch, None))
    data = jh.Dataset("noise", *[a for p in parts for a in (x[p], y[p])], classes=10)
    space = jh.Space(
        {"learning_rate": jh.Float(1e-4, 1e-2, log=True), "batch_size": jh.Choice((batch,))}
        | {"layers": jh.Choice((2,)), "units": jh.Choice((units,))}
    )
    trainer = Trainer(data, "cnn", space, epochs=4, lanes=1, checkpoint="last")
    state = trainer.objective.init(jax.random.key(0))
    config = {"learning_rate": 1e-3, "batch_size": batch, "layers": 2, "units": units}
    one, four = (batch_of(trainer, [config], epochs) for epochs in (1, 4))
    timed(trainer, state, four)
    # The difference leaves out what a launch and the initial weights cost.
    return [(timed(trainer, state, four) - timed(trainer, state, one)) / 3 / steps for _ in range(5)]


def small_study(*, folds: int, algorithm: str, trials: int, epochs: int | None) -> dict[str, Any]:
    """Run a study of a table of 1,000 rows, two trials at a time; return its seconds, and what it trained."""
    data = tasks.small_table()
    options = {"folds": folds, "algorithm": algorithm, "trials": trials, "lanes": min(2, trials), "epochs": epochs}
    done = jh.tune(data, model="mlp", seed=tasks.SEED, verbose=False, **options)
    summary = done.summary
    return {
        "seconds_from_process_start": time.time() - started(),
        "train": summary["seconds"]["train"],
        "compile": summary["seconds"]["compile"],
        "total_gflop": summary["training"]["total_gflop"],
        "configs": [trial.config for trial in done.finished],
    }
