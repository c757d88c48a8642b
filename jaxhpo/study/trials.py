"""The results of a study: trials, the best trial, tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhpo.space import Choice, Dimension, Int, Space, describe
from jaxhpo.study.rounds import Record
from jaxhpo.types import LaneResult, Proposal

if TYPE_CHECKING:
    import pandas as pd

BEFORE = ("trial", "round", "lane", "source", "budget", "trained_from")
AFTER = ("score", "state", "reason", "seconds")
RESERVED = (*BEFORE, *AFTER)
"""Columns of the table of trials other than the hyperparameters."""

_DTYPES = {int: ("int64", "Int64"), float: ("float64", "Float64"), bool: ("bool", "boolean"), str: ("str", "string")}
_OBJECTS = ("object", "object")
_NOT_FINITE = "the score is not finite"
_FEWEST = 2  # trials that have to fail alike to end a study; one alone may have a configuration that cannot work


@dataclass(frozen=True)
class Suggestion:
    """A configuration that the study wants evaluated; `Study.ask` returns them.

    Attributes:
        trial: Id of the trial.
        config: Hyperparameter values by name, without inactive hyperparameters.
        budget: Total budget to train to, in units of the objective such as epochs. It includes the budget that the
            `source` trial has already spent.
        source: Id of the trial whose training to continue, or -1 to train from the start.
    """

    trial: int
    config: dict[str, Any]
    budget: int
    source: int


@dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes:
        trial: Id of the trial: 0, 1, 2, ...
        config: Hyperparameter values by name, without inactive hyperparameters.
        score: Score in the direction of the objective; nan if the trial failed.
        budget: Total budget that the configuration was trained for, that of continued trials included.
        source: Id of the trial that it continues, or -1 if there is none.
        round: Index of the round in which it was evaluated, from 0.
        lane: Index of its lane in the round, from 0.
        seconds: Time from the study's start to the end of the trial's round, in seconds.
        point: The configuration as a point of the unit cube: [D] float32.
        aux: Further results of the objective by name, such as a learning curve.
        trained_from: Budget from which it was trained: that of its source, or 0 if it was trained from the start. A
            function of the user's is trained from the start even if the trial continues another one.
        reason: Why it failed, such as an exception with its file and line; None if it did not.
        standard_error: Standard error of the score, in units of the score; nan if the trial failed, or if it is not
            known.
    """

    trial: int
    config: dict[str, Any]
    score: float
    budget: int
    source: int
    round: int
    lane: int
    seconds: float
    point: np.ndarray = field(repr=False)
    aux: dict[str, np.ndarray] = field(repr=False)
    trained_from: int = 0
    reason: str | None = None
    standard_error: float = math.nan

    @property
    def failed(self) -> bool:
        """Whether the trial has no score."""
        return math.isnan(self.score)


@dataclass(frozen=True)
class Best:
    """The best trial of a study; the earliest one if several have the same score.

    Attributes:
        trial: Id of the trial.
        config: Hyperparameter values by name, without inactive hyperparameters.
        score: Score in the direction of the objective.
        test_score: Score on the test data, computed once, for this trial only; None if it was not computed.
    """

    trial: int
    config: dict[str, Any]
    score: float
    test_score: float | None = None

    def __repr__(self) -> str:
        """Return a short text with scores to four decimals."""
        test = "" if self.test_score is None else f", test_score={self.test_score:.4f}"
        return f"Best(trial={self.trial}, score={self.score:.4f}{test}: {describe(self.config)})"


def suggestions(space: Space, proposal: Proposal) -> list[Suggestion]:
    """Return the active lanes of a proposal of NumPy arrays."""
    return [
        Suggestion(
            int(proposal.trial[lane]),
            space.to_config(proposal.point[lane]),
            int(proposal.budget[lane]),
            int(proposal.source[lane]),
        )
        for lane in np.flatnonzero(proposal.active)
    ]


def read_scores(asked: Sequence[Suggestion], scores: Sequence[float] | Mapping[int, float]) -> np.ndarray:
    """Return the scores of asked trials, in their order: [N].

    Raises:
        ValueError: if a score is missing or is no number.
    """
    if isinstance(scores, Mapping):
        if set(scores) != {s.trial for s in asked}:
            raise ValueError(f"scores name trials {sorted(scores)}; ask returned {[s.trial for s in asked]}")
        scores = [scores[s.trial] for s in asked]
    values = np.asarray(scores)
    if values.shape != (len(asked),) or values.dtype.kind not in "iuf":
        raise ValueError(f"scores={scores!r} must be {len(asked)} numbers, one for each trial that ask returned")
    return values


def trial_of(
    space: Space, proposal: Proposal, lane: int, result: LaneResult, trained_from: int, round_: int, seconds: float
) -> Trial:
    """Return the trial of one active lane of a round (NumPy arrays).

    A score that is not finite is nan. So is a standard error that is not finite or negative, or that of such a score.
    """
    failed = not math.isfinite(result.score)
    known = not failed and math.isfinite(result.standard_error) and result.standard_error >= 0
    return Trial(
        trial=int(proposal.trial[lane]),
        config=space.to_config(proposal.point[lane]),
        score=math.nan if failed else float(result.score),
        budget=int(proposal.budget[lane]),
        source=int(proposal.source[lane]),
        round=round_,
        lane=lane,
        seconds=seconds,
        point=np.asarray(proposal.point[lane]),
        aux=result.aux,
        trained_from=trained_from,
        reason=result.reason or _NOT_FINITE if failed else None,
        standard_error=float(result.standard_error) if known else math.nan,
    )


