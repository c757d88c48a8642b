"""The functions of a round on the host: compiled programs whose run time is recorded."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import HostFunction, Program
from jaxhpo.study.rounds import Clock, Keys, Steps, clean, make_steps
from jaxhpo.study.trials import Failures
from jaxhpo.types import FRESH, Algorithm, LaneResult, Objective, Outcome, Proposal, State

_START, _PROPOSE, _OBSERVE, _RESUMABLE = "start", "propose", "observe", "resumable"

_EVALUATE = "evaluate"

Recorder = Callable[[Proposal, int, LaneResult], None]
"""Called with a proposal, an active lane of it and the lane's result; from any thread, one at a time."""


@dataclass
class Seconds:
    """The time that a study has spent, in seconds. Compilation is counted only in `compile`.

    Attributes:
        compile: Tracing and compiling.
        train: Evaluating trials.
        algorithm: Asking and telling the algorithm.
    """

    compile: float = 0.0
    train: float = 0.0
    algorithm: float = 0.0


class Queue:
    """Configurations that are not the algorithm's: enqueued ones, evaluated before its own, and a default.

    Attributes:
        told: What the algorithm is told of the current round, if the default is in it: the algorithm's own proposal,
            with the default's lane inactive. None if it is not.
        default: Id of the default's trial; None before it was evaluated.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[np.ndarray, int | None]] = deque()
        self._taken: list[tuple[np.ndarray, int | None]] = []  # by the current round
        self._default: tuple[np.ndarray, int] | None = None  # as long as it waits
        self.told: Proposal | None = None
        self.default: int | None = None

    def add(self, point: np.ndarray, budget: int | None) -> None:
        """Append a point. If the budget is None, the algorithm chooses it."""
        self._waiting.append((point, budget))

    def add_default(self, point: np.ndarray, budget: int) -> None:
        """Have a point take the last active lane of the algorithm's first round; its own row there counts as cut."""
        self._default = point, budget

    def fill(self, proposal: Proposal, trial: int, limit: int) -> Proposal:
        """Return a round of the enqueued configurations, or the algorithm's proposal if the queue is empty.

        Enqueued configurations get a round of their own. Mixed into a round of the algorithm they would replace points
        that it counts as proposed. A waiting default is put into the algorithm's proposal.

        Args:
            proposal: The algorithm's proposal, as NumPy arrays.
            trial: Id of the round's first trial.
            limit: Largest number of trials in the round.
        """
        lanes = len(proposal.active)
        size = min(len(self._waiting), lanes, limit)
        if size == 0:
            return self._with_default(proposal)
        point, budget = proposal.point.copy(), proposal.budget.copy()
        self._taken = [self._waiting.popleft() for _ in range(size)]
        for lane, (config, wanted) in enumerate(self._taken):
            point[lane] = config
            budget[lane] = budget[lane] if wanted is None else wanted
        active = np.arange(lanes) < size
        number = np.where(active, trial + np.arange(lanes), FRESH).astype(np.int32)
        return Proposal(point, budget, np.full(lanes, FRESH, np.int32), active, number)

    def _with_default(self, proposal: Proposal) -> Proposal:
        if self._default is None or not proposal.active.any():
            return proposal
        lane = np.arange(len(proposal.active)) == np.flatnonzero(proposal.active)[-1]
        trial = np.where(lane, np.int32(FRESH), proposal.trial)
        self.told = proposal._replace(active=proposal.active & ~lane, trial=trial)
        point, budget = self._default
        return proposal._replace(
            point=np.where(lane[:, None], point, proposal.point),
            budget=np.where(lane, np.int32(budget), proposal.budget),
            source=np.where(lane, np.int32(FRESH), proposal.source),
        )

    def give_back(self) -> None:
        """Return the configurations of an interrupted round to the front of the queue; the default waits again."""
        self._waiting.extendleft(reversed(self._taken))
        self._taken, self.told = [], None

    def done(self, proposal: Proposal) -> None:
        """Mark the configurations of a round as evaluated."""
        if self.told is not None:
            self.default, self._default = int(proposal.trial.max()), None
        self._taken, self.told = [], None


