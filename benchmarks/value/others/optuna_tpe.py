"""Optuna's TPE over the hand-written network: the study that its user writes."""

# pyright: reportMissingImports=false
# Optuna is in the extra "benchmarks".

import time
import warnings
from typing import Any

import optuna

from benchmarks.value.comparison import score_of
from benchmarks.value.methods import Answer
from benchmarks.value.others import hand_written
from benchmarks.value.others.hand_written import Settings, Trained

optuna.logging.set_verbosity(optuna.logging.WARNING)


def suggested(trial: Any) -> Settings:
    """Return the settings that a trial is to have, from the ranges that its user may write down."""
    return Settings(
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
        layers=trial.suggest_int("layers", 1, 4),
        units=trial.suggest_categorical("units", (32, 64, 128, 256)),
        dropout=trial.suggest_float("dropout", 0.0, 0.5, step=0.1),
        batch=trial.suggest_categorical("batch", (16, 32, 64, 128)),
    )


def tuned(problem: Any, parts: Any, seconds: float, seed: int) -> Answer:
    """Tune by the validation score at each trial's best epoch, and keep the best trial's network.

    All trials are compared on the same held-out rows. The one that the seconds cut is compared as it is.
    """
    deadline = time.perf_counter() + seconds
    best: tuple[float, Trained | None] = (float("-inf"), None)

    def objective(trial: Any) -> float:
        nonlocal best
        trained = hand_written.train(problem, parts.x_train, parts.y_train, seed, deadline, suggested(trial))
        score = score_of(trained.outputs(trained.x_valid), trained.y_valid, trained.classes)
        if score > best[0]:
            best = score, trained
        return score

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(objective, timeout=seconds)
    if best[1] is None:
        raise RuntimeError("no trial has a score")
    config = dict(study.best_params) | {"epochs": best[1].epochs}
    return Answer(best[1].outputs(parts.x_test), len(study.trials), config)
