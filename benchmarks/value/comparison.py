"""What is compared, and how: test scores and losses, and paired differences of methods with 95% intervals.

A difference is a method's figure minus the baseline's on the same split of the same problem, at the same seconds.
Every problem weighs the same, and within a problem every split. Intervals are those of `jaxhpo.study.statistics`: a
bootstrap over problems, then splits.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxhpo.study.statistics import Interval, mean_intervals

LEAST = float(np.finfo(np.float32).eps)  # a probability, where scikit-learn clips float32
_LEAST_ERROR = 1e-9  # in deviations of the training targets


def check_outputs(outputs: np.ndarray, rows: int, classes: np.ndarray | None) -> None:
    """Raise ValueError unless outputs are finite, a row an example, and of classes a column each (None: regression)."""
    wanted = (rows,) if classes is None else (rows, len(classes))
    if outputs.shape != wanted:
        raise ValueError(f"outputs have shape {outputs.shape}, not {wanted}")
    if not np.isfinite(outputs).all():
        raise ValueError(f"outputs are not finite in {int((~np.isfinite(outputs)).sum())} of {outputs.size} places")


def score_of(outputs: np.ndarray, y: np.ndarray, classes: np.ndarray | None) -> float:
    """Return the accuracy of probabilities [N, K] of the classes, or R2 of predictions [N] where `classes` is None."""
    if classes is not None:
        return float(np.mean(classes[np.argmax(outputs, axis=1)] == y))
    return float(1 - np.sum((y - outputs) ** 2) / np.sum((y - np.mean(y)) ** 2))


def loss_of(outputs: np.ndarray, y: np.ndarray, classes: np.ndarray | None, deviation: float) -> float:
    """Return the log loss, or the log of the RMSE over the standard deviation of the training targets.

    Args:
        outputs: probabilities [N, K], no lower than float32 tells them from 0; or predictions [N].
        y: labels or targets [N]; a label that is none of the classes has the lowest probability.
        classes: in the order of the columns; None is regression.
        deviation: of the training targets.
    """
    if classes is None:
        error = math.sqrt(np.mean((y - outputs) ** 2)) / deviation
        return math.log(max(error, _LEAST_ERROR))
    places = {label: i for i, label in enumerate(classes.tolist())}
    columns = [places.get(label, -1) for label in y.tolist()]
    padded = np.concatenate([outputs, np.zeros((len(outputs), 1))], axis=1)  # the last column is that of no class
    chosen = padded[np.arange(len(y)), columns]
    return float(-np.log(np.clip(chosen, LEAST, 1.0)).mean())


class Compared(NamedTuple):
    """A method beside the baseline."""

    mean: Interval | None  # of the paired differences; None where there are none
    wins: int  # problems
    level: int
    losses: int


def compare(differences: Sequence[Sequence[float]], *, higher: bool) -> Compared:
    """Return the mean over problems of paired differences, and on how many problems the method wins.

    A problem is level where its mean is within one standard error of 0, over splits; with one split, where it is 0.

    Args:
        differences: of each problem, a number a split; a problem without any is left out.
        higher: whether more is better.
    """
    rows = [np.asarray(row, np.float64) for row in differences if len(row)]
    if not rows:
        return Compared(None, 0, 0, 0)
    values = np.full((1, len(rows), max(map(len, rows))), np.nan)
    for place, row in zip(values[0], rows, strict=True):
        place[: len(row)] = row
    signs = [sign(row) * (1 if higher else -1) for row in rows]
    return Compared(mean_intervals(values)[0], signs.count(1), signs.count(0), signs.count(-1))


def sign(differences: np.ndarray) -> int:
    """Return 1 or -1 where the mean is more than one standard error above or below 0, else 0."""
    mean, n = float(np.mean(differences)), len(differences)
    error = float(np.std(differences, ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    return 0 if abs(mean) <= error else int(math.copysign(1, mean))
