"""A study whose trials are trainings: its winner, the winner's network, test score and final fit."""

import math
import warnings
from typing import Any

from jaxhpo.compilation import HostFunction
from jaxhpo.study import Best, Study, Trial
from jaxhpo.training import Trainer
from jaxhpo.training.final_fit import FinalFit, final_fit
from jaxhpo.training.run.state import Weights
from jaxhpo.training.trained.model import Model
from jaxhpo.types import Algorithm


class TrainingStudy(Study):
    """A study of trainings on a data set, as `tune(data)` returns it.

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
        self.final: FinalFit | None = None
        """What `final_fit` returned last; None before."""
        self._test: dict[int, float] = {}

    @property
    def best(self) -> Best:
        """The best trial so far, with its test score where that was computed.

        Raises:
            ValueError: if no trial has a score.
        """
        best = super().best
        return Best(best.trial, best.config, best.score, self._test.get(best.trial))

    @property
    def winner(self) -> Best:
        """The trial that `best_model`, `final_fit`, saving and the test score are of: the best one.

        Raises:
            ValueError: if no trial has a score.
        """
        return self.best

    def best_model(self) -> Model:
        """Return the winner's network for predictions; after `final_fit`, the first of its networks that is usable.

        Raises:
            ValueError: if no trial has a score, or all trainings of the final fit diverged.
        """
        if self.final is None:
            return self.trainer.model(self._weights())
        for model, score in zip(self.final.models, self.final.test_scores, strict=True):
            if not math.isnan(score):
                return model
        raise ValueError(f"all {len(self.final.models)} trainings of the final fit diverged; tune over lower rates")

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
        epochs = int(trial.aux.get("checkpoint", trial.budget))
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
        if weights.trial not in self._test:
            if self._test:
                warnings.warn(
                    f"this is look {len(self._test) + 1} at the test examples, which have scored "
                    f"{', '.join(f'trial {trial}' for trial in self._test)} before",
                    RuntimeWarning,
                    stacklevel=2,
                )
            compiled = self.trainer.test_seconds
            self._test[weights.trial] = self.trainer.score_test(self.objective_state)
            self.seconds.compile += self.trainer.test_seconds - compiled
        return self._test[weights.trial]

    def _tie_break(self, trial: Trial) -> float:
        """Return a trial's validation loss after the epoch that counts; inf where it is not known."""
        losses, checkpoint = trial.aux.get("validation_loss"), int(trial.aux.get("checkpoint", 0))
        return math.inf if losses is None or checkpoint < 1 else float(losses[checkpoint - 1])

    def _weights(self) -> Weights:
        """Return the winner's weights; raise ValueError where there are none."""
        winner = self.winner
        weights = self.objective_state.best
        if weights is None or weights.trial != winner.trial:
            raise ValueError(f"the weights of trial {winner.trial} are not here: its result came from elsewhere")
        return weights
