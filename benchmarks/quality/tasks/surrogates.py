"""Smooth functions fitted to recorded trainings: what tuning seven hyperparameters of deep learning looks like.

`python -m benchmarks.prior.record_trainings` trains several hundred configurations of each of
`benchmarks.quality.problems` and fits a Gaussian process (Matern 5/2, a length a dimension, noise; by marginal
likelihood) to them. A task is the process's mean on a grid of nine million configurations, so what it costs is
arithmetic, and what it says is a training's score without its luck.

The process is fitted to, and a task's score is, ``-log(excess / excess of a guess)``, where excess is how far a
validation score is below a ceiling just above the best that was recorded. On that scale the third of the trainings that
learned nothing is a plain at 0, and among the good ones a halved excess counts the same everywhere; on that of accuracy
random search would be done after ten trials. `decode` gives accuracies back; as the process goes on where
trainings end, the best of a grid may lie a little above what any could reach.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks.task import Task
from jaxhpo.space import Choice, Int, Space
from jaxhpo.types import Array

DATA = Path(__file__).parents[2] / "data"
NAMES = tuple(PROBLEMS)
MOMENTUM = 2  # its place among the dimensions
_RATES = tuple(float(f"{10 ** (-4 + i / 6):.3g}") for i in range(25))
_MOMENTA = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_DECAYS = tuple(float(f"{10 ** (-6 + i / 2):.3g}") for i in range(11))
_DROPOUTS = tuple(round(0.05 * i, 2) for i in range(13))
_WIDTHS = 13  # levels of units, fewer where whole numbers coincide
_CENTRES = 768  # that tables are padded to: tasks of one space may share a program
_CHUNK = 2048
_FINENESS = 1e-4  # of the scores on file


class Trainings(NamedTuple):
    """Configurations and what came of them."""

    space: Space  # continuous; its last dimension is the one optimizer
    places: np.ndarray  # [N, 7] uint8, see `to_points`
    score: np.ndarray  # [N] float64 in 0 .. 1, validation accuracy, or r2 of a regression
    nothing: float  # score of a guess


class Fit(NamedTuple):
    """A function of the seven dimensions, and what is known of it."""

    rates: np.ndarray  # [7] float32, one over the lengths, in places of 0 .. 1; 0 where a dimension is irrelevant
    weights: np.ndarray  # [N] float32, of the trainings
    mean: float
    ceiling: float  # of the validation score
    best: np.ndarray  # [7] levels of the best configuration of the grid
    median: float
    held_out: float  # R2, on a fifth of the trainings that the process had not seen

    def __str__(self) -> str:
        """Return what is known in a line."""
        return f"held-out R2 {self.held_out:.3f}, median {self.median:.3f}, best at {self.best.tolist()}"


def to_points(places: np.ndarray) -> np.ndarray:
    """Return points of a problem's space: [N, 7] uint8 -> [N, 8] float32.

    Places divide every dimension evenly, but momentum: it is (1 - momentum) that matters, so 1 has more of them.
    """
    unit = np.concatenate([places / 255, np.full((len(places), 1), 0.5)], axis=1)
    unit[:, MOMENTUM] = 1 - (1 - unit[:, MOMENTUM]) ** 2
    return unit.astype(np.float32)


def to_places(points: np.ndarray) -> np.ndarray:
    """Return the nearest places: [N, 8] float32 -> [N, 7] uint8."""
    return np.rint(_spread(points) * 255).astype(np.uint8)


def _spread(points: np.ndarray) -> np.ndarray:
    unit = np.array(points[:, :-1], np.float64)
    unit[:, MOMENTUM] = 1 - np.sqrt(1 - unit[:, MOMENTUM])
    return unit


def encode(score: np.ndarray, ceiling: float, nothing: float) -> np.ndarray:
    """Return -log of the excess, 0 for a guess: validation scores of any shape -> the same."""
    return -np.log((ceiling - score) / (ceiling - nothing))


def decode(encoded: np.ndarray, ceiling: float, nothing: float) -> np.ndarray:
    """Return the validation scores that `encode` made these of."""
    return ceiling - (ceiling - nothing) * np.exp(-np.asarray(encoded))


def grid(space: Space) -> Space:
    """Return the grid of a problem's space."""
    low, high = (int(space["units"].to_value(end)) for end in (0.0, 1.0))
    units = np.unique(np.rint(np.geomspace(low, high, _WIDTHS)).astype(int)).tolist()
    return Space(
        {
            "learning_rate": Choice(_RATES),
            "batch_size": space["batch_size"],
            "momentum": Choice(_MOMENTA),
            "weight_decay": Choice(_DECAYS),
            "layers": Int(1, 4),
            "units": Choice(tuple(units)),
            "dropout": Choice(_DROPOUTS),
        }
    )