class _Lanes:
    """The active lanes of one proposal, each of which is recorded once.

    Args:
        proposal: NumPy arrays.
        record: Called with the proposal, a lane and its result; None if nobody listens.
        known: Results that are there already, by trial; they are not recorded.
        sign: -1 where lower scores of the objective are better.
        failures: Keeps why lanes failed.
    """

    def __init__(
        self,
        proposal: Proposal,
        record: Recorder | None,
        known: Mapping[int, LaneResult],
        sign: float,
        failures: Failures,
    ):
        self._proposal, self._record, self._sign, self._failures = proposal, record, sign, failures
        self._waiting = set(np.flatnonzero(proposal.active).tolist())
        self.known = {lane: known[trial] for lane in self._waiting if (trial := int(proposal.trial[lane])) in known}
        self._waiting -= set(self.known)
        self._lock = threading.Lock()

    def finished(self, lane: int, result: LaneResult) -> None:
        """Record a lane's result."""
        with self._lock:
            if lane in self._waiting:
                self._waiting.remove(lane)
                self._failures.record(int(self._proposal.trial[lane]), result)
                if self._record is not None:
                    self._record(self._proposal, lane, result)

    def complete(self, outcome: Outcome) -> Outcome:
        """Record the lanes that were not reported; return the outcome with what was known in its place."""
        if self._record is None and not self.known:
            return outcome  # which stays on the device
        score, aux, error = to_host(outcome)
        for lane in sorted(self._waiting):
            own = {name: value[lane] for name, value in aux.items()}
            result = LaneResult(self._sign * float(score[lane]), own, standard_error=float(error[lane]))
            self.finished(lane, result)
        if not self.known:
            return outcome
        score, aux, error = score.copy(), {name: value.copy() for name, value in aux.items()}, error.copy()
        for lane, result in self.known.items():
            if set(result.aux) != set(aux):
                trial, names = self._proposal.trial[lane], ", ".join(sorted(aux)) or "nothing"
                raise ValueError(
                    f"known has trial {trial} with aux {sorted(result.aux)}; the objective returns {names}"
                )
            score[lane], error[lane] = self._sign * result.score, result.standard_error
            for name, value in aux.items():
                value[lane] = result.aux[name]
        return Outcome(score, aux, error)


