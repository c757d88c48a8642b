"""Fit smooth functions to recorded trainings, and find the best configuration of each."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from benchmarks.quality.tasks import surrogates
from benchmarks.quality.tasks.surrogates import MOMENTUM, Fit, Surface, Trainings

_MARGIN = 0.05  # of the ceiling above the best that was recorded, in units of best - guess
_LENGTHS = (0.15, 20.0)  # of a dimension's 0 .. 1; a shorter one would be fitted to luck
_START = 0.7
_HELD_OUT = 5  # one in so many trainings
_SAMPLE, _CLIMBERS = 200_000, 300
_PAIRED = 12  # of the tops, whose pairs of dimensions are searched as well
_BATCH = 4096
_MEDIAN = 20_000  # of the sample

Score = Callable[[np.ndarray], np.ndarray]
"""Levels [N, D] -> scores [N]."""


def fit(trainings: Trainings, *, quick: bool = False) -> Fit:
    """Return the mean of a Gaussian process that is fitted to trainings; `quick` is a small search for its best.

    Lengths, amplitude and noise are those of the highest marginal likelihood of four fifths of the trainings, which
    also predict the other fifth; with them, weights are of all.
    """
    top = ceiling(trainings)
    y = surrogates.encode(trainings.score, top, trainings.nothing)
    x = trainings.places / 255
    relevant = np.ones(x.shape[1], bool)
    if "momentum" not in trainings.space["optimizer"].level_values:
        relevant[MOMENTUM] = False  # only one optimizer reads it
    held = np.arange(len(y)) % _HELD_OUT == 0
    guess = ConstantKernel(2.0, (0.1, 100)) * Matern(np.full(relevant.sum(), _START), _LENGTHS, nu=2.5)
    guess += WhiteKernel(0.1, (1e-3, 1.0))
    process = GaussianProcessRegressor(guess, normalize_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound says: irrelevant
        process.fit(x[~held][:, relevant], y[~held])
    missed = y[held] - process.predict(x[held][:, relevant])
    held_out = 1 - np.sum(missed**2) / np.sum((y[held] - y[held].mean()) ** 2)
    kernel: Any = process.kernel_
    mean, scale = y.mean(), y.std()
    weights = np.linalg.solve(kernel(x[:, relevant]), (y - mean) / scale)
    rates = np.zeros(x.shape[1], np.float32)
    rates[relevant] = 1 / kernel.k1.k2.length_scale
    weights = (weights * kernel.k1.k1.constant_value * scale).astype(np.float32)
    space = surrogates.grid(trainings.space)
    made = surrogates.surface(trainings, space, rates, weights, mean)
    best, median = extremes(made, np.array(space.level_counts), _SAMPLE // 100 if quick else _SAMPLE)
    return Fit(rates, weights, float(mean), top, best, median, float(held_out))


def ceiling(trainings: Trainings) -> float:
    """Return a validation score just above the best that was recorded."""
    top = float(trainings.score.max())
    return top + _MARGIN * (top - trainings.nothing)


def extremes(made: Surface, sizes: np.ndarray, sample: int) -> tuple[np.ndarray, float]:
    """Return the levels of the best configuration and the median score.

    From the best of a sample each climbs to where no other level of any one dimension is better, and the best of those
    to where no levels of any two are; the last in float64, by which a task scores.
    """
    program = jax.jit(lambda levels: surrogates.on_device(levels, levels[:, 0], *map(jnp.asarray, made)))

    def quickly(levels: np.ndarray) -> np.ndarray:
        more = -len(levels) % _BATCH
        padded = np.pad(levels, ((0, more), (0, 0))).astype(np.int32).reshape(-1, _BATCH, len(sizes))
        return np.concatenate([np.asarray(program(part)) for part in padded])[: len(levels)]

    drawn = np.random.default_rng(0).integers(0, sizes, (sample, len(sizes)))
    scores = quickly(drawn)
    tops = climb(drawn[np.argsort(-scores, kind="stable")[:_CLIMBERS]], sizes, quickly)
    tops = np.unique(tops, axis=0)
    tops = tops[np.argsort(-quickly(tops), kind="stable")[:_PAIRED]]
    for score in (quickly, made.score):
        while True:
            near = np.stack([pairs(top, sizes) for top in tops])
            chosen = score(near.reshape(-1, len(sizes))).reshape(len(tops), -1).argmax(axis=1)
            better = climb(near[np.arange(len(tops)), chosen], sizes, score)
            if np.all(score(better) <= score(tops)):
                break
            tops = better
        tops = tops[[score(tops).argmax()]]
    return tops[0].astype(np.uint8), float(np.median(made.score(drawn[:_MEDIAN])))


def climb(levels: np.ndarray, sizes: np.ndarray, score: Score) -> np.ndarray:
    """Return where each ends that takes the best level of one dimension after another: [N, D] -> the same."""
    while True:
        before = levels
        for d, size in enumerate(sizes):
            near = np.repeat(levels[:, None], size, axis=1)
            near[:, :, d] = np.arange(size)
            best = score(near.reshape(-1, len(sizes))).reshape(len(levels), size).argmax(axis=1)
            levels = near[np.arange(len(levels)), best]
        if np.array_equal(levels, before):
            return levels


def pairs(levels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return all configurations that differ in at most two dimensions: [D] -> [N, D]."""
    near = []
    for a in range(len(sizes)):
        for b in range(a):
            made = np.tile(levels, (sizes[a] * sizes[b], 1))
            made[:, a], made[:, b] = np.divmod(np.arange(len(made)), sizes[b])
            near.append(made)
    return np.concatenate(near)
