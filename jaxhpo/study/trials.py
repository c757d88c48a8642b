"""What a study has learned, as people read it: trials, the best one, tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhpo.space import Space, describe
from jaxhpo.study.rounds import Record
from jaxhpo.types import LaneResult, Proposal

if TYPE_CHECKING:
    import pandas as pd

BEFORE = ("trial", "round", "lane", "source", "budget")
AFTER = ("score", "state", "seconds")
RESERVED = (*BEFORE, *AFTER)
"""Columns of the table of trials that are not hyperparameters."""


@dataclass(frozen=True)
class Suggestion:
    """A configuration that the study wants evaluated."""

    trial: int
    config: dict[str, Any]
    budget: int  # total budget to reach
    source: int  # trial whose training to continue, -1 = start fresh


@dataclass(frozen=True)
class Trial:
    """One finished evaluation."""

    trial: int
    config: dict[str, Any]
    score: float  # nan where it failed
    budget: int
    source: int
    round: int
    lane: int
    seconds: float  # since the study's start, when its round ended
    point: np.ndarray = field(repr=False)  # [D] float32: the configuration in the unit cube
    aux: dict[str, np.ndarray] = field(repr=False)  # what the objective said beside the score

    @property
    def failed(self) -> bool:
        """Whether the evaluation gave no score."""
        return math.isnan(self.score)


@dataclass(frozen=True)
class Best:
    """The incumbent: the trial with the best score so far, the first of them where several are equal."""

    trial: int
    config: dict[str, Any]
    score: float
    test_score: float | None = None  # scored once, for the winner, where there is a test split

    def __repr__(self) -> str:
        """Return the scores to four digits, and no more of a number than float32 has."""
        test = "" if self.test_score is None else f", test_score={self.test_score:.4f}"
        return f"Best(trial={self.trial}, score={self.score:.4f}{test}: {describe(self.config)})"


def suggestions(space: Space, proposal: Proposal) -> list[Suggestion]:
    """Return the active rows of a proposal (NumPy arrays)."""
    return [
        Suggestion(
            int(proposal.trial[lane]),
            space.to_config(proposal.point[lane]),
            int(proposal.budget[lane]),
            int(proposal.source[lane]),
        )
        for lane in np.flatnonzero(proposal.active)
    ]


def trial_of(space: Space, proposal: Proposal, lane: int, result: LaneResult, round_: int, seconds: float) -> Trial:
    """Return the trial of one active lane of a round (NumPy arrays); a score that is not finite is nan."""
    return Trial(
        trial=int(proposal.trial[lane]),
        config=space.to_config(proposal.point[lane]),
        score=float(result.score) if math.isfinite(result.score) else math.nan,
        budget=int(proposal.budget[lane]),
        source=int(proposal.source[lane]),
        round=round_,
        lane=lane,
        seconds=seconds,
        point=np.asarray(proposal.point[lane]),
        aux=result.aux,
    )


def finished(space: Space, record: Record, round_: int, seconds: float, sign: float) -> list[Trial]:
    """Return the trials of one told round (NumPy arrays); `sign` turns scores into the user's direction."""
    proposal, outcome = record.proposal, record.outcome
    found = []
    for lane in np.flatnonzero(proposal.active).tolist():
        aux = {name: np.asarray(value[lane]) for name, value in outcome.aux.items()}
        result = LaneResult(sign * float(outcome.score[lane]), aux)
        found.append(trial_of(space, proposal, lane, result, round_, seconds))
    return found


def trials_table(space: Space, trials: Iterable[Trial]) -> pd.DataFrame:
    """Return one row a trial: RESERVED columns and one a hyperparameter, in the space's order.

    An inactive hyperparameter is missing: NaN in a column of numbers.
    """
    import pandas as pd  # a third of a second

    rows = [
        [t.trial, t.round, t.lane, t.source, t.budget]
        + [t.config.get(name) for name in space]
        + [t.score, "failed" if t.failed else "complete", t.seconds]
        for t in trials
    ]
    return pd.DataFrame(rows, columns=[*BEFORE, *space, *AFTER])


def incumbent_table(trials: Sequence[Trial], sign: float) -> pd.DataFrame:
    """Return the best score after every trial: columns trial, score (nan before the first success), seconds."""
    import pandas as pd

    scores = np.array([t.score for t in trials], float)
    best = sign * np.fmax.accumulate(sign * scores) if len(scores) else scores
    return pd.DataFrame({"trial": [t.trial for t in trials], "score": best, "seconds": [t.seconds for t in trials]})


def best_trial(trials: Iterable[Trial], sign: float) -> Trial | None:
    """Return the first trial with the best score; None where none has one."""
    return max((t for t in trials if not t.failed), key=lambda t: (sign * t.score, -t.trial), default=None)
