"""Scores of networks that are trained: of the test examples, of folds together, and by a metric on NumPy arrays."""

import math
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import Program
from jaxhpo.errors import first_line, place_of
from jaxhpo.training.goal.resampling import resampled, resampled_on_arrays
from jaxhpo.training.run.programs import Programs
from jaxhpo.training.run.state import Network
from jaxhpo.training.step.examples import Split, TrainingData


class Scores:
    """Computes outputs of single networks, and scores of outputs.

    Args:
        programs: The plan's programs, with the goal.
    """

    def __init__(self, programs: Programs):
        self._programs, self._goal = programs, programs.goal
        self._compiled: dict[Hashable, Program] = {}

    @property
    def seconds(self) -> float:
        """Time that compiling took so far."""
        return sum(program.seconds for program in self._compiled.values())

    def outputs(
        self, bucket: int, data: TrainingData, network: Network, point: np.ndarray, split: Split, copy: int | None
    ) -> Any:
        """Return a network's outputs for a split: NumPy arrays [N, ...].

        Args:
            bucket: Bucket of the plan.
            data: Examples on the device, for their scales.
            network: Weights.
            point: Configuration: [D] float32.
            split: Examples.
            copy: Which of its trial's networks it is; None where a trial has one.
        """
        program = self._program((bucket, split.y.shape[0]), partial(self._programs.outputs, bucket))
        more = () if copy is None else (np.int32(copy),)
        return jax.tree.map(np.asarray, program(data, network.params, network.statistics, point, split, *more))

    def score(self, outputs: Any, y: np.ndarray) -> float:
        """Return the score of outputs, [N, ...]; nan, with a warning, where a metric fails on arrays."""
        if self._goal.on_arrays:
            return self._on_arrays(lambda: float(self._goal.metric(outputs, y)), math.nan)
        return float(self._program(("metric", _shapes(outputs)), self._goal.metric)(outputs, y))

    def resampled(self, outputs: Sequence[Any], y: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean score of several networks' outputs, [N, ...] each, and that on resampled examples, [S].

        The score is nan, with a warning, where a metric fails on arrays.
        """
        if self._goal.on_arrays:
            compute = partial(resampled_on_arrays, self._goal.metric, list(outputs), y)
            return self._on_arrays(compute, (math.nan, np.full(1, math.nan)))
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *outputs)
        program = self._program(("resampled", _shapes(stacked)), partial(resampled, self._goal.metric))
        score, scores = program(stacked, y)
        return float(score), np.asarray(scores)

    def loss(self, data: TrainingData, outputs: Any, y: np.ndarray) -> float:
        """Return the loss of outputs, [N, ...], without penalties."""
        return float(self._program(("loss", _shapes(outputs)), self._programs.loss)(data, outputs, y))

    def _program(self, key: Hashable, function: Callable[..., Any]) -> Program:
        return self._compiled.setdefault(key, Program(function))

    def _on_arrays(self, compute: Callable[[], Any], failed: Any) -> Any:
        try:
            return compute()
        except Exception as error:  # of the user's code, or scikit-learn's words on it
            line = first_line(error, 160)
            warnings.warn(
                f"metric {self._goal.name} fails: {type(error).__name__}: {line}{place_of(error)}",
                RuntimeWarning,
                stacklevel=3,
            )
            return failed


def _shapes(outputs: Any) -> Hashable:
    leaves, tree = jax.tree.flatten(outputs)
    return tree, *((leaf.shape, str(leaf.dtype)) for leaf in leaves)
