"""jaxhpo as its user has it: `tune` with everything at its defaults, and the winner's network.

`tune` holds out a fifth of what it is given as test data, and scores the winner on it once. Here all that a method may
see is for training and validation. Images and texts are given with a test split, a tenth of the training examples over
again, so that a fifth is for validation and the rest is trained on. A table has no such argument: it is loaded as
always, 60/20/20, its test part goes to the training examples, and the validation data stand in its place. So the
scales are of all training examples; which categories there are, and the medians, are of three quarters of them.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import jaxhpo as jh
from benchmarks.value.methods import Answer
from benchmarks.value.preprocessing import rows_of

TRIALS = 1000  # more than the seconds allow


def tuned(problem: Any, parts: Any, seconds: float, seed: int, *, algorithm: str, **options: Any) -> Answer:
    """Tune by one of jaxhpo's algorithms, with further options of `tune`, and return what the winner's network says."""
    data = dataset(problem.task, parts.x_train, parts.y_train, seed)
    chosen: dict[str, Any] = {"trials": TRIALS} | options
    study = jh.tune(data, algorithm=algorithm, seed=seed, timeout=seconds, verbose=False, **chosen)
    model, config = study.best_model(), dict(study.winner.config)
    trials = len(study.finished)
    if problem.task == "regression":
        return Answer(np.asarray(model.predict(parts.x_test), np.float64), trials, config)
    names = data.class_names or tuple(range(data.outputs))
    places = {str(name): i for i, name in enumerate(names)}
    order = [places[str(label)] for label in np.unique(parts.y_train)]
    return Answer(np.asarray(model.probabilities(parts.x_test), np.float64)[:, order], trials, config)


def dataset(task: str, x: Any, y: np.ndarray, seed: int) -> jh.Dataset:
    """Return the data for `tune`: four fifths for training, a fifth for validation."""
    if isinstance(x, pd.DataFrame):
        data = jh.data.load((x, y), task=task, seed=seed)
        more = {f"{what}_train": _joined(data, what) for what in "xy"}
        return replace(data, **more, x_test=data.x_valid, y_test=data.y_valid)
    rows = np.arange(0, len(y), 10)
    return jh.data.from_arrays(x, y, task=task, seed=seed, test=(rows_of(x, rows), y[rows]))


def _joined(data: jh.Dataset, what: str) -> np.ndarray:
    return np.concatenate([getattr(data, f"{what}_train"), getattr(data, f"{what}_test")])
