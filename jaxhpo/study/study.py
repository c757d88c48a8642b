"""The Study: rounds of ask, evaluate and tell, and what they found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from jaxhpo.space import Space
from jaxhpo.study import trials as tables
from jaxhpo.study.compiled_round import Host, Queue, Seconds, planned_programs, to_host
from jaxhpo.study.rounds import Carry, Clock, Keys, Record, round_step
from jaxhpo.study.trials import Best, Suggestion, Trial
from jaxhpo.types import Algorithm, Objective, Outcome, Proposal, State

if TYPE_CHECKING:
    import pandas as pd

_SIGNS = {"maximize": 1.0, "minimize": -1.0}


class Winner(Protocol):
    """What the trainer of a study's trials can make of the best one."""

    def model(self) -> Any:
        """Return its network."""
        ...

    def final_fit(self, best: Best, seeds: int) -> Any:
        """Return what training its configuration again gives."""
        ...


OnRound = Callable[["Study", list[Trial], dict[str, float]], None]


def check_timeout(timeout: float | None) -> float | None:
    """Return the timeout; raise ValueError where it is not a number of seconds above 0, or None."""
    number = isinstance(timeout, int | float | np.floating) and not isinstance(timeout, bool)
    if timeout is not None and (not number or math.isnan(timeout) or timeout <= 0):
        raise ValueError(f"timeout={timeout!r} must be a number of seconds above 0, or None")
    return timeout


