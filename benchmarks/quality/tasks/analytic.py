"""Functions with a known maximum, on grids: smooth, rugged, noisy, with irrelevant dimensions, with categories.

Every function is moved so that its optimum lies on the grid, whose best value is then known exactly. Scores are minus
the usual function. The median is of all configurations where they are few, else of 100,000 drawn with a fixed seed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from benchmarks.quality.tasks.task import Task
from jaxhpo.space import Choice, Int, Space
from jaxhpo.types import Array

_LEVELS = 33  # of every ordered dimension
_OPTIONS = 6  # of every category
_SAMPLE = 100_000
_NOISE = 0.1  # standard deviation, in units of best - median


def _branin(xp: Any, x: Any) -> Any:
    a, b = x[:, 0], x[:, 1]
    bent = (b - 5.1 / (4 * np.pi**2) * a**2 + 5 / np.pi * a - 6) ** 2
    return -(bent + 10 * (1 - 1 / (8 * np.pi)) * xp.cos(a) + 10)


_HARTMANN_A = np.array(
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_HARTMANN_C = np.array([1.0, 1.2, 3.0, 3.2])


def _hartmann6(xp: Any, x: Any) -> Any:
    a, p, c = (part.astype(x.dtype) for part in (_HARTMANN_A, _HARTMANN_P, _HARTMANN_C))
    return xp.sum(c[None] * xp.exp(-xp.sum(a[None] * (x[:, None] - p[None]) ** 2, axis=-1)), axis=-1)


def _ackley(xp: Any, x: Any) -> Any:
    far = 20 * xp.exp(-0.2 * xp.sqrt(xp.mean(x**2, axis=1)))
    return far + xp.exp(xp.mean(xp.cos(2 * np.pi * x), axis=1)) - 20 - np.e


def _rosenbrock(xp: Any, x: Any) -> Any:
    return -xp.sum(100 * (x[:, 1:] - x[:, :-1] ** 2) ** 2 + (1 - x[:, :-1]) ** 2, axis=1)


def _levy(xp: Any, x: Any) -> Any:
    w = 1 + (x - 1) / 4
    first, last = xp.sin(np.pi * w[:, 0]) ** 2, (w[:, -1] - 1) ** 2 * (1 + xp.sin(2 * np.pi * w[:, -1]) ** 2)
    return -(first + last + xp.sum((w[:, :-1] - 1) ** 2 * (1 + 10 * xp.sin(np.pi * w[:, :-1] + 1) ** 2), axis=1))


def _rastrigin(xp: Any, x: Any) -> Any:
    return -xp.sum(x**2 - 10 * xp.cos(2 * np.pi * x) + 10, axis=1)


class _Function(NamedTuple):
    """A function of real numbers, and where its maximum is."""

    function: Callable[[Any, Any], Any]  # numpy or jax.numpy, x [N, D] -> [N]
    low: np.ndarray  # [D]
    high: np.ndarray  # [D]
    optimum: np.ndarray  # [D]
    place: np.ndarray  # [D] where in the unit cube the optimum shall be, to the next level


def _natural(function: Callable, low: Any, high: Any, optimum: Any) -> _Function:
    """Return a function whose optimum stays where it usually is, to the next level."""
    low, high, optimum = (np.asarray(part, np.float64) for part in (low, high, optimum))
    return _Function(function, low, high, optimum, (optimum - low) / (high - low))


def _moved(function: Callable, dimensions: int, low: float, high: float, optimum: float, seed: int) -> _Function:
    """Return a function whose optimum is moved away from the cube's middle and diagonal."""
    place = np.random.default_rng(seed).uniform(0.15, 0.85, dimensions)
    ends = [np.full(dimensions, value) for value in (low, high, optimum)]
    return _Function(function, ends[0], ends[1], ends[2], place)


_HARTMANN6_AT = (0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054)
_FUNCTIONS = {
    "branin": _natural(_branin, (-5, 0), (10, 15), (np.pi, 2.275)),
    "hartmann6": _natural(_hartmann6, (0,) * 6, (1,) * 6, _HARTMANN6_AT),
    "ackley5": _moved(_ackley, 5, -10, 10, 0, 1),
    "ackley20": _moved(_ackley, 20, -10, 10, 0, 2),
    "rosenbrock4": _natural(_rosenbrock, (-2.048,) * 4, (2.048,) * 4, (1,) * 4),
    "levy10": _moved(_levy, 10, -10, 10, 1, 3),
    "rastrigin5": _moved(_rastrigin, 5, -5.12, 5.12, 0, 4),
}
# name -> function, irrelevant dimensions, noise
_PLAIN: dict[str, tuple[str, int, float]] = {name: (name, 0, 0.0) for name in _FUNCTIONS} | {
    "branin_noisy": ("branin", 0, _NOISE),
    "hartmann6_noisy": ("hartmann6", 0, _NOISE),
    "branin_irrelevant": ("branin", 8, 0.0),
    "hartmann6_irrelevant": ("hartmann6", 14, 0.0),
}
_MIXED = "mixed7"
NAMES = (*_PLAIN, _MIXED)


