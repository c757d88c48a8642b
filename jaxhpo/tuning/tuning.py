"""One call of `tune`: checked, run, reported."""

import contextlib
import importlib.metadata
import os
import platform
import time
import warnings
from pathlib import Path
from typing import Any

import jax

from jaxhpo import algorithms
from jaxhpo.compilation import CompilationCounter, enable_persistent_cache
from jaxhpo.objectives import Function, Traceable
from jaxhpo.report.progress import ProgressBar
from jaxhpo.space import Space
from jaxhpo.study import Journal, Study, Trial, check_timeout
from jaxhpo.tuning.options import Options
from jaxhpo.tuning.workloads import FunctionWorkload, TrainingWorkload, Workload
from jaxhpo.types import Algorithm


class Tuning:
    """One call of `tune`, its arguments checked and its data loaded, before it runs.

    Args:
        data: as `tune`'s.
        options: the other arguments.
    """

    def __init__(self, data: Any, options: Options):
        self._begun = time.perf_counter()
        self._counter = CompilationCounter()
        if options.cache:
            enable_persistent_cache()
        self.trials, lanes = options.sizes()
        self.timeout = check_timeout(options.timeout)
        space, algorithm = options.space, options.algorithm
        if space is not None and not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space; build one with Space({{name: Float(...), ...}})")
        kind = FunctionWorkload if isinstance(data, Traceable | Function) else TrainingWorkload
        self.workload: Workload = kind(data, options, lanes)
        space, lanes, budget = self.workload.space, self.workload.lanes, self.workload.budget
        if callable(algorithm):
            self.algorithm = getattr(algorithm, "__name__", "custom")
            made = algorithm(space, lanes=lanes, budget=budget)
        else:
            self.algorithm, made = algorithm, algorithms.make(algorithm, space, lanes=lanes, budget=budget)
        self._prior = options.prior
        # The study says what is wrong with an algorithm that is none.
        if options.prior is not None and isinstance(made, Algorithm):
            made = algorithms.warm_started(made, space, options.prior)
        continues = isinstance(made, Algorithm) and made.resumable is not None
        objective = self.workload.objective(continues=continues)
        self.study = Study(space, made, objective, seed=options.seed, direction=self.workload.direction)
        for config in options.enqueue:
            self.study.enqueue(config, budget=budget)
        self._profile = None if options.profile is None else _check_directory(options.profile)
        self._journal = None
        if options.output is not None:
            words = self.workload.vocabulary()
            self._journal = Journal(options.output, self._header() | ({} if words is None else {"vocabulary": words}))
        self.lost: OSError | None = None  # what ended the writing of `output`

    def run(self, *, verbose: bool = True) -> Study:
        """Run the trials, score the winner on the test split once, and return the study."""
        try:
            with ProgressBar(self.trials, self.study.lanes, enabled=verbose) as progress:

                def on_round(study: Study, trials: list[Trial], metrics: dict[str, float]) -> None:
                    self._append(trials)
                    progress.update(study, metrics)

                trace = contextlib.nullcontext() if self._profile is None else jax.profiler.trace(self._profile)
                with trace:
                    self.study.run(self.trials, timeout=self.timeout, on_round=on_round)
                if not all(trial.failed for trial in self.study.finished):
                    self.workload.finish(self.study)
        finally:  # an interrupted study reports what it has
            self.study.summary = self._summarise()
            self._finish()
        return self.study

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
        plan = self.workload.plan()
        if "programs" in plan:
            plan["programs"] += self.study.planned_programs(self.trials)
        return self.workload.about() | {
            "metric": self.workload.metric,
            "direction": self.workload.direction,
            "algorithm": self.algorithm,
            "prior": None if self._prior is None else self._prior.configs,
            "epochs": self.workload.budget,
            "seed": self.study.seed,
            "plan": plan,
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
                "score": found.score,
                "test_score": found.test_score,
            }
        header = self._header()
        return {
            "best": best,
            "final": None if study.final is None else study.final.to_json(),
            "trials": len(finished),
            "failed": sum(trial.failed for trial in finished),
            "seconds": {
                "total": time.perf_counter() - self._begun,
                "compile": seconds.compile,
                "train": seconds.train,
                "algorithm": seconds.algorithm,
            },
            "training": self.workload.report(),
            "compilations": self._counter.compiled,
            "cache_hits": self._counter.hits,
            "device": f"{header['plan']['backend']}: {header['plan']['device']}",
        } | header


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    names = ("jaxhpo", "jax", "jaxlib", "flax", "optax", "numpy")
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def _check_directory(path: str | os.PathLike) -> str:
    """Return a directory that can be written, made where it is not there; raise ValueError where it cannot be."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"profile={str(path)!r} cannot be written: {error.strerror}; name a directory") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"profile={str(path)!r} cannot be written; name a directory of your own")
    return str(path)
