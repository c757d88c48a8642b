"""Compiling once and counting honestly: programs, the compilation counter, the persistent cache."""

import functools
import os
import time
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
from jax.experimental.compilation_cache import compilation_cache

from jaxhpo.machine import cache_directory

COMPILERS = 2
"""Programs that are compiled at once: XLA compiles one on little more than one core."""

FAULTY = {"0.10.2": {"xla_cpu_experimental_ynn_fusion_type": ""}}
"""Releases of jaxlib that compute wrongly on a CPU, and the options of XLA with which they compute right.

0.10.2 fuses reductions into YNNPACK's kernels, and those of products that are broadcast over an axis of size 1, as a
`vmap` of size 1 makes, come out wrong by their size.
"""

_HAS_OPTIONS: ContextVar[bool] = ContextVar("has_options", default=False)

_COMPILED = "/jax/core/compile/backend_compile_duration"  # fires when the persistent cache answers, too
_HIT = "/jax/compilation_cache/cache_hits"


def xla_options() -> dict[str, str]:
    """Return the options of XLA that the installed jaxlib needs to compute right on this backend; mostly none."""
    return dict(FAULTY.get(jaxlib.version.__version__, {})) if jax.default_backend() == "cpu" else {}


def jit(function: Callable[..., Any]) -> Any:
    """Return the function under `jax.jit`, with `xla_options`.

        scores = jit(lambda: run_traced(algorithm, objective, 20, seeds=100).outcome.score)()

    Args:
        function: of arrays, which JAX can trace. What it makes cannot be called under another `jax.jit`, as XLA takes
            its options for a whole program.

    Raises:
        ValueError: it is no function.
    """
    if not callable(function):
        raise ValueError(f"function={function!r} must be callable; give it as jax.jit takes it, without its arguments")

    @functools.wraps(function)
    def traced(*args: Any, **keywords: Any) -> Any:
        token = _HAS_OPTIONS.set(True)
        try:
            return function(*args, **keywords)
        finally:
            _HAS_OPTIONS.reset(token)

    return jax.jit(traced, compiler_options=xla_options())


def warn_of_lacking_options(name: str) -> None:
    """Warn where the caller's caller traces `name` into a program that needs `xla_options` and is not made by `jit`."""
    if xla_options() and not _HAS_OPTIONS.get():
        warnings.warn(
            f"jaxlib {jaxlib.version.__version__} computes some sums wrongly on a CPU; put jaxhpo.compilation.jit in "
            f"place of jax.jit around {name}, or install another release",
            RuntimeWarning,
            stacklevel=3,
        )


class _Tally:
    """What this process has compiled since its import; one listener for all counters, as JAX has no way to drop one."""

    def __init__(self) -> None:
        self.requests = 0
        self.hits = 0
        jax.monitoring.register_event_listener(self._event)
        jax.monitoring.register_event_duration_secs_listener(self._duration)

    def _event(self, event: str, **_: Any) -> None:
        self.hits += event == _HIT

    def _duration(self, event: str, seconds: float, **_: Any) -> None:
        del seconds
        self.requests += event == _COMPILED


_tally = _Tally()


class CompilationCounter:
    """Counts what is compiled in this process from its making on, tiny eager programs included."""

    def __init__(self) -> None:
        self._requests, self._hits = _tally.requests, _tally.hits

    @property
    def compiled(self) -> int:
        """Programs that were compiled."""
        return self.requests - self.hits

    @property
    def hits(self) -> int:
        """Programs that the persistent cache had."""
        return _tally.hits - self._hits

    @property
    def requests(self) -> int:
        """Programs that were compiled or that the persistent cache had."""
        return _tally.requests - self._requests


class Program:
    """A pure function compiled when it is first called, for the shapes of that call and no others.

    `seconds` is what tracing and compiling took. Calls with other shapes or dtypes raise TypeError: in jaxhpo that
    is a bug, and a silent compilation every round is what must not happen.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._compiled: Any = None
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns."""
        if self._compiled is None:
            start = time.perf_counter()
            self._compiled = jit(self._function).lower(*args).compile()
            self.seconds = time.perf_counter() - start
        return self._compiled(*args)


class HostFunction:
    """A function that compiles its own programs: it is called on the host, with NumPy arrays, and cannot be traced.

    An `Objective` whose `evaluate` is one is called by the study as it is.

    Args:
        function: what is called.
        by_lane: whether it also takes `finished`, which it calls with each lane's result as soon as that is there
            (`jaxhpo.types.Finished`), and `known`, results by lane of trials that it is not to evaluate again.
    """

    def __init__(self, function: Callable[..., Any], *, by_lane: bool = False):
        self._function = function
        self.by_lane = by_lane
        self.seconds = 0.0
        """What calls so far have spent on nothing but compiling; the function keeps it."""
        self.report: dict[str, float] = {}
        """What the last call did, for the study's metrics; the function keeps it."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return what the function returns."""
        return self._function(*args, **options)


def enable_persistent_cache() -> Path | None:
    """Keep compiled programs on disk, so that a second process compiles nothing; return the directory.

    A cache that the user has set up (`JAX_COMPILATION_CACHE_DIR`) is left as it is. Where the directory can't be
    written, nothing is kept and None is returned: a study needs no cache.
    """
    theirs = jax.config.values["jax_compilation_cache_dir"]
    if theirs is not None:
        return Path(theirs)
    directory = cache_directory() / "compiled"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(directory, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(directory))
    # Small programs too: a study is a handful of them, and a process start is mostly their compilation.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()  # JAX looks at the directory only once, at the process's first compilation
    return directory
