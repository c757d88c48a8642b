"""Compilation: programs that are compiled once, a counter of compilations, and the persistent cache."""

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
"""Number of programs that are compiled at the same time; XLA uses little more than one core for each."""

FAULTY = {"0.10.2": {"xla_cpu_experimental_ynn_fusion_type": ""}}
"""Releases of jaxlib that compute wrong results on a CPU, and the XLA options that avoid this.

Release 0.10.2 fuses reductions into YNNPACK's kernels. The reduction of a product that is broadcast over an axis of
size 1, such as the axis of a `vmap` of size 1, then has a wrong result.
"""

_REFUSED = {
    "jax_debug_nans": "a failed trial is NaN in jaxhpo's programs",
    "jax_debug_infs": "jaxhpo's programs compute with infinities",
    "jax_disable_jit": "jaxhpo's trials run in compiled programs",
}
"""Switches of JAX with which nothing can run, and why. All others reach jaxhpo's programs as the user set them."""

_HAS_OPTIONS: ContextVar[bool] = ContextVar("has_options", default=False)

_COMPILED = "/jax/core/compile/backend_compile_duration"  # also recorded for programs from the persistent cache
_HIT = "/jax/compilation_cache/cache_hits"


def xla_options() -> dict[str, str]:
    """Return the XLA options that the installed jaxlib needs for correct results on this backend; usually none."""
    return dict(FAULTY.get(jaxlib.version.__version__, {})) if jax.default_backend() == "cpu" else {}


def check_switches() -> None:
    """Raise ValueError if a switch of JAX is on with which jaxhpo's programs cannot run; the message names it."""
    for name, reason in _REFUSED.items():
        if getattr(jax.config, name):
            raise ValueError(f"{name} is on, and {reason}; turn it off with jax.config.update({name!r}, False)")


def jit(function: Callable[..., Any]) -> Any:
    """Return a function compiled by `jax.jit` with the XLA options that jaxhpo needs (`xla_options`).

    The result cannot be called inside another `jax.jit`, because XLA options apply to a whole program.

    Args:
        function: Function of arrays that JAX can trace.

    Raises:
        ValueError: if `function` is not callable.

    Example:
        >>> import jax, jaxhpo
        >>> from jaxhpo.compilation import jit
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0)})
        >>> algorithm = jaxhpo.algorithms.random_search(space, lanes=4)
        >>> ask = jit(algorithm.ask)
        >>> ask(jax.random.key(0), ()).point.shape
        (4, 1)
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
    """Warn if the caller's caller traces `name` under a plain `jax.jit`, although the program needs `xla_options`."""
    if xla_options() and not _HAS_OPTIONS.get():
        warnings.warn(
            f"jaxlib {jaxlib.version.__version__} computes some sums wrongly on a CPU; put jaxhpo.compilation.jit in "
            f"place of jax.jit around {name}, or install another release",
            RuntimeWarning,
            stacklevel=3,
        )


class _Tally:
    """The compilations of this process since import.

    All counters share one listener, because JAX cannot remove a listener.
    """

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
    """Counts the programs that this process compiles after the counter is made, small eager programs included."""

    def __init__(self) -> None:
        self._requests, self._hits = _tally.requests, _tally.hits

    @property
    def compiled(self) -> int:
        """The number of compiled programs."""
        return self.requests - self.hits

    @property
    def hits(self) -> int:
        """The number of programs that were read from the persistent cache."""
        return _tally.hits - self._hits

    @property
    def requests(self) -> int:
        """The number of programs that were compiled or read from the persistent cache."""
        return _tally.requests - self._requests


class Program:
    """A pure function that is compiled at its first call, for the shapes of that call only.

    A call with other shapes or dtypes raises TypeError. Such a call is a bug in jaxhpo: it would otherwise compile a
    program in every round without notice.

    Attributes:
        seconds: Time spent on tracing and compiling.
    """

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._compiled: Any = None
        self.seconds = 0.0

    def __call__(self, *args: Any) -> Any:
        """Return the result of the function."""
        if self._compiled is None:
            start = time.perf_counter()
            self._compiled = jit(self._function).lower(*args).compile()
            self.seconds = time.perf_counter() - start
        return self._compiled(*args)


class HostFunction:
    """A function that compiles its own programs. It is called on the host with NumPy arrays and cannot be traced.

    An `Objective` whose `evaluate` is one is called by the study as it is.

    Args:
        function: What is called.
        by_lane: Whether it also takes `finished`, which it calls with each lane's result as soon as that is there
            (`jaxhpo.types.Finished`), and `known`, results by lane of trials that it is not to evaluate again.
    """

    def __init__(self, function: Callable[..., Any], *, by_lane: bool = False):
        self._function = function
        self.by_lane = by_lane
        self.seconds = 0.0
        """Time that all calls have spent on compilation only; the function updates it."""
        self.report: dict[str, float] = {}
        """Metrics of the last call, which the study records; the function updates them."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Return what the function returns."""
        return self._function(*args, **options)


def enable_persistent_cache() -> Path | None:
    """Keep compiled programs on disk, so that later processes need not compile them; return the directory.

    If the user has set a cache (`JAX_COMPILATION_CACHE_DIR`), it is left unchanged. If the directory cannot be written,
    nothing is cached and None is returned; a study works without a cache.
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
    # Small programs too: a study has only a few programs, and a process spends most of its start on compiling them.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()  # JAX looks at the directory only once, at the process's first compilation
    return directory
