"""Record the learning curves that the tasks of the family "curves" look up.

    python -m benchmarks.quality.record_curves [digits_mlp digits_cnn] [--quick] [--no-save]

Trains every configuration of a grid with jaxhpo's own Trainer, several times with other weights and orders of the
examples, and writes correct answers after each epoch to `benchmarks/data`. Minutes on two cores.
"""

import jax
import numpy as np

from benchmarks.quality.tasks import curves
from benchmarks.record import parser
from jaxhpo import Machine, Trainer, data
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import hold_out
from jaxhpo.space import Choice, Int, Space
from jaxhpo.types import Proposal

_EPOCHS, _TRAIN, _LANES = 27, 300, 256
_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
_GRIDS = {
    "digits_mlp": Space(
        {
            "learning_rate": Choice((0.0001, *_RATES, 0.3)),
            "batch_size": Choice((10, 20, 60)),
            "layers": Int(1, 3),
            "units": Choice((16, 32, 64)),
            "dropout": Choice((0.0, 0.25, 0.5)),
            "optimizer": Choice(("sgd", "momentum", "rmsprop", "adam")),
        }
    ),
    "digits_cnn": Space(
        {
            "learning_rate": Choice(_RATES),
            "batch_size": Choice((20, 60)),
            "layers": Int(1, 2),
            "units": Choice((8, 16, 32)),
            "dropout": Choice((0.0, 0.3)),
            "optimizer": Choice(("sgd", "momentum", "adam")),
        }
    ),
}
_REPEATS = {"digits_mlp": 3, "digits_cnn": 2}


def examples() -> Dataset:
    """Return scikit-learn's digits, split so that few train; the test split is the validation's, and never scored."""
    digits = data.load("digits")
    x = np.concatenate([digits.x_train, digits.x_valid, digits.x_test])
    y = np.concatenate([digits.y_train, digits.y_valid, digits.y_test])
    valid, train = hold_out(y, _TRAIN, 0)
    return Dataset("digits", x[train], y[train], x[valid], y[valid], x[valid], y[valid], digits.classes)


def record(name: str, *, quick: bool = False) -> tuple[np.ndarray, int]:
    """Return correct answers of every configuration, summed over repeats, and among how many: [N, epochs] int64."""
    space, digits = _GRIDS[name], examples()
    sizes = space.level_counts
    levels = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=-1)
    if quick:
        levels = levels[:: len(levels) // 8]
    points = np.asarray(space.from_levels(levels.astype(np.int32)))
    trainer = Trainer(
        digits,
        name.removeprefix("digits_"),
        space,
        epochs=_EPOCHS,
        lanes=_LANES,
        machine=Machine(horizon="long"),
        checkpoint="last",
    )
    correct = np.zeros((len(points), _EPOCHS), np.int64)
    repeats = 1 if quick else _REPEATS[name]
    for repeat in range(repeats):
        key = jax.random.key(repeat, impl="threefry2x32")
        state = trainer.objective.init(key)
        for start in range(0, len(points), _LANES):
            rows = np.arange(start, min(start + _LANES, len(points)))
            point = np.pad(points[rows], ((0, _LANES - len(rows)), (0, 0)), mode="edge")
            active = np.arange(_LANES) < len(rows)
            trial = np.where(active, start + np.arange(_LANES), -1).astype(np.int32)
            proposal = Proposal(point, np.full(_LANES, _EPOCHS, np.int32), np.full(_LANES, -1, np.int32), active, trial)
            state, outcome = trainer.objective.evaluate(key, state, proposal)
            curve = np.nan_to_num(
                np.asarray(outcome.aux["curve"], np.float64)[active]
            )  # one that diverged knows nothing
            correct[rows] += np.rint(curve * len(digits.y_valid)).astype(np.int64)
            print(f"{name}: repeat {repeat + 1}/{repeats}, {rows[-1] + 1}/{len(points)}", flush=True)
    return correct, repeats * len(digits.y_valid)


def main() -> None:
    """Record the curves of each task."""
    arguments = parser(__doc__)
    arguments.add_argument("tasks", nargs="*", default=list(curves.NAMES), help="which; all unless given")
    options = arguments.parse_args()
    if unknown := set(options.tasks) - set(curves.NAMES):
        arguments.error(f"unknown {', '.join(unknown)}; use some of {', '.join(curves.NAMES)}")
    for name in options.tasks:
        correct, answers = record(name, quick=options.quick)
        last = correct[:, -1] / answers
        print(
            f"{name}: after the last epoch best {last.max():.4f}, median {np.median(last):.4f}, worst {last.min():.4f}"
        )
        if not (options.quick or options.no_save):
            curves.save(name, _GRIDS[name], correct, answers)


if __name__ == "__main__":
    main()