def path_of(name: str) -> Path:
    """Return where the trainings of a problem, or of a lesson, lie."""
    return DATA / f"{'trainings' if name in PROBLEMS else 'lessons'}_{name}.npz"


def save(name: str, trainings: Trainings, fit: Fit | None = None) -> None:
    """Write trainings, and the function fitted to them."""
    DATA.mkdir(exist_ok=True)
    score = np.rint(trainings.score / _FINENESS).astype(np.uint16)
    arrays: dict[str, Any] = {"places": trainings.places, "score": score, "nothing": trainings.nothing}
    arrays |= {f"fit_{key}": value for key, value in (fit._asdict() if fit else {}).items()}
    np.savez_compressed(path_of(name), space=np.array(json.dumps(trainings.space.to_json())), **arrays)


def read(name: str) -> tuple[Trainings, Fit | None]:
    """Return what is recorded of a problem, and the fit where there is one; of a lesson there is none."""
    with np.load(path_of(name), allow_pickle=False) as file:
        space = Space.from_json(json.loads(str(file["space"])))
        score = file["score"] * _FINENESS
        trainings = Trainings(space, file["places"], score, float(file["nothing"]))
        if "fit_rates" not in file:
            return trainings, None
        arrays = {key: file[f"fit_{key}"] for key in Fit._fields}
    return trainings, Fit(**{key: value if value.ndim else float(value) for key, value in arrays.items()})


class Surface(NamedTuple):
    """The function on the grid, as arrays that `on_device` reads: one shape for all problems of a grid."""

    units: np.ndarray  # [7, most levels] float32: the levels' places in 0 .. 1, over the lengths
    centres: np.ndarray  # [_CENTRES, 7] float32: the trainings', over the lengths
    weights: np.ndarray  # [_CENTRES] float32, of the trainings; 0 where there is none
    mean: np.ndarray  # [] float32

    def score(self, levels: np.ndarray) -> np.ndarray:
        """Return scores in float64: [N, 7] -> [N]."""
        chunks = [levels[i : i + _CHUNK] for i in range(0, len(levels), _CHUNK)]
        return np.concatenate([np.asarray(_surface(np, part, *self.wide)) for part in chunks] or [np.zeros(0)])

    @property
    def wide(self) -> tuple[np.ndarray, ...]:
        """The arrays in float64."""
        return tuple(part.astype(np.float64) for part in self)


def surface(trainings: Trainings, grid: Space, rates: np.ndarray, weights: np.ndarray, mean: float) -> Surface:
    """Return the function that a fit's numbers say."""
    places = np.zeros((len(grid), max(grid.level_counts)))
    for i, name in enumerate(grid):
        values = grid[name].level_values
        point = np.zeros((len(values), len(grid) + 1))
        point[:, i] = [trainings.space[name].to_unit(value) for value in values]
        places[i, : len(values)] = _spread(point)[:, i]
    more = _CENTRES - len(weights)
    return Surface(
        (places * rates[:, None]).astype(np.float32),
        np.pad(trainings.places / 255 * rates, ((0, more), (0, 0))).astype(np.float32),
        np.pad(weights, (0, more)).astype(np.float32),
        np.asarray(mean, np.float32),
    )


def on_device(levels: Array, budget: Array, *surface: Array) -> Array:
    """Return scores in float32: [B, 7] int32 -> [B]."""
    del budget
    return _surface(jnp, levels, *surface)


def _surface(xp: Any, levels: Any, units: Any, centres: Any, weights: Any, mean: Any) -> Any:
    square = 0
    for i in range(units.shape[0]):  # not by a matrix product: near centres its differences of squares are coarse
        square = square + (units[i][levels[:, i]][:, None] - centres[None, :, i]) ** 2
    far = xp.sqrt(square * 5)
    return mean + xp.sum((1 + far + square * (5 / 3)) * xp.exp(-far) * weights[None], axis=1)


def load(name: str) -> Task:
    """Return a surrogate."""
    trainings, fit = read(name)
    if fit is None:
        raise ValueError(f"trainings of {name!r} are not fitted; run python -m benchmarks.prior.record_trainings")
    return surrogate(name, trainings, fit)


def surrogate(name: str, trainings: Trainings, fit: Fit) -> Task:
    """Return the task of a fit."""
    space = grid(trainings.space)
    made = surface(trainings, space, fit.rates, fit.weights, fit.mean)

    def score(levels: np.ndarray, budget: np.ndarray | None = None) -> np.ndarray:
        del budget
        return made.score(np.asarray(levels, np.int32))

    problem = PROBLEMS[name]
    about = f"{problem.about}: {problem.model}, {problem.optimizer}, {problem.train} examples, "
    about += f"{problem.epochs} epochs; held-out R2 {fit.held_out:.2f}"
    best = float(score(fit.best[None])[0])
    return Task(name, "surrogates", space, on_device, score, best, fit.median, tables=tuple(made), about=about)
