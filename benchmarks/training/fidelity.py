"""What stopping trials early saves in real training: epochs and seconds to what random search ends with.

    python -m benchmarks.training.fidelity [--data digits,few_digits] [--seeds 10] [--quick] [--no-save]

MLPs of the default space on scikit-learn's digits, in 8 lanes: as `jaxhpo tune digits` splits them, and with 300
examples to train and 1,137 to validate. Random search trains 64 trials of 27 epochs. Then every other method runs until
its incumbent has random search's final validation accuracy of the same seed, or it has spent as many epochs. Shares are
of all that random search spent; "score" is what it ended with, and its own "epochs" are those after which it had it.
Seconds are of training and of choosing, in programs that were compiled before.
"""

import statistics
from typing import Any

import jaxhpo as jh
from benchmarks.quality.record_curves import examples
from benchmarks.record import parser, save
from jaxhpo import algorithms
from jaxhpo.study import Study
from jaxhpo.study.trials import Trial
from jaxhpo.training import Trainer

_DATA = {"digits": lambda: jh.data.load("digits"), "few_digits": examples}
_BASELINE = "random_search"
_METHODS = ("hyperband", "successive_halving", "asha")
_LANES, _EPOCHS, _TRIALS, _SEEDS = 8, 27, 64, 10


class Course:
    """What a study has spent and reached after each of its rounds."""

    def __init__(self) -> None:
        self.epochs, self.score = [0], [float("-inf")]
        self.seconds = [0.0]  # training and choosing, no compiling
        self._trained: dict[int, int] = {}

    def __call__(self, study: Study, trials: list[Trial]) -> None:
        """Note a round; of a trial that continues another only what is new counts."""
        self._trained |= {trial.trial: trial.budget for trial in trials}
        spent = sum(trial.budget - self._trained.get(trial.source, 0) for trial in trials)
        self.epochs.append(self.epochs[-1] + spent)
        self.score.append(max([self.score[-1], *(trial.score for trial in trials if not trial.failed)]))
        self.seconds.append(study.seconds.train + study.seconds.algorithm)


def run(method: str, trainer: Trainer, seed: int, epochs: int, goal: float = float("inf")) -> Course:
    """Run a study round by round until it has spent so many epochs or its incumbent's score is the goal."""
    algorithm = algorithms.make(method, trainer.space, lanes=_LANES, budget=trainer.epochs)
    study, course = Study(trainer.space, algorithm, trainer.objective, seed=seed), Course()
    while course.epochs[-1] < epochs and course.score[-1] < goal:
        study.run(_LANES, callbacks=[course])
    return course


def reached(course: Course, goal: float) -> int | None:
    """Return the first round after which the incumbent's score is the goal, None if there is none."""
    return next((i for i, score in enumerate(course.score) if score >= goal), None)


def compare(name: str, seeds: int, trials: int, epochs: int) -> dict[str, Any]:
    """Return what random search spends and every method needs: medians over seeds, and the seeds' rows."""
    data = _DATA[name]()
    whole = Trainer(data, "mlp", epochs=epochs, lanes=_LANES, checkpoint="last")
    parts = Trainer(data, "mlp", epochs=epochs, lanes=_LANES, continues=True, checkpoint="last")
    for method, trainer in ((_BASELINE, whole), *((method, parts) for method in _METHODS)):
        run(method, trainer, seeds, 2 * epochs * _LANES)  # compiles; of a seed that does not count
    rows: dict[str, list[dict[str, Any]]] = {method: [] for method in (_BASELINE, *_METHODS)}
    for seed in range(seeds):
        limit = trials * epochs
        base = run(_BASELINE, whole, seed, limit)
        goal = base.score[-1]
        at = reached(base, goal)
        rows[_BASELINE].append(_row(base, at) | {"score": goal, "spent": base.epochs[-1], "seconds": base.seconds[-1]})
        for method in _METHODS:
            course = run(method, parts, seed, limit, goal)
            rows[method].append(_row(course, reached(course, goal)))
        print(name, seed, {method: each[-1] for method, each in rows.items()}, flush=True)
    spent = [row["spent"] for row in rows[_BASELINE]]
    seconds = [row["seconds"] for row in rows[_BASELINE]]
    return {
        method: {
            "epochs_share": _median([_share(r["epochs"], s) for r, s in zip(each, spent, strict=True)]),
            "seconds_share": _median([_share(r["at_seconds"], s) for r, s in zip(each, seconds, strict=True)]),
            "reached": sum(r["epochs"] is not None for r in each),
            "rows": each,
        }
        for method, each in rows.items()
    }


def _row(course: Course, at: int | None) -> dict[str, Any]:
    if at is None:
        return {"epochs": None, "at_seconds": None}
    return {"epochs": course.epochs[at], "at_seconds": round(course.seconds[at], 3)}


def _share(value: float | None, whole: float) -> float:
    """Return a part of what random search spent; what was not reached is more than all."""
    return float("inf") if value is None else value / whole


def _median(shares: list[float]) -> float | None:
    """Return the median, None where it was not reached."""
    found = statistics.median(shares)
    return None if found == float("inf") else round(found, 4)


def main() -> None:
    """Measure and write `results/fidelity.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("--data", default=",".join(_DATA), help="which, separated by commas")
    arguments.add_argument("--seeds", type=int, default=_SEEDS, help="seeds 0 .. N - 1")
    options = arguments.parse_args()
    names = options.data.split(",")
    if unknown := [name for name in names if name not in _DATA]:
        arguments.error(f"data {unknown[0]!r} is unknown; use {' or '.join(_DATA)}")
    seeds, trials, epochs = (1, 8, 9) if options.quick else (options.seeds, _TRIALS, _EPOCHS)
    found = {name: compare(name, seeds, trials, epochs) for name in names}
    result = {"seeds": seeds, "trials": trials, "epochs": epochs, "lanes": _LANES, "data": found}
    save("fidelity", result, write=not options.no_save, module="training.fidelity")


if __name__ == "__main__":
    main()
