"""The winner and the ensemble of a finished study side by side: what they reach, and what they cost."""

import math
from collections.abc import Sequence
from typing import Any

from jaxhpo.training.run.placement import validation_targets
from jaxhpo.training.run.state import Weights
from jaxhpo.tuning.correction import Corrected
from jaxhpo.tuning.training_study import TrainingStudy

WINNER, ENSEMBLE = "winner", "ensemble"


def compare_models(study: TrainingStudy) -> dict[str, Any]:
    """Score a study's winner and ensemble on the test examples, once each; return both as plain data.

    Recommended is which of them has the lower loss on the examples that it did not train on.

    Args:
        study: A study with a trial that has a score.

    Returns:
        `winner` and `ensemble`, the latter None where there are fewer than two trainings; `recommended`, one of these
        names; `level`, how many trials are level with the winner; `default`, of the default configuration; and
        `few_examples`, whether they are too few to tell so many trials apart. Numbers that are not known are None.
    """
    state, trainer = study.objective_state, study.trainer
    test_score, winner, weights = study.score_test(), study.winner, state.best
    trial = next(trial for trial in study.finished if trial.trial == winner.trial)
    loss = float(trial.aux["checkpoint_loss"])
    if winner.trial in state.outputs:  # as that of the ensemble is computed, of all examples together
        loss = trainer.scores.loss(state.data, state.outputs[winner.trial], validation_targets(state.data))
    found: dict[str, Any] = {
        WINNER: {"trial": winner.trial, "config": winner.config, "score": winner.score, "loss": loss}
        | {"standard_error": _number(trial.standard_error), "test_score": test_score}
        | _size(study, [weights]),
        ENSEMBLE: None,
        "recommended": WINNER,
        "level": len(study.level_trials()),
    }
    corrected = study.corrected_scores()
    found[WINNER] |= _corrected(None if corrected is None else corrected.winner)
    found[WINNER]["optimism"] = None if corrected is None else _number(corrected.optimism)
    found["few_examples"] = None if corrected is None else corrected.few_examples
    found["default"] = None
    if study.default is not None:
        score = study.finished[study.default].score
        found["default"] = {"trial": study.default, "score": _number(score)}
        found["default"]["corrected_score"] = None if corrected is None else _number(corrected.default)
    try:
        ensemble = study.evaluate_ensemble()
    except ValueError:  # there are fewer than two trainings
        return found
    found[ENSEMBLE] = {
        "trials": list(ensemble.trials),
        "weights": [one.share for one in ensemble.members],
        "score": ensemble.score,
        "loss": ensemble.loss,
        "standard_error": _number(ensemble.standard_error),
        "test_score": study.score_ensemble(),
    } | _size(study, [one.trained for one in ensemble.members])
    found[ENSEMBLE] |= _corrected(None if corrected is None else corrected.ensemble)
    if ensemble.loss < loss:
        found["recommended"] = ENSEMBLE
    return found


def _corrected(one: Corrected | None) -> dict[str, float | None]:
    """Return a corrected score and its gain as plain data."""
    values = (math.nan,) * 4 if one is None else one
    names = ("corrected_score", "corrected_standard_error", "gain", "gain_standard_error")
    return {name: _number(value) for name, value in zip(names, values, strict=True)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _size(study: TrainingStudy, trials: Sequence[Weights]) -> dict[str, Any]:
    """Return how many networks answer, how many weights they have, and the arithmetic of a prediction."""
    trainer = study.trainer
    costs = [
        (len(one.networks), trainer.meter.cost(trainer.family.structure(study.space.to_config(one.point))))
        for one in trials
    ]
    return {
        "networks": sum(number for number, _ in costs),
        "parameters": sum(number * cost.params for number, cost in costs),
        "flop": sum(number * cost.forward for number, cost in costs),
    }
