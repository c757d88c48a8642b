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

_TEMPERATURE, _LEAST = 8.0, 1e-3

SIZE = 10
"""Trials of an ensemble. Fewer gain less, and more gain hardly more (Lakshminarayanan et al. 2017)."""


class Member(NamedTuple):
    """A trial of an ensemble.

    Attributes:
        trained: Its networks.
        share: Its weight; those of all members have the sum 1.
    """

    trained: Weights
    share: float

    def __repr__(self) -> str:
        """Return a short text, without the weights of the networks."""
        return f"Member(trial={self.trained.trial}, share={self.share:.4f})"


class Ensemble(NamedTuple):
    """Trials that answer together.

    Attributes:
        members: The trials, that of the lowest validation loss first.
        score: Validation score of the mean outputs.
        standard_error: Its standard error over the examples.
        loss: Validation loss of the mean outputs.
        test_score: Test score of the mean outputs, computed once; None if it was not computed.
    """

    members: tuple[Member, ...]
    score: float
    standard_error: float
    loss: float
    test_score: float | None = None

    def __repr__(self) -> str:
        """Return a short text, without the weights of the networks."""
        trials = ", ".join(map(str, self.trials))
        return f"Ensemble(trials {trials}: score={self.score:.4f}, loss={self.loss:.4f})"

    @property
    def trials(self) -> tuple[int, ...]:
        """Ids of the trials."""
        return tuple(one.trained.trial for one in self.members)


def choose_members(state: TrainerState, finished: Sequence[Trial], size: int = SIZE) -> tuple[Member, ...]:
    """Return the trials with the lowest validation losses, lowest first.

    The weight of a trial is exp(-d n / 8), where d is how much its loss is above the lowest, and n the number of
    examples of the loss; those with a thousandth of the largest or less are left out. Of trials that continue one
    another, only the best is among them: they are one training.

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
            chosen.setdefault(root_of(finished, one.trial), one)
    best = list(chosen.values())[:size]
    if len(best) < 2:
        there = "1 trial" if best else "no trial"
        raise ValueError(
            f"an ensemble needs two trainings or more, and the weights of {there} are here; run more trials"
        )
    shares = shares_of([one.loss for one in best], len(validation_targets(state.data)))
    return tuple(Member(one, share) for one, share in zip(best, shares, strict=False))


def shares_of(losses: Sequence[float], examples: int) -> list[float]:
    """Return the weights of trials that answer together, of the first ones only where others are too small.

    Args:
        losses: Their losses, lowest first.
        examples: Number of examples of the losses.
    """
    raw = [math.exp(-(loss - losses[0]) * examples / _TEMPERATURE) for loss in losses]
    raw = [share for share in raw if share > _LEAST]
    return [share / sum(raw) for share in raw]


def evaluate_members(trainer: Trainer, state: TrainerState, members: tuple[Member, ...]) -> Ensemble:
    """Return the ensemble of some trials, with what it reaches on the examples that none of them trained on."""
    several = [state.outputs[one.trained.trial] for one in members]
    outputs = average(several, [one.share for one in members], trainer.layout.averages)
    y = validation_targets(state.data)
    score, scores = trainer.scores.resampled([outputs], y)
    return Ensemble(members, score, error_of(scores), trainer.scores.loss(state.data, outputs, y))


def level_with(trainer: Trainer, state: TrainerState, winner: int, finished: Sequence[Trial]) -> list[int]:
    """Return the trials whose score is less than one standard error of the difference below the winner's.

    The difference is paired: both are scored on the same resamplings of the examples. A trial that is more than three
    standard errors of the winner's score below it is none of them.

    Args:
        trainer: Trainer of the study.
        state: Its state.
        winner: Id of the winner.
        finished: Trials of the study, in order; those whose outputs are not kept are left out.
    """
    if winner not in state.outputs:
        return []
    sign = trainer.goal.sign
    y = validation_targets(state.data)
    best, best_scores = trainer.scores.resampled([state.outputs[winner]], y)
    most = 3 * error_of(best_scores)
    found = []
    for trial in finished:
        number = trial.trial
        if number == winner or number not in state.outputs or sign * (finished[winner].score - trial.score) > most:
            continue
        score, scores = trainer.scores.resampled([state.outputs[number]], y)
        error = error_of(best_scores - scores)
        if sign * (best - score) <= (0 if math.isnan(error) else error):
            found.append(number)
    return found


def root_of(finished: Sequence[Trial], trial: int) -> int:
    """Return the first trial of a chain of continued ones."""
    while finished[trial].source >= 0:
        trial = finished[trial].source
    return trial
