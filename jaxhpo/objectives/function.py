"""A user's Python function as an Objective: called in a pool of processes, or in this process."""

import io
import threading
import types
import warnings
from collections import ChainMap
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import HostFunction
from jaxhpo.machine import cores
from jaxhpo.machine.bounds import MOST_LANES, check_count
from jaxhpo.objectives.pool import Call, Pool, Reply
from jaxhpo.objectives.signatures import check_signature, say_trials
from jaxhpo.objectives.worker import attempt
from jaxhpo.space import Space
from jaxhpo.types import (
    Array,
    Finished,
    Key,
    LaneResult,
    Objective,
    Outcome,
    Proposal,
    State,
    ignore_result,
    keep_state,
)

_USAGE, _SEED, _BUDGET = "score(config)", "seed", "budget"
_SEEDS = 0  # number folded into the objective's key before the trial


@dataclass(frozen=True)
class Function:
    """A Python function that scores configurations; `function` makes it and describes the attributes."""

    score: Callable[..., Any]
    workers: int | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_signature(_USAGE, self.score, 1, (_SEED, _BUDGET))
        workers, timeout = self.workers, self.timeout
        if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 0):
            raise ValueError(f"workers={workers!r} must be an integer of at least 0, or None for the number of cores")
        if workers is not None:
            check_count("workers", workers, MOST_LANES, least=0)
        number = isinstance(timeout, int | float | np.floating) and not isinstance(timeout, bool)
        if timeout is not None and not (number and 0 < timeout <= threading.TIMEOUT_MAX):
            raise ValueError(f"timeout={timeout!r} must be a number of seconds above 0, or None")
        if timeout is not None and workers == 0:
            raise ValueError(f"timeout={timeout!r} needs a process that can be ended; use workers=1 or more")

    def objective(self, space: Space) -> Objective:
        """Return the Objective for a space. Its `evaluate` is a HostFunction.

        If the function takes `budget`, a trial may continue another one: the function is then called with the total
        budget and trains from the start. Otherwise trials cannot be continued.

        Args:
            space: Search space.

        Raises:
            ValueError: if the function cannot be sent to a process.
        """
        if not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        retain = keep_state if _BUDGET in check_signature(_USAGE, self.score, 1, (_SEED, _BUDGET)) else None
        return Objective(_no_state, HostFunction(_Calls(self, space).evaluate, by_lane=True), retain, restarts=True)


class _Calls:
    """Calls a function for the lanes of a proposal."""

    def __init__(self, function: Function, space: Space):
        self._function, self._space = function, space
        self._options = check_signature(_USAGE, function.score, 1, (_SEED, _BUDGET))
        self._pool = None if function.workers == 0 else Pool(_pickled(function.score), function.timeout)

    def evaluate(
        self,
        key: Key,
        state: State,
        proposal: Proposal,
        finished: Finished = ignore_result,
        known: Collection[int] = (),
    ) -> tuple[State, Outcome]:
        point, budget, trial, active = (
            np.asarray(x) for x in (proposal.point, proposal.budget, proposal.trial, proposal.active)
        )
        lanes = [lane for lane in np.flatnonzero(active).tolist() if lane not in known]
        seeds = np.asarray(_seeds(key, trial)) if _SEED in self._options else trial
        calls = []
        for i in lanes:
            given = {_SEED: int(seeds[i]), _BUDGET: int(budget[i])}
            options = {name: given[name] for name in self._options}
            calls.append(Call(self._space.to_config(point[i]), options))
        score = np.full(len(active), np.nan, np.float32)

        def done(call: int, reply: Reply) -> None:
            finished(lanes[call], LaneResult(reply.score, {}, reply.error, reply.exception))

        failed: dict[str, list[int]] = {}
        for i, reply in zip(lanes, self._replies(calls, len(active), done), strict=True):
            score[i] = reply.score
            if reply.error is not None:
                failed.setdefault(reply.error, []).append(int(trial[i]))
        for error, trials in failed.items():
            warnings.warn(f"{say_trials(trials)} failed: {error}", RuntimeWarning, stacklevel=2)
        return state, Outcome(score, {})

    def _replies(self, calls: list[Call], lanes: int, done: Callable[[int, Reply], None]) -> list[Reply]:
        if self._pool is not None:
            return self._pool.map(calls, min(self._function.workers or cores(), lanes), done)
        replies = []
        for i, call in enumerate(calls):
            replies.append(Reply(*attempt(self._function.score, *call)))
            done(i, replies[-1])
        return replies


