"""One call of `tune`: checked, run, reported."""

import contextlib
import importlib.metadata
import os
import platform
import time
import warnings
from collections.abc import Callable
from typing import Any

import jax

from jaxhpo import algorithms
from jaxhpo.compilation import CompilationCounter, check_switches, enable_persistent_cache
from jaxhpo.errors import check_path
from jaxhpo.objectives import Function, Traceable
from jaxhpo.report.console import show_lines
from jaxhpo.report.progress import ProgressBar
from jaxhpo.space import Space
from jaxhpo.study import Journal, Study, Trial, check_timeout
from jaxhpo.study.callbacks import check_callbacks
from jaxhpo.study.trials import computed_and_asked
from jaxhpo.tuning.algorithm_choice import choose
from jaxhpo.tuning.options import Options
from jaxhpo.tuning.workloads import FunctionWorkload, TrainingWorkload, Workload
from jaxhpo.types import Algorithm


class Tuning:
    """One call of `tune`, its arguments checked and its data loaded, before it runs.

    Args:
        data: As `tune`'s.
        options: The other arguments.
    """

    def __init__(self, data: Any, options: Options):
        check_switches()
        self._begun = time.perf_counter()
        self._counter = CompilationCounter()
        if options.cache:
            enable_persistent_cache()
        calls = isinstance(data, Traceable | Function)
        options.check_counts()  # before data are read, which may take long
        self.timeout = check_timeout(options.timeout)
        if options.space is not None and not isinstance(options.space, Space):
            raise ValueError(
                f"space={options.space!r} must be a jaxhpo.Space; build one with Space({{name: Float(...), ...}})"
            )
        self._callbacks = check_callbacks(options.callbacks)
        self.workload: Workload = (FunctionWorkload if calls else TrainingWorkload)(data, options)
        space, budget, self.trials = self.workload.space, self.workload.budget, self.workload.trials
        chosen = choose(options, space, lanes=self.workload.lanes, budget=budget)
        self._chosen, self._portfolio = chosen, options.portfolio
        made = self._chosen.algorithm
        if options.portfolio is not None and isinstance(made, Algorithm):
            made = algorithms.warm_started(made, space, options.portfolio)
        self._journal: Journal | None = None
        self._told = False  # that trials come after the journal was closed
        self.lost: OSError | None = None  # why `output` can no longer be written
        on_trial = None if options.output is None else self._append
        self.study = self.workload.study(made, seed=options.seed, on_trial=on_trial)
        for config in options.enqueue:
            self.study.enqueue(config, budget=budget)
        self.overview = self.workload.overview(self.study.lanes, self.timeout)
        self._profile = None if options.profile is None else _check_directory(options.profile)
        if options.output is not None:
            words = self.workload.vocabulary()
            self._journal = Journal(options.output, self._header() | ({} if words is None else {"vocabulary": words}))

    def run(self, *, verbose: bool = True, details: bool = False) -> Study:
        """Run the trials, score winner and ensemble on the test split once, and return the study.

        Args:
            verbose: Whether to show what was understood, and progress, on standard error.
            details: Whether progress has what only an expert reads.
        """
        if verbose:
            show_lines(self.overview)
        try:
            with ProgressBar(self.trials, self.study.lanes, enabled=verbose, details=details) as progress:
                trace = contextlib.nullcontext() if self._profile is None else jax.profiler.trace(self._profile)
                callbacks = (self._sync, progress, *self._callbacks)
                with trace:
                    self.study.run(self.trials, timeout=self.timeout, callbacks=callbacks)
                if not all(trial.failed for trial in self.study.finished):
                    self.workload.finish()
        finally:  # an interrupted study reports what it has
            self.study.summary = self._summarise()
            self._finish()
        return self.study

    def _append(self, trial: Trial) -> None:
        """Write a trial as it finishes, in whatever thread that is; a disk that is full is reported after the round."""
        if self._journal is None or self.lost is not None:
            return
        if self._journal.closed:  # the study goes on after `tune` has returned
            if not self._told:
                self._told = True
                path = str(self._journal.path)
                warnings.warn(
                    f"output {path!r} was closed with its result; later trials are in memory only", RuntimeWarning, 2
                )
            return
        try:
            self._journal.append(trial)
        except OSError as error:  # it must not end a search that memory still holds
            self.lost = error

    def _sync(self, study: Study, trials: list[Trial]) -> None:
        """Have the round's trials on disk before the next one begins."""
        del study, trials
        self._write(lambda journal: journal.sync(), stacklevel=7)

    def _finish(self) -> None:
        self._write(lambda journal: journal.finish(self.study.summary), stacklevel=5)

    def _write(self, write: Callable[[Journal], None], stacklevel: int) -> None:
        """Write to the journal unless an earlier write failed. If a write has failed, close the journal and warn."""
        if self._journal is None or self._journal.closed:
            return
        try:
            if self.lost is None:
                write(self._journal)
        except OSError as error:
            self.lost = error
        if self.lost is None:
            return
        self._journal.close()
        warnings.warn(
            f"output {str(self._journal.path)!r} can no longer be written ({self.lost.strerror}); later trials are in "
            "memory only",
            RuntimeWarning,
            stacklevel,
        )

    def _header(self) -> dict[str, Any]:
        plan = self.workload.plan()
        if "programs" in plan:
            plan["programs"] += self.study.planned_programs(self.trials)
        return self.workload.about() | {
            "metric": self.workload.metric,
            "direction": self.study.direction,
            "algorithm": self._chosen.name,
            "algorithm_options": self._chosen.options,
            "prior": None if self._portfolio is None else self._portfolio.configs,
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
        finished, final = study.finished, getattr(study, "final", None)
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
        computed, asked = computed_and_asked(finished)
        return {
            "overview": self.overview,
            "best": best,
            **self.workload.models(),
            "final": None if final is None else final.to_json(),
            "trials": len(finished),
            "failed": sum(trial.failed for trial in finished),
            "restarts": None if computed == asked else {"computed": computed, "asked": asked},
            "alone": study.comparison.result,
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
    directory = check_path("profile", path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"profile={str(path)!r} cannot be written: {error.strerror}; name a directory") from None
    if not os.access(path, os.W_OK):
        raise ValueError(f"profile={str(path)!r} cannot be written; name a directory of your own")
    return str(path)