def load(name: str) -> Task:
    """Return an analytic task."""
    return _mixed() if name == _MIXED else _plain(name)


def _plain(name: str) -> Task:
    kind, irrelevant, noise = _PLAIN[name]
    made = _FUNCTIONS[kind]
    used = len(made.low)
    space = Space({f"x{i + 1}": Int(0, _LEVELS - 1) for i in range(used + irrelevant)})
    step = (made.high - made.low) / (_LEVELS - 1)
    at = np.round(made.place * (_LEVELS - 1)).astype(np.int32)

    def compute(xp: Any, levels: Any, dtype: Any) -> Any:
        x = (levels[:, :used] - at[None]).astype(dtype) * step.astype(dtype)[None] + made.optimum.astype(dtype)[None]
        return made.function(xp, x)

    about = f"{len(space)} dimensions of {_LEVELS} levels" + (f", {irrelevant} irrelevant" if irrelevant else "")
    return _task(name, space, compute, np.pad(at, (0, irrelevant)), noise, about + (", noise" if noise else ""))


def _mixed() -> Task:
    """Return Levy's function of four numbers, moved by one of three categories that also cost something each."""
    rng = np.random.default_rng(5)
    function = _moved(_levy, 4, -10, 10, 1, 6)
    options = tuple("abcdef"[:_OPTIONS])
    numbers, categories = 4, 3
    space = Space(
        {f"x{i + 1}": Int(0, _LEVELS - 1) for i in range(numbers)}
        | {f"c{i + 1}": Choice(options) for i in range(categories)}
    )
    step = (function.high - function.low) / (_LEVELS - 1)
    best = rng.integers(0, _OPTIONS, categories)
    at = np.round(function.place * (_LEVELS - 1)).astype(np.int32)
    moves = rng.integers(-8, 9, (_OPTIONS, numbers)).astype(
        np.int32
    )  # of the optimum, in levels, by the first category
    moves[best[0]] = 0
    cost = rng.uniform(2, 10, (categories, _OPTIONS))
    cost[np.arange(categories), best] = 0
    pair = rng.uniform(0, 10, (_OPTIONS, _OPTIONS))  # of the second and third category together
    pair[best[1], best[2]] = 0

    def compute(xp: Any, levels: Any, dtype: Any) -> Any:
        chosen = levels[:, numbers:]
        offset = levels[:, :numbers] - at[None] - xp.asarray(moves)[chosen[:, 0]]
        x = offset.astype(dtype) * step.astype(dtype)[None] + function.optimum.astype(dtype)[None]
        paid = sum(xp.asarray(cost[i].astype(dtype))[chosen[:, i]] for i in range(categories))
        return function.function(xp, x) - paid - xp.asarray(pair.astype(dtype))[chosen[:, 1], chosen[:, 2]]

    about = f"{numbers} dimensions of {_LEVELS} levels, {categories} categories of {_OPTIONS}"
    return _task(_MIXED, space, compute, np.concatenate([at, best]), 0.0, about)


def _task(name: str, space: Space, compute: Callable, optimum: np.ndarray, noise: float, about: str) -> Task:
    """Return a task from scores of levels, computed with numpy in float64 or jax.numpy in float32."""

    def on_device(levels: Array, budget: Array) -> Array:
        del budget
        return compute(jnp, levels, np.float32)

    def score(levels: np.ndarray, budget: np.ndarray | None = None) -> np.ndarray:
        del budget
        return compute(np, np.asarray(levels, np.int32), np.float64)

    best, median = float(score(optimum[None])[0]), _median(space, score)
    spread = noise * (best - median)
    return Task(name, "analytic", space, on_device, score, best, median, noise=spread, about=about)


def _median(space: Space, score: Callable) -> float:
    sizes = space.level_counts
    if np.prod([float(size) for size in sizes]) <= _SAMPLE:
        levels = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=-1)
    else:
        levels = np.random.default_rng(0).integers(0, sizes, (_SAMPLE, len(sizes)))
    return float(np.median(score(levels)))
