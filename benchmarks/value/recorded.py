"""What a study said of the held-out and of the test examples, trial by trial, in a file.

With it, rules for the winner and for the ensemble are compared without training again.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # it imports JAX, which what only reads records need not
    from jaxhpo.tuning.training_study import TrainingStudy


class Recorded(NamedTuple):
    """The trials of a study.

    Outputs are logits [N, K] in the order of the data's classes, or predictions [N] in units of the targets. Test
    outputs are those of the trials whose weights the study keeps.

    Attributes:
        about: What it is of: problem, kind, task, half, rows, split, method, seconds.
        y_valid: Classes [N] int32 or targets [N] of the held-out examples; with folds, of all folds together.
        y_test: Those of the test examples, [M]; -1 is a class that training lacks.
        trials: Ids of the trials that have outputs, [T].
        sources: Trial that each continues, -1 for none: [T].
        scores: Score of each on held-out examples, as the study has it: [T].
        losses: Loss of each, as the study has it: [T].
        configs: Configuration of each.
        valid: Held-out outputs of each, [T, N, ...] float32.
        tested: Ids of the trials that have test outputs, [C].
        test: Test outputs of each of these, [C, M, ...] float32.
    """

    about: dict[str, Any]
    y_valid: np.ndarray
    y_test: np.ndarray
    trials: np.ndarray
    sources: np.ndarray
    scores: np.ndarray
    losses: np.ndarray
    configs: list[dict[str, Any]]
    valid: np.ndarray
    tested: np.ndarray
    test: np.ndarray


_AS_JSON = ("about", "configs")


def only(recorded: Recorded, keep: Callable[[dict[str, Any]], bool]) -> Recorded:
    """Return the trials whose configuration fulfils a condition, of a study in which none continues another."""
    rows = [place for place, config in enumerate(recorded.configs) if keep(config)]
    each = {name: getattr(recorded, name)[rows] for name in ("trials", "sources", "scores", "losses", "valid")}
    return recorded._replace(configs=[recorded.configs[row] for row in rows], **each)


def record(study: "TrainingStudy", x_test: Any, y_test: np.ndarray, about: dict[str, Any]) -> Recorded:
    """Return what a study's trials say; test outputs are computed.

    Args:
        study: A study with a trial that has a score.
        x_test: Examples in the form of the training data.
        y_test: Their classes as indices, or targets.
        about: What the record is of, as JSON has it.
    """
    from jaxhpo.training.run.placement import validation_targets

    state = study.objective_state
    weights = {one.trial: one for one in (*state.candidates, state.best)}
    finished = [trial for trial in study.finished if trial.trial in state.outputs]
    return Recorded(
        about=about,
        y_valid=validation_targets(state.data),
        y_test=y_test,
        trials=np.array([trial.trial for trial in finished]),
        sources=np.array([trial.source for trial in finished]),
        scores=np.array([trial.score for trial in finished], np.float64),
        losses=np.array([float(trial.aux["checkpoint_loss"]) for trial in finished]),
        configs=[plain(trial.config) for trial in finished],
        valid=np.stack([state.outputs[trial.trial] for trial in finished]).astype(np.float32),
        tested=np.array(list(weights)),
        test=np.stack([study.trainer.model(one).outputs(x_test) for one in weights.values()]).astype(np.float32),
    )


def write(file: Path, recorded: Recorded) -> None:
    """Write a record to a file, in place of one that is there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = recorded._asdict()
    for name in _AS_JSON:
        arrays[name] = np.array(json.dumps(arrays[name]))
    new = file.with_suffix(".part.npz")
    np.savez_compressed(new, **arrays)
    new.replace(file)


def read(file: Path) -> Recorded:
    """Return the record of a file."""
    with np.load(file) as arrays:
        found: dict[str, Any] = {name: arrays[name] for name in Recorded._fields}
    for name in _AS_JSON:
        found[name] = json.loads(str(found[name]))
    return Recorded(**found)


def plain(value: Any) -> Any:
    """Return a configuration as JSON has it."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
