"""The parts of a round on the host: each a compiled program, run to its end, its time booked."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import HostFunction, Program
from jaxhpo.study.rounds import Clock, Keys, Steps, make_steps
from jaxhpo.types import FRESH, Algorithm, Objective, Outcome, Proposal, State

PROGRAMS = _START, _PROPOSE, _OBSERVE = "start", "propose", "observe"
"""The programs that a study's rounds compile, each once, beside the objective's."""

_EVALUATE = "evaluate"


@dataclass
class Seconds:
    """Where a study's time went; compiling is in none of the other two."""

    compile: float = 0.0
    train: float = 0.0  # evaluating
    algorithm: float = 0.0  # asking and telling


class Queue:
    """Configurations of the user's, that are evaluated before the algorithm's."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[np.ndarray, int | None]] = deque()
        self._taken: list[tuple[np.ndarray, int | None]] = []  # by the round under way

    def add(self, point: np.ndarray, budget: int | None) -> None:
        """Put a point at the end; a budget of None is what the algorithm would give."""
        self._waiting.append((point, budget))

    def fill(self, proposal: Proposal, trial: int, limit: int) -> Proposal:
        """Return a batch of what waits, where anything does: a round of their own, numbered from `trial` on.

        Mixed with the algorithm's they would take the places of points that it counts as asked.
        """
        lanes = len(proposal.active)
        size = min(len(self._waiting), lanes, limit)
        if size == 0:
            return proposal
        point, budget = proposal.point.copy(), proposal.budget.copy()
        self._taken = [self._waiting.popleft() for _ in range(size)]
        for lane, (config, wanted) in enumerate(self._taken):
            point[lane] = config
            budget[lane] = budget[lane] if wanted is None else wanted
        active = np.arange(lanes) < size
        number = np.where(active, trial + np.arange(lanes), FRESH).astype(np.int32)
        return Proposal(point, budget, np.full(lanes, FRESH, np.int32), active, number)

    def give_back(self) -> None:
        """Put what an interrupted round took back where it was."""
        self._waiting.extendleft(reversed(self._taken))
        self._taken = []

    def done(self) -> None:
        """Forget what a round took."""
        self._taken = []


class Host:
    """Runs the parts of a round; `sign` is -1 where lower scores of the objective are better."""

    def __init__(self, algorithm: Algorithm, objective: Objective | None, sign: float, continues: bool):
        self.seconds = Seconds()
        self._pure = make_steps(algorithm, objective, sign)
        self._objective, self._sign, self._continues = objective, sign, continues
        self._programs: dict[str, Program] = {}

    @property
    def report(self) -> dict[str, float]:
        """What an objective that compiles its own programs says of its last call."""
        own = self._own_evaluate
        return {} if own is None else own.report

    @property
    def _own_evaluate(self) -> HostFunction | None:
        evaluate = None if self._objective is None else self._objective.evaluate
        return evaluate if isinstance(evaluate, HostFunction) else None

    def steps(self, queue: Queue) -> Steps:
        """Return the parts as compiled programs, with the user's queue before the algorithm."""

        def compiled(name: str) -> Callable:
            program = self._program(name, getattr(self._pure, name))
            return lambda *args: self._timed(name, program, *args)

        propose, own = compiled(_PROPOSE), self._own_evaluate

        def evaluate(keys: Keys, state: State, proposal: Proposal) -> tuple[State, Outcome]:
            self._check_sources(proposal)
            if own is None:
                return compiled(_EVALUATE)(keys, state, proposal)
            state, outcome = self._timed(_EVALUATE, own, keys.objective, state, proposal)
            return state, outcome._replace(score=np.float32(self._sign) * np.asarray(outcome.score, np.float32))

        def propose_or_queued(keys: Keys, state: State, clock: Clock, limit: Any) -> Proposal:
            return queue.fill(to_host(propose(keys, state, clock, limit)), int(clock.trial), int(limit))

        return Steps(compiled(_START), propose_or_queued, evaluate, compiled(_OBSERVE))

    def observe_told(self, *args: Any) -> Any:
        """Tell scores that came without aux, which is another program than `observe`'s in `steps`."""
        return self._timed(_OBSERVE, self._program("observe_told", self._pure.observe), *args)

    def _program(self, name: str, function: Callable) -> Program:
        return self._programs.setdefault(name, Program(function))

    def _timed(self, name: str, program: Program | HostFunction, *args: Any) -> Any:
        """Run a program to its end, and book the time where it belongs."""
        start, compiled = time.perf_counter(), program.seconds
        result = jax.block_until_ready(program(*args))
        compiling = program.seconds - compiled
        self.seconds.compile += compiling
        running = time.perf_counter() - start - compiling
        if name == _EVALUATE:
            self.seconds.train += running
        else:
            self.seconds.algorithm += running
        return result

    def _check_sources(self, proposal: Proposal) -> None:
        goes_on = proposal.active & (proposal.source != FRESH)
        if np.any(goes_on) and not self._continues:
            trial = int(proposal.source[np.argmax(goes_on)])
            raise ValueError(f"algorithm continues trial {trial}, which the objective cannot; use a single rung")


def to_host(tree: Any) -> Any:
    """Return a tree's arrays as NumPy's."""
    return jax.tree.map(np.asarray, tree)