def function(score: Callable[..., Any], *, workers: int | None = None, timeout: float | None = None) -> Function:
    """Wrap any Python function as an objective. Configurations are scored in parallel processes.

    Pass the result to `jaxhpo.tune(..., space=space)`, or call its `objective(space)` for a `Study`. The function may
    be a lambda, a closure or defined in a notebook: it is sent to each process once, by value, with everything that it
    refers to. Its printed output goes to the standard error stream.

    Args:
        score: ``score(config) -> number``; `config` holds the Python value of each active hyperparameter by name. The
            function may also take the arguments `seed`, an int in [0, 2**31) that depends on the study's seed and the
            trial, and `budget`, an int: the total budget of the trial, even if it continues another one. A trial fails,
            with a RuntimeWarning, if the function raises an exception, its result is not a finite number, or its
            process dies; `study.trials` has the reason. If one and the same line raises in every trial of the first
            round, the study ends with a ValueError.
        workers: Number of processes, at most the number of lanes. None is the number of cores. 0 calls the function in
            this process, one configuration after another, for debugging. BLAS and OpenMP use an equal share of the
            cores in each process, unless the environment says otherwise (OMP_NUM_THREADS, ...).
        timeout: Time in seconds after which a trial fails and its process is ended; None is no limit.

    Returns:
        Objective without a space.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> def score(config):
        ...     return 1.0 - abs(config["x"] - 0.3)
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(0.0, 1.0)})
        >>> objective = jaxhpo.function(score, workers=0).objective(space)
        >>> study = jaxhpo.Study(space, jaxhpo.algorithms.random_search(space, lanes=4), objective)
        >>> round(study.run(trials=8).best.score, 2)
        0.98
    """
    return Function(score, workers, timeout)


def _no_state(key: Key) -> tuple:
    del key
    return ()


def _pickled(score: Callable[..., Any]) -> bytes:
    import cloudpickle

    table = cloudpickle.CloudPickler.dispatch_table
    reduce = table[types.CodeType]
    # cloudpickle leaves out the names of files, which say where an exception was raised.
    named = ChainMap({types.CodeType: lambda code: _with_file(reduce(code), code.co_filename)}, table)
    file = io.BytesIO()
    try:
        type("Pickler", (cloudpickle.CloudPickler,), {"dispatch_table": named})(file).dump(score)
        return file.getvalue()
    except Exception as error:
        raise ValueError(
            f"score={score!r} cannot be sent to a process: {error}; make what it refers to inside it, or use workers=0"
        ) from error


def _with_file(reduced: tuple, name: str) -> tuple:
    """Return a reduced code object with a file's name in place of what cloudpickle writes."""
    make, arguments = reduced
    return make, tuple(name if isinstance(a, str) and a == "<dynamic-code>" else a for a in arguments)


@jax.jit
def _seeds(key: Key, trial: Array) -> Array:
    """Return the seeds of trials: [B] int32 -> [B] uint32 below 2**31."""

    def seed(trial: Array) -> Array:
        own = jax.random.fold_in(jax.random.fold_in(key, _SEEDS), trial)
        return jax.random.bits(own, dtype=jnp.uint32) >> np.uint32(1)  # 31 bits, which all libraries take as a seed

    return jax.vmap(seed)(trial)
