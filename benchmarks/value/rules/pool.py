"""The trials of a recorded study that a rule chooses from, and what several of them say together."""

from typing import NamedTuple

import numpy as np

from benchmarks.value.comparison import LEAST, loss_of, score_of
from benchmarks.value.recorded import Recorded


class Pool(NamedTuple):
    """Trials, that of the lowest held-out loss first.

    Attributes:
        classes: Number of classes; 0 in regression.
        scores: Held-out score of each, [T].
        losses: Held-out loss of each, [T].
        valid: Held-out probabilities of the true class, or predictions: [T, N].
        y_valid: Held-out classes or targets, [N].
        test: Test probabilities or predictions, [T, M, ...].
        y_test: Test classes or targets, [M]; -1 is a class that training lacks.
        deviation: Of the training targets; 1 for classes.
    """

    classes: int
    scores: np.ndarray
    losses: np.ndarray
    valid: np.ndarray
    y_valid: np.ndarray
    test: np.ndarray
    y_test: np.ndarray
    deviation: float


def pool_of(recorded: Recorded) -> Pool:
    """Return the trials of a record that have a loss and test outputs; of those that continue one another the best.

    Raises:
        ValueError: if there is none.
    """
    places = {trial: place for place, trial in enumerate(recorded.trials.tolist())}
    tested = {trial: place for place, trial in enumerate(recorded.tested.tolist())}
    order = sorted(places, key=lambda trial: (recorded.losses[places[trial]], trial))
    chosen: dict[int, int] = {}
    for trial in order:
        if trial in tested and np.isfinite(recorded.losses[places[trial]]):
            root = trial
            while recorded.sources[places[root]] >= 0:
                root = int(recorded.sources[places[root]])
            chosen.setdefault(root, trial)
    if not chosen:
        raise ValueError(f"the record of {recorded.about} has no trial with a loss and test outputs")
    rows = [places[trial] for trial in chosen.values()]
    test = recorded.test[[tested[trial] for trial in chosen.values()]].astype(np.float64)
    valid, y, classes = recorded.valid[rows].astype(np.float64), recorded.y_valid, 0
    if recorded.about["task"] == "classification":
        classes, test = test.shape[2], _probabilities(test)
        valid = _probabilities(valid)[:, np.arange(len(y)), y]
    return Pool(
        classes,
        recorded.scores[rows],
        recorded.losses[rows],
        valid,
        y,
        test,
        recorded.y_test,
        recorded.about["deviation"],
    )


def held_out_losses(pool: Pool, valid: np.ndarray) -> np.ndarray:
    """Return the loss of each held-out example: log loss, or the squared error over the variance of the targets.

    Args:
        pool: The trials.
        valid: What is said of these examples, as `pool.valid` has it, or means of that: [..., N].
    """
    if pool.classes:
        return -np.log(np.maximum(valid, LEAST))
    return (valid - pool.y_valid) ** 2 / np.var(pool.y_valid)


def figures_of(pool: Pool, weights: np.ndarray) -> tuple[float, float]:
    """Return the test score and the test loss of the weighted mean of what trials say.

    Args:
        pool: The trials.
        weights: Of each, with the sum 1.
    """
    outputs = np.tensordot(weights, pool.test, 1)
    names = np.arange(pool.classes) if pool.classes else None
    return score_of(outputs, pool.y_test, names), loss_of(outputs, pool.y_test, names, pool.deviation)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
