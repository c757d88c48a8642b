"""The front door: `tune` puts data, model, space, algorithm and study together, and runs them."""

import contextlib
import importlib.metadata
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxhpo import algorithms
from jaxhpo.compilation import CompilationCounter, enable_persistent_cache
from jaxhpo.data import Dataset, TextOptions, load
from jaxhpo.report.console import Progress
from jaxhpo.space import Space
from jaxhpo.study import Journal, Study, Trial, check_timeout
from jaxhpo.training import PROBE, Trainer, default_lanes, probe
from jaxhpo.types import Algorithm

DEFAULT_ALGORITHM = "tabular_q"
DEFAULT_TRIALS = 64
_SMALL = 5000  # training examples up to which an epoch is cheap
_EPOCHS_SMALL, _EPOCHS_LARGE = 20, 5

AlgorithmFactory = Callable[..., Algorithm]


def tune(
    data: str | tuple[Any, Any] | Dataset,
    *,
    model: str | None = None,
    algorithm: str | AlgorithmFactory = DEFAULT_ALGORITHM,
    space: Space | None = None,
    trials: int | None = None,
    lanes: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    engine: str | None = None,
    devices: int | None = None,
    memory: float | None = None,
    horizon: str = "short",
    timeout: float | None = None,
    train_examples: int | None = None,
    data_dir: str | os.PathLike | None = None,
    text: TextOptions | None = None,
    enqueue: Iterable[Mapping[str, Any]] = (),
    output: str | os.PathLike | None = None,
    profile: str | os.PathLike | None = None,
    cache: bool = True,
    verbose: bool = True,
) -> Study:
    """Search for the best configuration of a network on a data set; return the finished study.

    Args:
        data: "digits", "mnist", "cifar10", "imdb" (see `jaxhpo datasets`), your own arrays or texts `(x, y)`, or a
            `Dataset`.
        model: "mlp", "cnn" or "rnn"; None takes the CNN for images, the MLP for vectors, the RNN for text.
        algorithm: a name (see `jaxhpo algorithms`), or a factory called as `factory(space, lanes=..., budget=...)`,
            such as `functools.partial(jaxhpo.algorithms.tabular_q, gamma=0.9)`.
        space: what varies; None is all of the model's hyperparameters over the model's default ranges.
        trials: configurations to train; unless given 64, or four batches where that is more.
        lanes: configurations of a round; unless given 8 on a CPU (more where it has more cores), 64 on an accelerator.
        epochs: each trial's training; unless given 20 up to 5,000 training examples, 5 beyond.
        seed: fixes every result bit for bit on one machine.
        engine: how lanes run: "threads", "vmap", "sharded", or "probe", which times those that can be; None follows
            the recorded costs of the machine.
        devices: that share the lanes; unless given all of an accelerator's kind, and one on a CPU.
        memory: GiB of each device that training may use; unless given half of a CPU's, three quarters of others'.
            More lanes than fit take several launches.
        horizon: "short" or "long": whether compiling a program has to pay within 64 trials or within 1,024. It does not
            follow from `trials`, so that a study and one that goes on longer run alike.
        timeout: seconds after which no further round begins; see `Study.run`.
        train_examples: train on so many of the training examples only.
        data_dir: where TFDS data sets lie; unless given, the environment's `TFDS_DATA_DIR`, else TFDS's own default.
        text: how texts become tokens; see `TextOptions`.
        enqueue: configurations to train first.
        output: a new file that gets every finished trial at once, as JSON lines.
        profile: a directory that gets a JAX trace of the run, for TensorBoard or Perfetto.
        cache: keep compiled programs in the user's cache directory (`JAXHPO_CACHE_DIR` moves it).
        verbose: show progress on standard error; False is silent.

    Returns:
        The study: `best` (configuration, validation and test score), `trials` (a DataFrame), `incumbent`, `summary`.

    Raises:
        ValueError: naming the argument that cannot be, before anything is trained.
    """
    tuning = Tuning(
        data,
        model=model,
        algorithm=algorithm,
        space=space,
        trials=trials,
        lanes=lanes,
        epochs=epochs,
        seed=seed,
        engine=engine,
        devices=devices,
        memory=memory,
        horizon=horizon,
        timeout=timeout,
        train_examples=train_examples,
        data_dir=data_dir,
        text=text,
        enqueue=enqueue,
        output=output,
        profile=profile,
        cache=cache,
    )
    return tuning.run(verbose=verbose)


