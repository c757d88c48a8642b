"""What is called after every round of a study, and callbacks that end one."""

import math
from collections.abc import Callable
from typing import Any, Protocol

from jaxhpo.study.trials import Trial, best_trial


class Running(Protocol):
    """What a callback may know of a study: it is a `Study`."""

    direction: str

    @property
    def finished(self) -> list[Trial]:
        """Return every finished trial, in order."""
        ...

    def stop(self, reason: str) -> None:
        """End the run after the round under way."""
        ...


Callback = Callable[[Any, list[Trial]], Any]
"""Called as `callback(study, trials)` with the trials of the round that has just ended; what it returns is ignored."""


def check_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Return callbacks as a tuple; raise ValueError where they are no list of functions."""
    if callable(callbacks) or isinstance(callbacks, str):
        raise ValueError(f"callbacks={callbacks!r} must be a list; write callbacks=[{callbacks!r}]")
    try:
        each = iter(callbacks)
    except TypeError:
        raise ValueError(f"callbacks={callbacks!r} must be a list of functions of (study, trials)") from None
    found = []
    for callback in each:
        if not callable(callback):  # before the next is made: the list may be long
            raise ValueError(f"callbacks hold {callback!r}, which cannot be called; give functions of (study, trials)")
        found.append(callback)
    return tuple(found)


class StopWhenReached:
    """Callback that ends a study when its incumbent is as good as a score: ``callbacks=[StopWhenReached(0.98)]``.

    Args:
        score: The score that is enough, on validation data, in the study's direction.

    Raises:
        ValueError: if `score` is not a finite number.
    """

    def __init__(self, score: float):
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise ValueError(f"score={score!r} must be a finite number")
        self.score = float(score)

    def __call__(self, study: Running, trials: list[Trial]) -> None:
        """Stop the study where a trial of the round has the score."""
        sign = 1.0 if study.direction == "maximize" else -1.0
        reached = [trial for trial in trials if not trial.failed and sign * trial.score >= sign * self.score]
        if reached:
            study.stop(f"trial {reached[0].trial} reached {self.score:g}")


class StopWhenStalled:
    """Callback that ends a study when many trials have brought no better score: ``callbacks=[StopWhenStalled(50)]``.

    Args:
        trials: How many trials without a new incumbent end the study.

    Raises:
        ValueError: if `trials` is not an integer of at least 1.
    """

    def __init__(self, trials: int):
        if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
            raise ValueError(f"trials={trials!r} must be an integer of at least 1")
        self.trials = trials

    def __call__(self, study: Running, trials: list[Trial]) -> None:
        """Stop the study where the latest trials have not improved on those before them."""
        del trials
        finished = study.finished
        best = best_trial(finished, 1.0 if study.direction == "maximize" else -1.0)
        if best is None:
            return
        since = len(finished) - 1 - finished.index(best)
        if since >= self.trials:
            study.stop(f"{since} {'trial has' if since == 1 else 'trials have'} brought no better score")
