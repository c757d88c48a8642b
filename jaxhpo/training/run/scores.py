"""Scores of networks that are trained: of the test examples, and those by a metric that is called on NumPy arrays."""

import warnings
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import Program
from jaxhpo.errors import first_line, place_of
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.programs import Programs
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.lane_state import Result


class Scores:
    """Scores single lanes of chunks.

    Args:
        programs: The plan's programs, with the goal.
    """

    def __init__(self, programs: Programs):
        self._programs, self._on_arrays = programs, programs.goal.on_arrays
        self._compiled: dict[tuple[int, int], Program] = {}

    @property
    def seconds(self) -> float:
        """Time that compiling took so far."""
        return sum(program.seconds for program in self._compiled.values())

    def score(self, bucket: int, data: TrainingData, trained: tuple[Any, Any, int, np.ndarray], split: Split) -> float:
        """Return the score of one lane of a chunk on a split; nan, with a warning, where a metric fails on arrays.

        Args:
            bucket: Bucket of the plan.
            data: Examples on the device, for their scales.
            trained: Params and statistics of the chunk, index of the lane in it, and its configuration, [D] float32.
            split: Examples to score.
        """
        function = self._programs.outputs if self._on_arrays else self._programs.test
        program = self._compiled.setdefault((bucket, split.y.shape[0]), Program(partial(function, bucket)))
        params, statistics, lane, point = trained
        found = program(data, params, statistics, np.int32(lane), point, split)
        if not self._on_arrays:
            return float(found)
        goal = self._programs.goal
        try:
            return float(goal.metric(jax.tree.map(np.asarray, found), np.asarray(split.y)))
        except Exception as error:  # of the user's code, or scikit-learn's words on it
            line = first_line(error, 160)
            warnings.warn(
                f"metric {goal.name} fails: {type(error).__name__}: {line}{place_of(error)}",
                RuntimeWarning,
                stacklevel=2,
            )
            return np.nan

    def of_chunk(self, data: TrainingData, launch: Launch, result: Result, point: np.ndarray) -> np.ndarray | None:
        """Return the validation scores of a chunk's lanes by a metric that is called on arrays: [lanes] float32.

        Those of lanes that diverged are nan. None if the chunk's program has computed them.

        Args:
            data: Examples on the device.
            launch: The chunk.
            result: Its result.
            point: Configurations of the round: [B, D] float32.
        """
        if not self._on_arrays:
            return None
        finite = np.isfinite(np.asarray(result.score))
        scores = [
            self.score(launch.bucket, data, (result.params, result.statistics, i, point[lane]), data.valid)
            if finite[i]
            else np.nan
            for i, lane in enumerate(launch.lanes.tolist())
        ]
        return np.array(scores, np.float32)
