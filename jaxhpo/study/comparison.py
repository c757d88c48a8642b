"""The first trials of a study computed again, each alone: a lane's result must not depend on the other lanes."""

import math
import warnings
from collections.abc import Callable, Collection
from typing import Any

import jax
import numpy as np

from jaxhpo.space import Float, Space
from jaxhpo.study.rounds import Record
from jaxhpo.types import Proposal

_COMPARED = 2  # trials of the first round
_LONGEST = 30.0  # seconds of a first round, above which nothing is computed again
_ROUNDING = 1e-3  # relative difference that rounding explains in most computations
_GROSS = 0.05  # relative difference above which a fault ends the study, where it is one
_NUDGE = 1e-6  # of the unit range of a Float: some times the rounding of float32
_ANOTHER = 2**20  # added to the number of a trial, it gives another random key

_SAME, _SENSITIVE, _UNKNOWN, _FAULT = "same", "sensitive to rounding", "unknown", "fault"

Alone = Callable[[Proposal, int], float]
"""Returns the score of one lane of a proposal, computed by itself."""


class Comparison:
    """Compares the scores of a round with those of the same trials, each computed alone.

    Two programs of the same function round differently, and a training can make much of that. So where scores differ,
    the trial is computed alone some more times, with its Float hyperparameters changed by some times the rounding of
    float32 (or with other random keys if it has no Float). If that changes the score too, the function is sensitive to
    rounding, and the difference says nothing. If it does not, the difference is a fault. It ends the study if it is in
    all compared trials and above 5% of the score; otherwise a warning says it.

    Args:
        space: Search space.
        sign: -1 if lower scores of the objective are better, else 1.
        known: Trials whose results the objective did not compute.
    """

    def __init__(self, space: Space, sign: float, known: Collection[int] = ()):
        self._space, self._sign, self._known = space, sign, known
        self.over = False
        """Whether a first round was seen, so that nothing is compared any more."""
        self.result: dict[str, Any] | None = None
        """Trials, their scores in the round and alone, and what follows; None before, or if nothing was compared."""

    def compare(self, record: Record, alone: Alone, seconds: float) -> None:
        """Compare two trials of the first round, unless the round took more than half a minute.

        Args:
            record: A round, as NumPy arrays; of a later one nothing is compared.
            alone: Computes one lane by itself.
            seconds: Time that the round took to evaluate.

        Raises:
            ValueError: if the scores differ by more than rounding explains, or are not the same when computed again.
        """
        proposal = record.proposal
        lanes = [lane for lane in np.flatnonzero(proposal.active).tolist() if proposal.trial[lane] not in self._known]
        if self.over or not lanes:
            return
        self.over = True
        if seconds > _LONGEST:
            return
        lanes = lanes[:_COMPARED]
        together, single, verdicts = [self._sign * float(record.outcome.score[lane]) for lane in lanes], [], []
        for lane, found in zip(lanes, together, strict=True):
            single.append(alone(proposal, lane))
            verdicts.append(self._judge(proposal, lane, found, single[-1], alone))
        trials = [int(proposal.trial[lane]) for lane in lanes]
        self.result = {"trials": trials, "scores": together, "alone": single, "verdicts": verdicts}
        pairs = [
            f"trial {trial} with {a:.6g} in its round and {b:.6g} alone"
            for trial, a, b, verdict in zip(trials, together, single, verdicts, strict=True)
            if verdict in (_FAULT, _UNKNOWN)
        ]
        if not pairs:
            return
        message = f"objective scores {', '.join(pairs)}, more than rounding explains; "
        gross = all(_difference(a, b) > _GROSS for a, b in zip(together, single, strict=True))
        if gross and set(verdicts) == {_FAULT}:
            raise ValueError(
                f"{message}a trial must not depend on the other lanes: look for random numbers of NumPy or Python, "
                "which are drawn when a program is traced, for a callback or batching rule that sees all lanes, or for "
                "a fault of this release of jaxlib, which another may not have"
            )
        warnings.warn(f"{message}see that a trial does not depend on the other lanes", RuntimeWarning, stacklevel=2)

    def _judge(self, proposal: Proposal, lane: int, together: float, single: float, alone: Alone) -> str:
        if _difference(together, single) <= _ROUNDING:
            return _SAME
        again = alone(proposal, lane)
        if _difference(again, single) > _ROUNDING:
            if jax.default_backend() != "cpu":  # accelerators add in any order
                return _SENSITIVE
            raise ValueError(
                f"objective scores trial {int(proposal.trial[lane])} with {single:.6g} and, computed again, with "
                f"{again:.6g}: the score must follow from the key and the hyperparameters; draw all random numbers "
                "from the key"
            )
        floats = self._active_floats(proposal.point[lane])
        probes = [alone(changed, lane) for changed in self._changed(proposal, lane, floats)]
        if any(_difference(probe, single) > _ROUNDING for probe in probes):
            return _SENSITIVE
        # Without a Float only the key was changed. If that does nothing at all, it says nothing of rounding.
        return _FAULT if floats.any() or any(probe != single for probe in probes) else _UNKNOWN

    def _active_floats(self, point: np.ndarray) -> np.ndarray:
        floats = np.array([isinstance(dimension, Float) for dimension in self._space.values()])
        return floats & np.asarray(self._space.active(point))

    def _changed(self, proposal: Proposal, lane: int, floats: np.ndarray) -> list[Proposal]:
        """Return the round with the lane's Floats a little higher and lower, or with two other keys without any."""
        changed = []
        for sign in (1, -1):
            point, trial = proposal.point.copy(), proposal.trial.copy()
            if floats.any():
                moved = point[lane] + np.float32(sign * _NUDGE)
                inside = (moved >= 0) & (moved <= 1)
                moved = np.where(inside, moved, point[lane] - np.float32(2 * sign * _NUDGE))
                point[lane] = np.where(floats, moved, point[lane])
            else:
                trial[lane] += _ANOTHER * (2 + sign)
            changed.append(proposal._replace(point=point, trial=trial))
        return changed


def _difference(one: float, other: float) -> float:
    """Return the relative difference of two scores; two failures are equal, and a failure is no score."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return 0.0 if math.isfinite(one) == math.isfinite(other) else math.inf
    return abs(one - other) / max(abs(one), abs(other), 1e-6)
