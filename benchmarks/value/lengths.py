"""How many epochs a trial should have, and how much patience: simulated on recorded learning curves.

    python -m benchmarks.value.lengths [NAME ...] [--quick] [--no-save]

Trains configurations of the default space on tables of the tuning half, up to 300 epochs with patience 20, and writes
what smaller numbers of epochs and less patience would have given: of all trials, and of as many trials, in their order,
as fit into the epochs of the first eight with 300 epochs. Only validation data are looked at. `results/lengths.json`
is written after every table; a table that is there is not trained again.
"""

import json
from typing import Any, NamedTuple

import numpy as np

import jaxhpo as jh
from benchmarks.record import parser, results, save
from benchmarks.value.own import dataset
from benchmarks.value.problems import PROBLEMS, parts

EPOCHS = (20, 40, 64, 100, 150, 200, 300)
PATIENCE = (5, 10, 20)
_TRIALS, _WITHIN = 24, 8


class Course(NamedTuple):
    """A recorded training: the score (higher is better) and the validation loss of each epoch that it had."""

    score: np.ndarray
    loss: np.ndarray


class Ended(NamedTuple):
    """A training that is cut: how many epochs it has, and the score and the loss of the one that counts."""

    epochs: int
    score: float
    loss: float


def cut(course: Course, epochs: int, patience: int) -> Ended:
    """Return what a training comes to with fewer epochs and less patience."""
    kept, ended = 0, min(epochs, len(course.loss))
    for epoch in range(1, ended):
        if course.loss[epoch] < course.loss[kept]:
            kept = epoch
        elif epoch - kept >= patience:
            ended = epoch + 1
            break
    return Ended(ended, float(course.score[kept]), float(course.loss[kept]))


def winner(trials: list[Ended]) -> Ended:
    """Return the trial with the best score; of equal ones that with the lower loss."""
    return max(trials, key=lambda trial: (trial.score, -trial.loss))


def compared(courses: list[Course]) -> list[dict[str, float]]:
    """Return the winner of all trials, and of as many as fit into a number of epochs, for every way to cut."""
    within = sum(cut(course, EPOCHS[-1], PATIENCE[-1]).epochs for course in courses[:_WITHIN])
    rows = []
    for epochs in EPOCHS:
        for patience in PATIENCE:
            trials = [cut(course, epochs, patience) for course in courses]
            spent = np.cumsum([trial.epochs for trial in trials])
            count = max(int(np.sum(spent <= within)), 1)
            best, first = winner(trials), winner(trials[:count])
            row = {"epochs": epochs, "patience": patience, "mean_epochs": float(spent[-1] / len(trials))}
            row |= {"score": best.score, "loss": best.loss}
            rows.append(row | {"trials_within": count, "score_within": first.score, "loss_within": first.loss})
    return rows


def record(name: str, *, quick: bool) -> tuple[int, list[Course]]:
    """Return how many examples train on a table, and the learning curves of its trials."""
    problem = PROBLEMS[name]
    part = parts(problem, 0)
    data = dataset(problem.task, part.x_train, part.y_train, 0)
    study = jh.tune(
        data,
        algorithm="random_search",
        folds=1,
        trials=2 if quick else _TRIALS,
        epochs=3 if quick else EPOCHS[-1],
        patience=PATIENCE[-1],
        verbose=False,
    )
    courses = []
    for trial in study.finished:
        if not trial.failed:
            had = int(np.sum(np.isfinite(trial.aux["validation_loss"])))
            courses.append(Course(trial.aux["curve"][:had], trial.aux["validation_loss"][:had]))
    return len(data.y_train), courses


def _listed(result: dict[str, Any]) -> str:
    """Return what is printed after a table: its name, and those before it."""
    return f"done: {', '.join(result['tables'])}"


def main() -> None:
    """Record the tables that are not there, and write `results/lengths.json`."""
    arguments = parser(__doc__)
    tables = [problem.name for problem in PROBLEMS.values() if problem.half == "tuning" and problem.kind == "table"]
    arguments.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(tables)}; unless given all")
    options = arguments.parse_args()
    if unknown := set(options.names) - set(tables):
        arguments.error(f"unknown {', '.join(sorted(unknown))}; use some of {', '.join(tables)}")
    kept = results() / "lengths.json"
    there = kept.exists() and not options.quick
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))["tables"] if there else {}
    for name in options.names or tables:
        if name not in found:
            examples, courses = record(name, quick=options.quick)
            found[name] = {"train_examples": examples, "trials": len(courses), "compared": compared(courses)}
            save("lengths", {"tables": found}, write=not options.no_save, module="value.lengths", show=_listed)


if __name__ == "__main__":
    main()
