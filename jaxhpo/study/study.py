"""The Study: rounds of ask, evaluate and tell, and what they found."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import jax
import numpy as np

from jaxhpo.compilation import check_switches
from jaxhpo.machine.bounds import MOST_BUDGET, MOST_TRIALS, check_count
from jaxhpo.space import Space
from jaxhpo.study import trials as tables
from jaxhpo.study.callbacks import Callback, check_callbacks
from jaxhpo.study.comparison import Comparison
from jaxhpo.study.compiled_round import Host, Queue, Seconds, planned_programs, to_host
from jaxhpo.study.results import Results
from jaxhpo.study.rounds import Carry, Clock, Keys, Record, Steps, round_step
from jaxhpo.study.timeout import check_timeout
from jaxhpo.study.trials import Suggestion, Trial
from jaxhpo.types import Algorithm, LaneResult, Objective, Outcome, Proposal, State

_LOGGER = logging.getLogger(__name__)


class Study(Results):
    """A search: an algorithm proposes trials of a space, and an objective or the caller scores them.

    Args:
        space: What varies.
        algorithm: An Algorithm for this space; factories in `jaxhpo.algorithms` make it.
        objective: Scores trials in `run`. None: the caller scores them, with `ask` and `tell`.
        seed: An integer in [0, 2**32). With the same plan it fixes every result bit for bit.
        direction: "maximize" or "minimize": which scores are better, told ones or an Objective's.
        on_trial: Called with each trial of `run` as soon as its result is there, before its round ends: from any
            thread, one at a time, in any order. A journal is written by it.
        known: Results of trials that `run` is not to evaluate again, by trial.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo as jh
        >>> space = jh.Space({"x": jh.Float(-2.0, 2.0, levels=41)})
        >>> study = jh.Study(space, jh.algorithms.grid_search(space, lanes=41), direction="minimize")
        >>> told = study.tell([(trial.config["x"] - 1) ** 2 for trial in study.ask()])
        >>> study.best
        Best(trial=30, score=0.0000: x=1)
    """

    def __init__(
        self,
        space: Space,
        algorithm: Algorithm,
        objective: Objective | None = None,
        *,
        seed: int = 0,
        direction: str = "maximize",
        on_trial: Callable[[Trial], Any] | None = None,
        known: Mapping[int, LaneResult] | None = None,
    ):
        check_switches()
        if not isinstance(space, Space):
            raise ValueError(f"space={space!r} must be a jaxhpo.Space")
        if taken := [name for name in space if name in tables.RESERVED]:
            raise ValueError(f"space has a hyperparameter named {taken[0]!r}, a column of the trials; rename it")
        if not isinstance(algorithm, Algorithm):
            raise ValueError(f"algorithm={algorithm!r} must be an Algorithm; see jaxhpo.algorithms")
        if objective is not None and not isinstance(objective, Objective):
            raise ValueError(f"objective={objective!r} must be an Objective of two pure functions, or None")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise ValueError(f"seed={seed!r} must be an integer in [0, 2**32)")
        if on_trial is not None and not callable(on_trial):
            raise ValueError(f"on_trial={on_trial!r} must be a function of a trial, or None")
        for trial, result in dict(known or {}).items():
            if not isinstance(trial, int) or not isinstance(result, LaneResult):
                raise ValueError(
                    f"known has {trial!r}: {result!r}; give a jaxhpo.types.LaneResult for a trial's number"
                )
        super().__init__(space, direction)
        self.seed = seed
        self.summary: dict[str, Any] = {}
        """What `tune` reports as JSON: best, trials, seconds, compilations, device, versions, ..."""
        self.stop_reason: str | None = None
        """Why a callback ended the latest `run`; None where none did."""
        self._objective = objective
        self._algorithm, self._queue = algorithm, Queue()
        self._pending: Proposal | None = None
        self._on_trial, self._known = on_trial, dict(known or {})
        self.comparison = Comparison(space, self._sign, self._known)
        """Two trials of the first round compared with the same ones computed alone, if the objective can do that."""
        self._begun = time.perf_counter()
        key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
        shape = jax.eval_shape(lambda k: algorithm.ask(k, algorithm.init(k)), key).point.shape
        if len(shape) != 2 or shape[1] != len(space):
            raise ValueError(f"algorithm proposes points of shape {shape}, but the space has {len(space)} dimensions")
        self.lanes: int = shape[0]
        self._host = Host(algorithm, objective, self._sign, self.lanes, self._queue)
        self._keys: Keys | None = None
        self._carry: Carry | None = None
        self._running = False

    def planned_programs(self, trials: int) -> int:
        """Return how many programs `run` compiles, beside the objective's.

        The number grows with the trials only if the algorithm keeps a history, which doubles at 64, 128, ...

        Args:
            trials: Number of trials of the run.

        Raises:
            ValueError: if `trials` is not an integer of at least 1.
        """
        if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
            raise ValueError(f"trials={trials!r} must be an integer of at least 1")
        return planned_programs(self._algorithm, trials, self.lanes)

    @property
    def seconds(self) -> Seconds:
        """Where the time went."""
        return self._host.seconds

    def __repr__(self) -> str:
        found = tables.best_trial(self._trials, self._sign, self._tie_break)
        best = f", best={found.score:.4f} of trial {found.trial}" if found else ""
        return f"Study({len(self._trials)} trials of {', '.join(self.space)}; lanes={self.lanes}{best})"

    # --- ask and tell --------------------------------------------------------------------------------------------

    def enqueue(self, config: Mapping[str, Any], *, budget: int | None = None) -> None:
        """Evaluate a configuration before those that the algorithm proposes next.

        Args:
            config: Value of each active hyperparameter, by name.
            budget: The trial's budget. None: the budget that the algorithm would give.

        Raises:
            ValueError: if the space has no such configuration, or `budget` is not an integer of at least 1.
        """
        if budget is not None:
            check_count("budget", budget, MOST_BUDGET, more=", or None")
        self._queue.add(self.space.from_config(config), budget)

    def ask(self) -> list[Suggestion]:
        """Return the trials of the next round, at most `lanes`; the same ones until they are told.

        The list is empty if the algorithm has nothing left to propose.
        """
        if self._pending is None:
            steps = self._steps()
            keys, carry = self._start()
            limit = np.int32(self.lanes)
            self._pending = to_host(steps.propose(keys, carry.algorithm, carry.clock, limit))
        return tables.suggestions(self.space, self._pending)

    def tell(self, scores: Sequence[float] | Mapping[int, float]) -> list[Trial]:
        """Tell the scores of the trials that `ask` returned.

        Args:
            scores: A number for each trial, in the order of `ask`; or numbers by trial. nan: the trial failed.

        Returns:
            The finished trials of the round.

        Raises:
            ValueError: if `ask` was not called, or a score is missing or is no number.
        """
        if self._pending is None:
            raise ValueError("tell needs trials; call ask first")
        asked = tables.suggestions(self.space, self._pending)
        values = tables.read_scores(asked, scores)
        score = np.full(self.lanes, np.nan, np.float32)
        score[self._pending.active] = self._sign * values
        keys, carry = self._start()
        told = self._pending, Outcome(score, {})
        state, clock, outcome, metrics = self._host.observe_told(keys, carry.algorithm, carry.clock, *told)
        self._carry = Carry(state, carry.objective, clock)
        return self._record(Record(self._pending, outcome, metrics))

    # --- run -----------------------------------------------------------------------------------------------------

    def run(
        self,
        trials: int,
        *,
        timeout: float | str | None = None,
        callbacks: Iterable[Callback] = (),
        on_round: Callable[[Study, list[Trial], dict[str, float]], Any] | None = None,
    ) -> Self:
        """Run `trials` more trials with the objective; return the study.

        Ends before that if the algorithm has nothing left to propose, if a callback calls `stop`, or if the next
        round, taking as long as the longest so far, would end after `timeout`. One round always runs. Whatever ends
        the run early, finished rounds stay.

        Args:
            trials: How many more trials to run.
            timeout: Seconds that the run may take, or a text such as "5m" or "2h"; None is no limit.
            callbacks: Functions that are called in order after every round, each as `callback(study, trials)` with
                the round's trials.
            on_round: Will go; use `callbacks`.

        Raises:
            ValueError: if an argument is invalid, the study has no objective, or a round of `ask` has not been told; if
                the same exception fails every trial of the first round; if the score of a trial depends on others.
        """
        check_count("trials", trials, MOST_TRIALS - len(self._trials))
        timeout, called = check_timeout(timeout), check_callbacks(callbacks)
        if on_round is not None:
            warnings.warn("on_round of Study.run will go; use callbacks=[...]", DeprecationWarning, stacklevel=2)
            called += (lambda study, trials: on_round(study, trials, study.latest_metrics),)
        if self._objective is None:
            raise ValueError("run needs an objective; give Study one, or use ask and tell")
        if self._pending is not None:
            raise ValueError("run needs every asked trial told; call tell first")
        self.stop_reason, self._running = None, True
        try:
            self._run(trials, timeout, called)
        finally:
            self._running = False
        return self

    def stop(self, reason: str) -> None:
        """End the run after the round under way; for callbacks.

        Args:
            reason: Why; `stop_reason` keeps it.

        Raises:
            ValueError: if the study is not running.
        """
        if not self._running:
            raise ValueError("stop ends a run, and the study is not running; call it from a callback")
        self.stop_reason = str(reason)

    def _run(self, trials: int, timeout: float | None, callbacks: tuple[Callback, ...]) -> None:
        begun, goal, longest = time.perf_counter(), len(self._trials) + trials, 0.0
        steps = self._steps()
        while len(self._trials) < goal and self.stop_reason is None:
            start, before = time.perf_counter(), replace(self.seconds)
            if timeout is not None and longest and start - begun + longest > timeout:
                break
            keys, carry = self._start(objective=True)
            limit = np.int32(goal - len(self._trials))
            try:
                carry, record = round_step(steps, keys, carry, limit)
                # The first round compiles, which no later one will.
                took = time.perf_counter() - start - (self.seconds.compile - before.compile)
                if not self.comparison.over and self._objective is not None and self._objective.alone is not None:
                    alone = partial(self._host.alone, keys)
                    self.comparison.compare(to_host(record), alone, self.seconds.train - before.train)
            except BaseException:  # Ctrl-C too: an interrupted round gives the user's configurations back
                self._queue.give_back()
                raise
            if not np.any(record.proposal.active):
                break
            self._carry = carry
            done = self._record(record)
            self._host.failures.check_first(self._trials)
            longest = max(longest, took)
            for callback in callbacks:
                callback(self, done)

    @property
    def objective_state(self) -> State:
        """The objective's state after the last finished round; for a Trainer, with the best trial's weights."""
        return None if self._carry is None else self._carry.objective

    # --- inside --------------------------------------------------------------------------------------------------

    def _start(self, *, objective: bool = False) -> tuple[Keys, Carry]:
        if self._keys is None or self._carry is None:
            self._keys, state = self._steps().start(np.uint32(self.seed))
            self._carry = Carry(state, None, Clock(np.int32(0), np.int32(0)))
        if objective and self._carry.objective is None and self._objective is not None:
            begun = time.perf_counter()
            self._carry = self._carry._replace(objective=self._objective.init(self._keys.objective))
            self.seconds.compile += time.perf_counter() - begun  # what takes time in it is tracing programs
        return self._keys, self._carry

    def _steps(self) -> Steps:
        check_switches()  # again, as a switch may be turned on between two rounds
        on_trial = self._on_trial
        if on_trial is None:
            return self._host.steps(None, self._known)

        def record(proposal: Proposal, lane: int, result: LaneResult) -> None:
            seconds = time.perf_counter() - self._begun
            begins = self._trained_from(proposal)[lane]
            on_trial(tables.trial_of(self.space, proposal, lane, result, begins, len(self._metrics), seconds))

        return self._host.steps(record, self._known)

    def _trained_from(self, proposal: Proposal) -> list[int]:
        restarts = self._objective is not None and self._objective.restarts
        return tables.trained_from(proposal, self._trials, restarts=restarts)

    def _record(self, record: Record) -> list[Trial]:
        record = to_host(record)
        seconds = time.perf_counter() - self._begun
        begins = self._trained_from(record.proposal)
        reason = self._host.failures.reason
        done = tables.finished(self.space, record, begins, reason, len(self._metrics), seconds, self._sign)
        self._trials += done
        self._pending = None
        self._queue.done(record.proposal)
        row = {"round": len(self._metrics), "trials": len(self._trials), "seconds": seconds}
        row |= {name: float(value) for name, value in record.metrics.items()}
        self._metrics.append(row | self._host.report)
        if _LOGGER.isEnabledFor(logging.INFO):
            best = tables.best_trial(self._trials, self._sign, self._tie_break)
            found = "no success yet" if best is None else f"best {best.score:.6g} of trial {best.trial}"
            _LOGGER.info("round %d: %d trials after %.1f s, %s", row["round"], row["trials"], seconds, found)
        return done