def trained_from(proposal: Proposal, trials: Sequence[Trial], *, restarts: bool) -> list[int]:
    """Return the budget from which each lane of a round (NumPy arrays) is trained.

    Args:
        proposal: The round.
        trials: The trials told before it.
        restarts: Whether every trial is trained from its start.
    """
    return [0 if restarts or source < 0 else trials[source].budget for source in proposal.source.tolist()]


def computed_and_asked(trials: Sequence[Trial]) -> tuple[int, int]:
    """Return how much budget the trials of a study took, and how much if each had continued its source."""
    computed = sum(t.budget - t.trained_from for t in trials)
    return computed, sum(t.budget - (trials[t.source].budget if t.source >= 0 else 0) for t in trials)


def finished(
    space: Space,
    record: Record,
    begins: Sequence[int],
    reason: Callable[[int], str | None],
    round_: int,
    seconds: float,
    sign: float,
) -> list[Trial]:
    """Return the trials of one told round.

    Args:
        space: The search space.
        record: The round, as NumPy arrays.
        begins: Budget from which each lane was trained.
        reason: Returns why a trial failed, or None if that is not known.
        round_: Index of the round.
        seconds: Time since the study's start.
        sign: -1 if lower scores of the objective are better, else 1.
    """
    proposal, outcome = record.proposal, record.outcome
    found = []
    for lane in np.flatnonzero(proposal.active).tolist():
        aux = {name: np.asarray(value[lane]) for name, value in outcome.aux.items()}
        result = LaneResult(
            sign * float(outcome.score[lane]),
            aux,
            reason(int(proposal.trial[lane])),
            standard_error=float(outcome.standard_error[lane]),
        )
        found.append(trial_of(space, proposal, lane, result, begins[lane], round_, seconds))
    return found


def trials_table(space: Space, trials: Iterable[Trial]) -> pd.DataFrame:
    """Return one row per trial: the RESERVED columns, and one column per hyperparameter in the order of the space.

    Values are as they were told. That of an inactive hyperparameter is `pd.NA`, which no option of a Choice is: the
    option None stays None. The dtypes follow from the space alone. A hyperparameter without a condition has int64,
    float64, bool or str; one with a condition the dtype of the same kind that holds `pd.NA`, such as Int64. A Choice
    whose options are of several kinds has object.
    """
    import pandas as pd  # a third of a second

    done = list(trials)
    before = {name: [getattr(t, name) for t in done] for name in BEFORE}
    values = {
        name: pd.Series([t.config.get(name, pd.NA) for t in done], dtype=_dtype(dimension), index=range(len(done)))
        for name, dimension in space.items()
    }
    state = ["failed" if t.failed else "complete" for t in done]
    after = {"score": [t.score for t in done], "state": state, "reason": [t.reason for t in done]}
    after |= {"seconds": [t.seconds for t in done]}
    return pd.DataFrame(before | values | after)


def _dtype(dimension: Dimension) -> str:
    """Return pandas' dtype of a column of a dimension's values."""
    if not isinstance(dimension, Choice):
        kinds = {int if isinstance(dimension, Int) else float}
    else:
        kinds = {type(option) for option in dimension.options}
        kinds = {float} if kinds == {int, float} else kinds
    plain, nullable = _DTYPES.get(kinds.pop(), _OBJECTS) if len(kinds) == 1 else _OBJECTS
    return plain if dimension.when is None else nullable


def incumbent_table(trials: Sequence[Trial], sign: float) -> pd.DataFrame:
    """Return the incumbent after every trial: columns trial, score (nan before the first success) and seconds."""
    import pandas as pd

    scores = np.array([t.score for t in trials], float)
    best = sign * np.fmax.accumulate(sign * scores) if len(scores) else scores
    return pd.DataFrame({"trial": [t.trial for t in trials], "score": best, "seconds": [t.seconds for t in trials]})


def no_tie_break(trial: Trial) -> float:
    """Return 0: equal scores are parted by the order of trials alone."""
    del trial
    return 0.0


def ranked_trials(
    trials: Iterable[Trial], sign: float, tie_break: Callable[[Trial], float] = no_tie_break
) -> list[Trial]:
    """Return the trials that have a score, best first.

    Of equal scores that with the lower `tie_break` comes first, then the earlier one.
    """
    return sorted((t for t in trials if not t.failed), key=lambda t: (-sign * t.score, tie_break(t), t.trial))


def best_trial(
    trials: Iterable[Trial], sign: float, tie_break: Callable[[Trial], float] = no_tie_break
) -> Trial | None:
    """Return the first of `ranked_trials`; None if no trial has a score."""
    scored = (t for t in trials if not t.failed)
    return min(scored, key=lambda t: (-sign * t.score, tie_break(t), t.trial), default=None)


class Failures:
    """The failures of a study's trials, as the objective reports them."""

    def __init__(self) -> None:
        self._results: dict[int, LaneResult] = {}
        self._over = False

    def record(self, trial: int, result: LaneResult) -> None:
        """Keep why a trial failed, if it did."""
        if result.reason is not None:
            self._results[trial] = result

    def reason(self, trial: int) -> str | None:
        """Return why a trial failed; None if the objective has not said it."""
        return self._results[trial].reason if trial in self._results else None

    def check_first(self, trials: Sequence[Trial]) -> None:
        """Raise ValueError if all trials of the first round failed by the same exception.

        Args:
            trials: All finished trials. A first round of one trial waits for the second.
        """
        if self._over or len(trials) < _FEWEST:
            return
        self._over = True
        found = [self._results[trial.trial] for trial in trials if trial.trial in self._results]
        exceptions = {result.exception for result in found}
        if len(found) == len(trials) and len(exceptions) == 1 and None not in exceptions:
            raise ValueError(
                f"objective fails in all of the first {len(trials)} trials in the same way, {found[0].reason}; "
                "mend it, or the space if no configuration of it can work"
            )