class Study:
    """A search: an algorithm asks for trials of a space, an objective or the caller scores them.

    Args:
        space: what varies.
        algorithm: as a factory of `jaxhpo.algorithms` makes it, for this space.
        objective: scores trials in `run`; None where the caller does, with `ask` and `tell`.
        seed: an integer in [0, 2**32); with the same plan it fixes every result bit for bit.
        direction: "maximize" or "minimize": what of the scores is better, told ones or an Objective's.

    Raises:
        ValueError: naming the argument that cannot be.
    """

    def __init__(
        self,
        space: Space,
        algorithm: Algorithm,
        objective: Objective | None = None,
        *,
        seed: int = 0,
        direction: str = "maximize",
    ):
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
        if direction not in _SIGNS:
            raise ValueError(f"direction={direction!r} must be 'maximize' or 'minimize'")
        self.space, self.seed, self.direction = space, seed, direction
        self.summary: dict[str, Any] = {}
        """What `tune` reports as JSON: best, trials, seconds, compilations, device, versions, ..."""
        self.final: Any = None
        """What `final_fit` found last."""
        self._winner: Winner | None = None
        self._objective, self._sign = objective, _SIGNS[direction]
        self._algorithm, self._queue = algorithm, Queue()
        self._trials: list[Trial] = []
        self._metrics: list[dict[str, float]] = []
        self._pending: Proposal | None = None
        self._test: dict[int, float] = {}
        self._begun = time.perf_counter()
        key = jax.eval_shape(lambda: jax.random.key(0))
        shape = jax.eval_shape(lambda k: algorithm.ask(k, algorithm.init(k)), key).point.shape
        if len(shape) != 2 or shape[1] != len(space):
            raise ValueError(f"algorithm proposes points of shape {shape}, but the space has {len(space)} dimensions")
        self.lanes: int = shape[0]
        self._host = Host(algorithm, objective, self._sign, self.lanes)
        self._keys: Keys | None = None
        self._carry: Carry | None = None

    def planned_programs(self, trials: int) -> int:
        """Return how many programs `run` of so many trials compiles, beside the objective's.

        They grow with the number of trials only where the algorithm keeps a history, which doubles at 64, 128, ...
        """
        return planned_programs(self._algorithm, trials, self.lanes)

    @property
    def seconds(self) -> Seconds:
        """Where the time went."""
        return self._host.seconds

    # --- what was found ------------------------------------------------------------------------------------------

    @property
    def finished(self) -> list[Trial]:
        """Every finished trial in order, with what the objective said beside the score."""
        return list(self._trials)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: trial, round, lane, source, budget, the hyperparameters, score, state, seconds."""
        return tables.trials_table(self.space, self._trials)

    @property
    def incumbent(self) -> pd.DataFrame:
        """The best score after every trial: columns trial, score, seconds."""
        return tables.incumbent_table(self._trials, self._sign)

    def top(self, count: int = 5) -> pd.DataFrame:
        """Return the rows of the best `count` trials, best first; of equal ones the first."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"count={count!r} must be an integer of at least 1")
        ranked = self.trials.dropna(subset="score")
        return ranked.sort_values("score", ascending=self._sign < 0, kind="stable").head(count)

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a round: round, trials told so far, seconds, and the algorithm's own metrics."""
        import pandas as pd

        return pd.DataFrame(self._metrics)

    @property
    def best(self) -> Best:
        """The best trial so far; raises ValueError while none has a score."""
        found = tables.best_trial(self._trials, self._sign)
        if found is None:
            state = f"all {len(self._trials)} trials failed" if self._trials else "no trial has been told"
            raise ValueError(f"study has no best trial: {state}")
        return Best(found.trial, found.config, found.score, self._test.get(found.trial))

    def __repr__(self) -> str:
        found = tables.best_trial(self._trials, self._sign)
        best = f", best={found.score:.4f} of trial {found.trial}" if found else ""
        return f"Study({len(self._trials)} trials of {', '.join(self.space)}; lanes={self.lanes}{best})"

    # --- ask and tell --------------------------------------------------------------------------------------------

    def enqueue(self, config: Mapping[str, Any], *, budget: int | None = None) -> None:
        """Have a configuration evaluated before the algorithm's next ones; `budget` None is what it would give."""
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 1):
            raise ValueError(f"budget={budget!r} must be an integer of at least 1, or None")
        self._queue.add(self.space.from_config(config), budget)

    def ask(self) -> list[Suggestion]:
        """Return the next batch, at most `lanes` trials; the same one until it is told. Empty: nothing is left."""
        if self._pending is None:
            steps = self._host.steps(self._queue)
            keys, carry = self._start()
            limit = np.int32(self.lanes)
            self._pending = to_host(steps.propose(keys, carry.algorithm, carry.clock, limit))
        return tables.suggestions(self.space, self._pending)

    def tell(self, scores: Sequence[float] | Mapping[int, float]) -> list[Trial]:
        """Tell the scores of the batch that `ask` returned, in its order or by trial; nan = failed."""
        if self._pending is None:
            raise ValueError("tell needs a batch; call ask first")
        asked = tables.suggestions(self.space, self._pending)
        if isinstance(scores, Mapping):
            if set(scores) != {s.trial for s in asked}:
                raise ValueError(f"scores name trials {sorted(scores)}; ask returned {[s.trial for s in asked]}")
            scores = [scores[s.trial] for s in asked]
        values = np.asarray(scores)
        if values.shape != (len(asked),) or values.dtype.kind not in "iuf":
            raise ValueError(f"scores={scores!r} must be {len(asked)} numbers, one for each trial that ask returned")
        score = np.full(self.lanes, np.nan, np.float32)
        score[self._pending.active] = self._sign * values
        keys, carry = self._start()
        told = self._pending, Outcome(score, {})
        state, clock, outcome, metrics = self._host.observe_told(keys, carry.algorithm, carry.clock, *told)
        self._carry = Carry(state, carry.objective, clock)
        return self._record(Record(self._pending, outcome, metrics))

    # --- what was trained ----------------------------------------------------------------------------------------

    def offer(self, winner: Winner) -> None:
        """Say what can be made of the best trial; `tune` does."""
        self._winner = winner

    def best_model(self) -> Any:
        """Return the best trial's network for predictions, a `jaxhpo.Model`; after `final_fit`, the first of its.

        The first that did not diverge, that is. Raises ValueError where the study trained no networks, or none that
        has a score.
        """
        if self.final is None:
            return self._made().model()
        trained = zip(self.final.models, self.final.test_scores, strict=True)
        for model, score in trained:
            if not math.isnan(score):
                return model
        raise ValueError(f"all {len(self.final.models)} trainings of the final fit diverged; tune over lower rates")

    def final_fit(self, seeds: int = 3) -> Any:
        """Train the best configuration on training and validation examples from several seeds: a `jaxhpo.FinalFit`.

        It holds every training's test score, their mean and standard error, and the networks; `final` keeps it.
        Raises ValueError as `best_model` does, or where `seeds` is not an integer of at least 1.
        """
        self.final = self._made().final_fit(self.best, seeds)
        return self.final

    def _made(self) -> Winner:
        if self._winner is None:
            raise ValueError("study has no networks: its scores were told, or are of functions; use jaxhpo.tune(data)")
        _ = self.best  # raises while no trial has a score
        return self._winner

    # --- run -----------------------------------------------------------------------------------------------------

    def run(self, trials: int, *, timeout: float | None = None, on_round: OnRound | None = None) -> Study:
        """Run `trials` more trials with the objective; return the study.

        Ends before that where the algorithm has nothing left to propose, or where the next round, taking as long as
        the longest so far, would end after `timeout` seconds; one round always runs. `on_round` is called after
        every round with the study, the round's trials and the algorithm's metrics. Whatever ends the run early,
        finished rounds stay.
        """
        if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
            raise ValueError(f"trials={trials!r} must be an integer of at least 1")
        check_timeout(timeout)
        if self._objective is None:
            raise ValueError("run needs an objective; give Study one, or use ask and tell")
        if self._pending is not None:
            raise ValueError("run needs every asked batch told; call tell first")
        begun, goal, longest = time.perf_counter(), len(self._trials) + trials, 0.0
        steps = self._host.steps(self._queue)
        while len(self._trials) < goal:
            start, compiling = time.perf_counter(), self.seconds.compile
            if timeout is not None and longest and start - begun + longest > timeout:
                break
            keys, carry = self._start(objective=True)
            limit = np.int32(goal - len(self._trials))
            try:
                carry, record = round_step(steps, keys, carry, limit)
            except BaseException:  # Ctrl-C too: an interrupted round gives the user's configurations back
                self._queue.give_back()
                raise
            if not np.any(record.proposal.active):
                break
            self._carry = carry
            done = self._record(record)
            # The first round compiles, which no later one will.
            longest = max(longest, time.perf_counter() - start - (self.seconds.compile - compiling))
            if on_round is not None:
                on_round(self, done, self._metrics[-1])
        return self

    @property
    def objective_state(self) -> State:
        """The objective's state after the last finished round; for a Trainer, with the best trial's weights."""
        return None if self._carry is None else self._carry.objective

    def record_test(self, trial: int, score: float) -> None:
        """Note the test score of a trial, for `best.test_score`."""
        self._test[trial] = float(score)

    # --- inside --------------------------------------------------------------------------------------------------

    def _start(self, *, objective: bool = False) -> tuple[Keys, Carry]:
        if self._keys is None or self._carry is None:
            self._keys, state = self._host.steps(self._queue).start(np.uint32(self.seed))
            self._carry = Carry(state, None, Clock(np.int32(0), np.int32(0)))
        if objective and self._carry.objective is None and self._objective is not None:
            begun = time.perf_counter()
            self._carry = self._carry._replace(objective=self._objective.init(self._keys.objective))
            self.seconds.compile += time.perf_counter() - begun  # what takes time in it is tracing programs
        return self._keys, self._carry

    def _record(self, record: Record) -> list[Trial]:
        record = to_host(record)
        seconds = time.perf_counter() - self._begun
        done = tables.finished(self.space, record, len(self._metrics), seconds, self._sign)
        self._trials += done
        self._pending = None
        self._queue.done()
        row = {"round": len(self._metrics), "trials": len(self._trials), "seconds": seconds}
        row |= {name: float(value) for name, value in record.metrics.items()}
        self._metrics.append(row | self._host.report)
        return done