class Tuning:
    """One call of `tune`, its arguments checked and its data loaded, before it runs. Arguments as `tune`'s."""

    def __init__(
        self,
        data: str | tuple[Any, Any] | Dataset,
        *,
        model: str | None,
        algorithm: str | AlgorithmFactory,
        space: Space | None,
        trials: int | None,
        lanes: int | None,
        epochs: int | None,
        seed: int,
        engine: str | None,
        devices: int | None,
        memory: float | None,
        horizon: str,
        timeout: float | None,
        train_examples: int | None,
        data_dir: str | os.PathLike | None,
        text: TextOptions | None,
        enqueue: Iterable[Mapping[str, Any]],
        output: str | os.PathLike | None,
        profile: str | os.PathLike | None,
        cache: bool,
    ):
        self._begun = time.perf_counter()
        self._counter = CompilationCounter()
        if cache:
            enable_persistent_cache()
        self.trials, lanes = _check_sizes(trials, lanes)
        self.timeout = check_timeout(timeout)
        if space is not None and not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space; build one with Space({{name: Float(...), ...}})")
        dataset = load(data, data_dir=data_dir, train_examples=train_examples, seed=seed, text=text)
        if epochs is None:
            epochs = _EPOCHS_SMALL if len(dataset.y_train) <= _SMALL else _EPOCHS_LARGE
        limits = {"lanes": lanes, "devices": devices, "memory": memory, "horizon": horizon}
        make = Trainer if engine != PROBE else probe
        options = {} if engine == PROBE else {"engine": engine}
        self.trainer = make(dataset, model, space, epochs=epochs, **options, **limits)
        lanes, space = self.trainer.plan.lanes, self.trainer.space
        if callable(algorithm):
            self.algorithm, made = (
                getattr(algorithm, "__name__", "custom"),
                algorithm(space, lanes=lanes, budget=epochs),
            )
        else:
            self.algorithm, made = algorithm, algorithms.make(algorithm, space, lanes=lanes, budget=epochs)
        self.study = Study(space, made, self.trainer.objective, seed=seed)
        for config in enqueue:
            self.study.enqueue(config, budget=epochs)
        self._profile = None if profile is None else check_directory(profile)
        self._journal = None if output is None else Journal(output, self._header())
        self.lost: OSError | None = None  # what ended the writing of `output`

    @property
    def plan(self) -> dict[str, Any]:
        """What will run, known before the first trial: machine, lanes, engine, buckets, the most programs compiled."""
        # A program for each bucket trains; the last scores the winner on the test split.
        plan = self.trainer.plan
        return plan.to_json() | {"programs": len(Study.PROGRAMS) + len(plan.buckets) + 1}

    def run(self, *, verbose: bool = True) -> Study:
        """Run the trials, score the winner on the test split once, and return the study."""
        try:
            with Progress(self.trials, self.study.lanes, enabled=verbose) as progress:

                def on_round(study: Study, trials: list[Trial], metrics: dict[str, float]) -> None:
                    self._append(trials)
                    progress.update(study, metrics)

                trace = contextlib.nullcontext() if self._profile is None else jax.profiler.trace(self._profile)
                with trace:
                    self.study.run(self.trials, timeout=self.timeout, on_round=on_round)
                self._score_winner()
        finally:  # an interrupted study reports what it has
            self.study.summary = self._summarise()
            self._finish()
        return self.study

    def _score_winner(self) -> None:
        if all(trial.failed for trial in self.study.finished):
            return
        test = self.trainer.score_test(self.study.objective_state)
        self.study.seconds.compile += self.trainer.test_seconds
        self.study.record_test(self.study.best.trial, test)

    def _append(self, trials: list[Trial]) -> None:
        if self._journal is None or self.lost is not None:
            return
        try:
            self._journal.append(trials)
        except OSError as error:  # a full disk must not end a search that memory still holds
            self._lose(error)

    def _finish(self) -> None:
        if self._journal is None or self.lost is not None:
            return
        try:
            self._journal.finish(self.study.summary)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        assert self._journal is not None
        self.lost = error
        self._journal.close()
        warnings.warn(
            f"output {str(self._journal.path)!r} can no longer be written ({error.strerror}); later trials are in "
            "memory only",
            RuntimeWarning,
            stacklevel=5,
        )

    def _header(self) -> dict[str, Any]:
        dataset = self.trainer.data
        return {
            "data": dataset.name,
            "train_examples": len(dataset.y_train),
            "model": self.trainer.model_name,
            "algorithm": self.algorithm,
            "epochs": self.trainer.epochs,
            "seed": self.study.seed,
            "plan": self.plan,
            "space": self.study.space.to_json(),
            "fingerprint": self.study.space.fingerprint,
            "versions": versions(),
        }

    def _summarise(self) -> dict[str, Any]:
        """Return the study's summary as plain data."""
        study, seconds = self.study, self.study.seconds
        finished = study.finished
        best = None
        if not all(trial.failed for trial in finished):
            found = study.best
            best = {
                "trial": found.trial,
                "config": found.config,
                "validation_accuracy": found.score,
                "test_accuracy": found.test_score,
            }
        return {
            "best": best,
            "trials": len(finished),
            "failed": sum(trial.failed for trial in finished),
            "seconds": {
                "total": time.perf_counter() - self._begun,
                "compile": seconds.compile,
                "train": seconds.train,
                "algorithm": seconds.algorithm,
            },
            "training": self.trainer.report(),
            "compilations": self._counter.compiled,
            "cache_hits": self._counter.hits,
            "device": f"{self.trainer.plan.backend}: {self.trainer.plan.device}",
        } | self._header()


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    names = ("jaxhpo", "jax", "jaxlib", "flax", "optax", "numpy")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def check_directory(path: str | os.PathLike) -> str:
    """Return a directory that can be written, made where it is not there; raise ValueError where it cannot be."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"profile={str(path)!r} cannot be written: {error.strerror}; name a directory") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"profile={str(path)!r} cannot be written; name a directory of your own")
    return str(path)


def _check_sizes(trials: int | None, lanes: int | None) -> tuple[int, int]:
    for name, value in (("trials", trials), ("lanes", lanes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r} must be an integer of at least 1")
    if trials is not None and lanes is not None and lanes > trials:
        raise ValueError(f"lanes={lanes} exceeds trials={trials}; lower lanes or raise trials")
    if lanes is None:
        lanes = default_lanes() if trials is None else min(default_lanes(), trials)
    # Four batches at least, or the algorithm would have nothing to decide.
    return max(DEFAULT_TRIALS, 4 * lanes) if trials is None else trials, lanes
