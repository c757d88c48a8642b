"""A user's plain Python function as an Objective: called in a pool of processes, or in this one."""

import threading
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import HostFunction
from jaxhpo.machine import cores
from jaxhpo.objectives.pool import Call, Pool, Reply
from jaxhpo.objectives.signatures import check_signature
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
_SEEDS = 0  # what the objective's key is folded with, before the trial


@dataclass(frozen=True)
class Function:
    """A Python function that scores a configuration; `function` says what its fields are."""

    score: Callable[..., Any]
    workers: int | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        check_signature(_USAGE, self.score, 1, (_SEED, _BUDGET))
        workers, timeout = self.workers, self.timeout
        if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 0):
            raise ValueError(f"workers={workers!r} must be an integer of at least 0, or None for the number of cores")
        number = isinstance(timeout, int | float | np.floating) and not isinstance(timeout, bool)
        if timeout is not None and not (number and 0 < timeout <= threading.TIMEOUT_MAX):
            raise ValueError(f"timeout={timeout!r} must be a number of seconds above 0, or None")
        if timeout is not None and workers == 0:
            raise ValueError(f"timeout={timeout!r} needs a process that can be ended; use workers=1 or more")

    def objective(self, space: Space) -> Objective:
        """Return the Objective over a space, whose `evaluate` is a HostFunction.

        Where the function takes a budget a trial may continue another, and is then scored from the start, with its
        whole budget; else none can.

        Raises:
            ValueError: where the function can't be sent to a process.
        """
        if not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        retain = keep_state if _BUDGET in check_signature(_USAGE, self.score, 1, (_SEED, _BUDGET)) else None
        return Objective(_no_state, HostFunction(_Calls(self, space).evaluate, by_lane=True), retain)


class _Calls:
    """Calls a bound function for the lanes of a proposal."""

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
            finished(lanes[call], LaneResult(reply.score, {}))

        for i, reply in zip(lanes, self._replies(calls, len(active), done), strict=True):
            score[i] = reply.score
            if reply.error is not None:
                warnings.warn(f"trial {trial[i]} failed: {reply.error}", RuntimeWarning, stacklevel=2)
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
    """Wrap a Python function, whatever it trains; its configurations are scored side by side, in processes.

    ``jaxhpo.tune(jaxhpo.function(score), space=space)``, or ``function(score).objective(space)`` for a Study. The
    function may be a lambda, a closure or one of a notebook: it is sent by value, with what it refers to, to each
    process once. What it prints goes to the standard error stream.

    Args:
        score: ``score(config) -> number``; `config` holds a Python value a hyperparameter that is active. It may also
            take, by name, `seed`, an int in [0, 2**31) that follows from the study's seed and the trial, and `budget`,
            an int: all of a trial's training, though it continues another. An exception, a result that is not a
            finite number, and a process that dies are a failed trial, with one RuntimeWarning.
        workers: processes; None = as many as cores, 0 = none, in this process one after the other, for debugging.
            Never more than lanes. The cores are shared out: BLAS and OpenMP in each use its part of them, unless
            the environment says otherwise (OMP_NUM_THREADS, ...).
        timeout: seconds after which a trial fails and its process is ended; None = never.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    return Function(score, workers, timeout)


def _no_state(key: Key) -> tuple:
    del key
    return ()


def _pickled(score: Callable[..., Any]) -> bytes:
    import cloudpickle

    try:
        return cloudpickle.dumps(score)
    except Exception as error:
        raise ValueError(
            f"score={score!r} cannot be sent to a process: {error}; make what it refers to inside it, or use workers=0"
        ) from error


@jax.jit
def _seeds(key: Key, trial: Array) -> Array:
    """Return the trials' seeds: [B] int32 -> [B] uint32 below 2**31."""

    def seed(trial: Array) -> Array:
        own = jax.random.fold_in(jax.random.fold_in(key, _SEEDS), trial)
        return jax.random.bits(own, dtype=jnp.uint32) >> np.uint32(1)  # 31 bits: every library's seeds have room

    return jax.vmap(seed)(trial)