class Host:
    """The functions of a round as compiled programs.

    Args:
        algorithm: Search method.
        objective: Objective, or None if the user evaluates trials.
        sign: -1 if lower scores of the objective are better, else 1.
        lanes: Number of lanes of a round.
        queue: Configurations that are not the algorithm's.
    """

    def __init__(self, algorithm: Algorithm, objective: Objective | None, sign: float, lanes: int, queue: Queue):
        self.seconds, self.failures = Seconds(), Failures()
        self._pure = make_steps(algorithm, objective, sign)
        self._algorithm, self._objective, self._sign, self._lanes = algorithm, objective, sign, lanes
        self._queue = queue
        self._programs: dict[tuple, Program] = {}

    @property
    def report(self) -> dict[str, float]:
        """Metrics of the last evaluation, if the objective compiles its own programs."""
        own = self._own_evaluate
        return {} if own is None else own.report

    @property
    def _own_evaluate(self) -> HostFunction | None:
        evaluate = None if self._objective is None else self._objective.evaluate
        return evaluate if isinstance(evaluate, HostFunction) else None

    def steps(self, record: Recorder | None, known: Mapping[int, LaneResult]) -> Steps:
        """Return the parts as compiled programs, with the queue before the algorithm.

        Args:
            record: Called with the proposal, a lane and its result, once for every active lane; None if nobody
                listens.
            known: Results of trials that are not evaluated again, by trial.
        """

        def start(seed: Any) -> tuple[Keys, State]:
            return self._call(_START, (), self._pure.start, seed)

        def evaluate(keys: Keys, state: State, proposal: Proposal) -> tuple[State, Outcome]:
            self._check_sources(proposal)
            lanes = _Lanes(proposal, record, known, self._sign, self.failures)
            state, outcome = self._evaluate(keys, state, proposal, lanes)
            return state, lanes.complete(outcome)

        def propose_or_queued(keys: Keys, state: State, clock: Clock, limit: Any) -> Proposal:
            proposal = self._call(_PROPOSE, sizes(state), self._pure.propose, keys, state, clock, limit)
            return self._queue.fill(to_host(proposal), int(clock.trial), int(limit))

        def retain(state: State, objective_state: State) -> State:
            if self._algorithm.resumable is None or self._objective is None or self._objective.retain is None:
                return objective_state
            trials = self._call(_RESUMABLE, sizes(state), self._algorithm.resumable, state)
            return self._objective.retain(objective_state, np.asarray(trials))

        return Steps(start, propose_or_queued, evaluate, partial(self._observe, "observe"), retain)

    def _evaluate(self, keys: Keys, state: State, proposal: Proposal, lanes: "_Lanes") -> tuple[State, Outcome]:
        """Return the objective's state and outcome, whose scores are higher where they are better."""
        own = self._own_evaluate
        if own is None:
            return self._call(_EVALUATE, (), self._pure.evaluate, keys, state, proposal)
        options = {"finished": lanes.finished, "known": lanes.known} if own.by_lane else {}
        state, outcome = self._timed(_EVALUATE, own, keys.objective, state, proposal, **options)
        score = np.float32(self._sign) * np.asarray(outcome.score, np.float32)
        error = np.broadcast_to(np.asarray(outcome.standard_error, np.float32), score.shape)
        return state, outcome._replace(score=score, standard_error=error)

    def alone(self, keys: Keys, proposal: Proposal, lane: int) -> float:
        """Return the score of one lane of a proposal (NumPy arrays), computed by itself, as the objective gives it."""
        assert self._objective is not None
        assert isinstance(self._objective.alone, HostFunction)
        return self._timed(_EVALUATE, self._objective.alone, keys.objective, proposal, lane)

    def observe_told(self, *args: Any) -> Any:
        """Tell scores without aux. This compiles a different program from `observe` in `steps`."""
        return self._observe("observe_told", *args)

    def _observe(self, name: str, keys: Keys, state: State, clock: Clock, proposal: Proposal, outcome: Outcome) -> Any:
        state, told = self._algorithm.grow(state, int(clock.trial) + self._lanes), self._queue.told
        args = keys, state, clock, proposal if told is None else told, outcome
        found = self._call(name, sizes(state), self._pure.observe, *args)
        if told is None:
            return found
        # The algorithm was told the round without the default. The clock and the record have it all the same.
        state, (round_, trial), _, metrics = found
        return state, Clock(round_, np.asarray(trial) + np.int32(1)), clean(proposal, to_host(outcome), np), metrics

    def _call(self, name: str, size: tuple, function: Callable, *args: Any) -> Any:
        """Run a function of a round; it is compiled once for each size of the algorithm's state."""
        return self._timed(name, self._programs.setdefault((name, size), Program(function)), *args)

    def _timed(self, name: str, program: Program | HostFunction, *args: Any, **options: Any) -> Any:
        """Run a program to its end, and book the time where it belongs."""
        start, compiled = time.perf_counter(), program.seconds
        result = jax.block_until_ready(program(*args, **options))
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
        if np.any(goes_on) and self._objective is not None and self._objective.retain is None:
            trial = int(proposal.source[np.argmax(goes_on)])
            raise ValueError(
                f"algorithm continues trial {trial}, which the objective cannot; use a single rung, "
                "Trainer(continues=True) or a function that takes `budget`"
            )


def sizes(state: State) -> tuple:
    """Return the shapes of a state's arrays."""
    return tuple(leaf.shape for leaf in jax.tree.leaves(state))


def planned_programs(algorithm: Algorithm, trials: int, lanes: int) -> int:
    """Return how many programs a study of `trials` trials compiles at most, without those of the objective."""
    state = jax.eval_shape(algorithm.init, jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32")))

    def grown(rounds: int) -> tuple:
        return sizes(jax.eval_shape(lambda s: algorithm.grow(s, rounds * lanes), state))

    def between(first: int, last: int) -> set[tuple]:
        """Return the state sizes between two rounds. Sizes only grow, so equal ends have none between them."""
        ends = {grown(first), grown(last)}
        if len(ends) == 1 or last - first == 1:
            return ends
        middle = (first + last) // 2
        return between(first, middle) | between(middle, last)

    rounds = -(-trials // lanes)
    observed = between(1, rounds)
    proposed = {sizes(state)} | (between(1, rounds - 1) if rounds > 1 else set())
    return 1 + len(proposed) + len(observed) * (1 + (algorithm.resumable is not None))


def to_host(tree: Any) -> Any:
    """Return a pytree with its arrays as NumPy arrays."""
    return jax.tree.map(np.asarray, tree)
