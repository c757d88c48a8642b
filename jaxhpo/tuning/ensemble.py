"""Which trials answer together: those with the lowest losses on examples that they did not train on."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxhpo.machine.bounds import check_count
from jaxhpo.study import Trial
from jaxhpo.training import Trainer
from jaxhpo.training.goal.averaging import average
from jaxhpo.training.goal.resampling import error_of
from jaxhpo.training.run.candidates import MOST
from jaxhpo.training.run.placement import validation_targets
from jaxhpo.training.run.state import TrainerState, Weights

SIZE = 10
"""Trials of an ensemble. Fewer gain less, and more gain hardly more (Lakshminarayanan et al. 2017)."""


class Ensemble(NamedTuple):
    """Trials that answer together, with equal weights.

    Attributes:
        members: The networks of each trial, that of the lowest validation loss first.
        score: Validation score of the mean outputs.
        standard_error: Its standard error over the examples.
        loss: Validation loss of the mean outputs.
        test_score: Test score of the mean outputs, computed once; None if it was not computed.
    """

    members: tuple[Weights, ...]
    score: float
    standard_error: float
    loss: float
    test_score: float | None = None

    @property
    def trials(self) -> tuple[int, ...]:
        """Ids of the trials."""
        return tuple(one.trial for one in self.members)

    @property
    def weights(self) -> tuple[float, ...]:
        """Share of each trial."""
        return (1 / len(self.members),) * len(self.members)

    @property
    def networks(self) -> int:
        """Number of networks."""
        return sum(len(one.networks) for one in self.members)


def choose_members(state: TrainerState, finished: Sequence[Trial], size: int = SIZE) -> tuple[Weights, ...]:
    """Return the networks of the trials with the lowest validation losses, lowest first.

    Of trials that continue one another, only the best is among them: they are one training.

    Args:
        state: State of the study's trainer.
        finished: Trials of the study, in order.
        size: How many, at most.

    Raises:
        ValueError: if `size` is not an integer in [2, 32], or there are fewer than two such trials.
    """
    check_count("size", size, MOST, least=2)
    chosen: dict[int, Weights] = {}
    for one in state.candidates:
        if one.trial in state.outputs:
            chosen.setdefault(_root(finished, one.trial), one)
    members = tuple(chosen.values())[:size]
    if len(members) < 2:
        there = "1 trial" if members else "no trial"
        raise ValueError(
            f"an ensemble needs two trainings or more, and the weights of {there} are here; run more trials"
        )
    return members


def evaluate_members(trainer: Trainer, state: TrainerState, members: tuple[Weights, ...]) -> Ensemble:
    """Return the ensemble of some trials, with what it reaches on the examples that none of them trained on."""
    share = [1 / len(members)] * len(members)
    outputs = average([state.outputs[one.trial] for one in members], share, trainer.layout.averages)
    y = validation_targets(state.data)
    score, scores = trainer.scores.resampled([outputs], y)
    return Ensemble(members, score, error_of(scores), trainer.scores.loss(state.data, outputs, y))


def level_with(trainer: Trainer, state: TrainerState, winner: int, trials: Sequence[int]) -> list[int]:
    """Return the trials whose score is less than one standard error of the difference below the winner's.

    The difference is paired: both are scored on the same resamplings of the examples.

    Args:
        trainer: Trainer of the study.
        state: Its state.
        winner: Id of the winner.
        trials: Ids of the trials to compare with it; those whose outputs are not kept are left out.
    """
    if winner not in state.outputs:
        return []
    y = validation_targets(state.data)
    best, best_scores = trainer.scores.resampled([state.outputs[winner]], y)
    found = []
    for trial in trials:
        if trial == winner or trial not in state.outputs:
            continue
        score, scores = trainer.scores.resampled([state.outputs[trial]], y)
        error = error_of(best_scores - scores)
        if trainer.goal.sign * (best - score) <= (0 if math.isnan(error) else error):
            found.append(trial)
    return found


def _root(finished: Sequence[Trial], trial: int) -> int:
    """Return the first trial of a chain of continued ones."""
    while finished[trial].source >= 0:
        trial = finished[trial].source
    return trial
