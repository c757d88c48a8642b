"""jaxhpo as its user has it: `tune` with everything at its defaults, its winner, and its ensemble.

`tune` holds out a fifth of what it is given as test data, and scores the winner on it once. Here all that a method may
see is for training and validation. Images and texts are given with a test split, a tenth of the training examples over
again, so that a fifth is for validation and the rest is trained on. A table has no such argument: it is loaded as
always, 60/20/20, its test part goes to the training examples, and the validation data stand in its place. So the
scales are of all training examples; which categories there are, and the medians, are of three quarters of them.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import jaxhpo as jh
from benchmarks.value.methods import Answer, Answers
from benchmarks.value.others.preprocessing import rows_of
from benchmarks.value.recorded import Recorded, record
from benchmarks.value.spaces.candidates import NETWORKS, space_of
from jaxhpo.training.trained.model import Model

TRIALS = 1000  # more than the seconds allow
SAID = ("score", "corrected_score", "corrected_standard_error", "gain", "gain_standard_error")
"""What the summary of a study says of winner and ensemble, on validation examples."""


def tuned(problem: Any, parts: Any, seconds: float, seed: int, *, algorithm: str, **options: Any) -> Answers:
    """Tune by one of jaxhpo's algorithms, with further options of `tune`; `space` names one of `spaces`.

    Returns:
        What the winner and the ensemble say. The seconds of each have the study, and its own predictions.
    """
    begun = time.perf_counter()
    data = dataset(problem.task, parts.x_train, parts.y_train, seed)
    chosen: dict[str, Any] = {"trials": TRIALS} | options
    if "space" in chosen:
        chosen["model"] = chosen.get("model", NETWORKS[data.kind])
        chosen["space"] = space_of(chosen["space"], data, chosen["model"])
    study = jh.tune(data, algorithm=algorithm, seed=seed, timeout=seconds, verbose=False, **chosen)
    searched = time.perf_counter() - begun
    places = {str(name): i for i, name in enumerate(data.class_names or range(data.outputs))}
    classify = problem.task == "classification"

    def answer(make: Callable[[], Model], config: dict[str, Any], who: str) -> Answer:
        begun, model = time.perf_counter(), make()
        if classify:
            order = [places[str(label)] for label in np.unique(parts.y_train)]
            outputs = np.asarray(model.probabilities(parts.x_test), np.float64)[:, order]
        else:
            outputs = np.asarray(model.predict(parts.x_test), np.float64)
        said = {name: study.summary[who][name] for name in SAID}
        return Answer(outputs, len(study.finished), config, searched + time.perf_counter() - begun, said)

    def recorded(about: dict[str, Any]) -> Recorded:
        y = parts.y_test
        if classify:
            y = np.array([places.get(str(label), -1) for label in y], np.int32)
        return record(study, parts.x_test, y, about)

    winner = answer(study.best_model, dict(study.winner.config), "winner")
    try:
        members = study.evaluate_ensemble().members
    except ValueError as error:  # fewer than two trainings
        return Answers(winner, error, recorded)
    config = {"trials": [one.trained.trial for one in members], "weights": [one.share for one in members]}
    return Answers(winner, answer(study.ensemble, config, "ensemble"), recorded)


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
