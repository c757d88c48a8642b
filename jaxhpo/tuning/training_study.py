"""A study whose trials are trainings: its winner, the winner's network, test score and final fit."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxhpo.compilation import HostFunction
from jaxhpo.machine.bounds import check_count
from jaxhpo.study import Best, Study, Trial
from jaxhpo.training import Trainer
from jaxhpo.training.final_fit import FinalFit, final_fit
from jaxhpo.training.run.candidates import MOST
from jaxhpo.training.run.state import Weights
from jaxhpo.training.trained.model import Model
from jaxhpo.tuning.correction import CorrectedScores, correct_scores
from jaxhpo.tuning.ensemble import SIZE, Ensemble, Member, choose_members, evaluate_members, level_with
from jaxhpo.types import Algorithm


class TrainingStudy(Study):
    """A study of trainings on a data set, as `tune(data)` returns it.

    The default configuration, `trainer.space.default()`, is one of its trials: trained from the start with the
    trainer's epochs, in the last lane of the algorithm's first round. The algorithm is not told of it. No such trial is
    run if there is no default configuration, or if the algorithm is a grid search.

    Args:
        trainer: Trains the trials, and has the space.
        algorithm: As a factory of `jaxhpo.algorithms` makes it, for the trainer's space.
        options: Further arguments of `Study`.
    """

    def __init__(self, trainer: Trainer, algorithm: Algorithm, **options: Any):
        if not isinstance(trainer, Trainer):
            raise ValueError(f"trainer={trainer!r} must be a jaxhpo.Trainer")
        objective, direction = trainer.objective, trainer.goal.direction
        assert isinstance(objective.evaluate, HostFunction)  # it reports lane by lane
        super().__init__(trainer.space, algorithm, objective, direction=direction, **options)
        self.trainer = trainer
        default = trainer.space.default()
        if default is not None and not algorithm.exhaustive:  # which would have one combination less for its trials
            self._queue.add_default(trainer.space.from_config(default), trainer.epochs)
        self.final: FinalFit | None = None
        """What `final_fit` returned last; None before."""
        self._test: dict[tuple[int, ...], float] = {}  # by the trials that answer together
        self._looks: dict[str, list[tuple[int, ...]]] = {"trial": [], "trials": []}  # of winners, and of ensembles

    @property
    def best(self) -> Best:
        """The best trial so far, with its test score where that was computed.

        Raises:
            ValueError: if no trial has a score.
        """
        best = super().best
        return Best(best.trial, best.config, best.score, self._test.get((best.trial,)))

    @property
    def winner(self) -> Best:
        """The trial that `best_model`, `final_fit`, saving and the test score are of: the best one.

        Raises:
            ValueError: if no trial has a score.
        """
        return self.best

    @property
    def default(self) -> int | None:
        """Id of the trial of the default configuration; None before it was run, and where there is none."""
        return self._queue.default

    def best_model(self) -> Model:
        """Return the winner's network for predictions; after `final_fit`, the first of its networks that is usable.

        With folds or repeats the winner has several networks, which answer together with equal weights.

        Raises:
            ValueError: if no trial has a score, or all trainings of the final fit diverged.
        """
        if self.final is None:
            return self.trainer.model(self._weights())
        for model, score in zip(self.final.models, self.final.test_scores, strict=True):
            if not math.isnan(score):
                return model
        raise ValueError(f"all {len(self.final.models)} trainings of the final fit diverged; tune over lower rates")

    def ensemble(self, size: int = SIZE) -> Model:
        """Return the networks of the best trials, which answer together: the mean of what they predict.

        The best trials are those with the lowest validation losses, with folds out of fold. Their weights fall with the
        loss: exp(-d n / 8) of d above the lowest one, with n validation examples.
        Of trials that continue one another only the best counts. The weights of 32 trials are kept at most.

        Args:
            size: How many trials, at most.

        Raises:
            ValueError: if `size` is not an integer in [2, 32], or there are fewer than two such trials.

        Example:
            >>> import jaxhpo as jh
            >>> study = jh.tune("digits", model="mlp", trials=4, epochs=3, verbose=False)
            >>> study.ensemble().predict(study.trainer.data.x_test[:2]).shape
            (2,)
        """
        chosen = self._members(size)
        return self.trainer.model(*(one.trained for one in chosen), shares=[one.share for one in chosen])

    def evaluate_ensemble(self, size: int = SIZE) -> Ensemble:
        """Return the trials of `ensemble(size)`, and what they reach together on validation examples.

        Args:
            size: How many trials, at most.

        Raises:
            ValueError: as `ensemble` does.
        """
        return evaluate_members(self.trainer, self.objective_state, self._members(size))

    def final_fit(self, seeds: int = 3) -> FinalFit:
        """Train the winner's configuration again on training and validation examples, and score each network.

        There are no validation examples left that could say which epoch is best. So each training makes as many updates
        as the winner's did up to the epoch that counts.

        Args:
            seeds: How many trainings, which differ in their random numbers.

        Returns:
            Every training's test score, their mean and standard error, and the networks; `final` keeps it.

        Raises:
            ValueError: if no trial has a score, or `seeds` is not an integer of at least 1.
        """
        winner = self.winner
        trial = next(trial for trial in self.finished if trial.trial == winner.trial)
        epochs = round(float(np.median(trial.aux.get("checkpoint", trial.budget))))
        self.final = final_fit(self.trainer, winner.config, epochs=epochs, seeds=seeds, seed=self.seed)
        return self.final

    def score_test(self) -> float:
        """Score the winner's network on the test examples, once; return the score.

        Warns if the test examples have scored another trial before: the more winners they have seen, the less the
        score of the last one says.

        Raises:
            ValueError: if no trial has a score.
        """
        weights = self._weights()
        self._score_once("trial", [Member(weights, 1.0)])
        return self._test[weights.trial,]

    def score_ensemble(self, size: int = SIZE) -> float:
        """Score the networks of `ensemble(size)` together on the test examples, once; return the score.

        Warns as `score_test` does, if the test examples have scored another ensemble before.

        Args:
            size: How many trials, at most.

        Raises:
            ValueError: as `ensemble` does.
        """
        chosen = self._members(size)
        self._score_once("trials", chosen)
        return self._test[tuple(one.trained.trial for one in chosen)]

    def level_trials(self) -> list[int]:
        """Return the trials that are level with the winner, in order.

        Their scores are less than one standard error of the paired difference below it: on other validation examples
        they could have won.
        """
        return level_with(self.trainer, self.objective_state, self.winner.trial, self.finished)

    def corrected_scores(self, size: int = SIZE) -> CorrectedScores | None:
        """Return the validation scores of winner and ensemble, corrected for choosing, and their gains.

        The best of many scores is too good. So trials are chosen on 63% of the validation examples, with folds of all,
        and scored on the others; the mean over 192 such parts counts, of large data over fewer. Epochs count as
        candidates, too. A gain is how much better the score is than that of the default configuration.

        Args:
            size: Trials of the ensemble, at most.

        Returns:
            None where the correction is not known: there are fewer than four examples, the outputs of a trial are not
            kept, or the metric has no value for most parts of the examples.

        Raises:
            ValueError: if no trial has a score, or `size` is not an integer in [2, 32].

        Example:
            >>> import jaxhpo as jh
            >>> study = jh.tune("digits", model="mlp", trials=4, epochs=3, verbose=False)
            >>> corrected = study.corrected_scores()
            >>> abs(study.best.score - corrected.optimism - corrected.winner.score) < 1e-6
            True
        """
        check_count("size", size, MOST, least=2)
        try:
            several = len(self._members(size)) > 0
        except ValueError:  # there are fewer than two trainings
            several = False
        how = {"winner": self.winner.trial, "several": several, "default": self.default, "size": size}
        return correct_scores(self.trainer, self.objective_state, self.finished, **how)

    def _score_once(self, kind: str, members: Sequence[Member]) -> None:
        """Score a winner ("trial") or an ensemble ("trials"), of whatever number of trials, unless that is done."""
        trials, before = tuple(one.trained.trial for one in members), self._looks[kind]
        if trials in self._test:
            return
        if before:
            several = ", ".join(f"{kind} {known[0] if kind == 'trial' else known}" for known in before)
            warnings.warn(
                f"this is look {len(before) + 1} at the test examples, which have scored {several} before",
                RuntimeWarning,
                stacklevel=3,
            )
        compiled = self.trainer.test_seconds
        self._test[trials] = self.trainer.score_weights(
            self.objective_state.data, [one.trained for one in members], [one.share for one in members]
        )
        before.append(trials)
        self.seconds.compile += self.trainer.test_seconds - compiled

    def _members(self, size: int) -> tuple[Member, ...]:
        state = self.objective_state
        if state is None:
            raise ValueError("an ensemble needs two trainings or more, and no trial has run; call run first")
        return choose_members(state, self.finished, size)

    def _tie_break(self, trial: Trial) -> float:
        """Return a trial's validation loss after the epoch that counts; inf where it is not known."""
        loss = float(trial.aux.get("checkpoint_loss", math.nan))
        return math.inf if math.isnan(loss) else loss

    def _weights(self) -> Weights:
        """Return the winner's weights; raise ValueError where there are none."""
        winner = self.winner
        weights = self.objective_state.best
        if weights is None or weights.trial != winner.trial:
            raise ValueError(f"the weights of trial {winner.trial} are not here: its result came from elsewhere")
        return weights
