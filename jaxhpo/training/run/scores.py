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
from jaxhpo.training.goal.averaging import average
from jaxhpo.training.goal.resampling import resampled, resampled_on_arrays, score_on_arrays
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.programs import Programs
from jaxhpo.training.run.state import Weights
from jaxhpo.training.step.examples import Split, TrainingData

BLOCK = 16
"""Parts of the examples that a program scores, so that it does not depend on how many there are."""


class Scores:
    """Scores networks on examples, and outputs.

    Args:
        programs: The plan's programs, with the goal.
        layout: The lanes of a trial.
    """

    def __init__(self, programs: Programs, layout: Layout):
        self._programs, self._layout, self._goal = programs, layout, programs.goal
        self._compiled: dict[Hashable, Program] = {}

    @property
    def seconds(self) -> float:
        """Time that compiling took so far."""
        return sum(program.seconds for program in self._compiled.values())

    def together(self, data: TrainingData, trials: Sequence[Weights], shares: Sequence[float], split: Split) -> float:
        """Return the score of the networks of some trials on a split, which answer together.

        Args:
            data: Examples on the device, for their scales.
            trials: Their networks.
            shares: Weight of each trial; their sum is 1.
            split: Examples.
        """
        outputs, weights = [], []
        for one, share in zip(trials, shares, strict=True):
            program = self._program((one.bucket, split.y.shape[0]), partial(self._programs.outputs, one.bucket))
            for copy, network in enumerate(one.networks):
                fold = () if self._layout.folds is None else (np.int32(copy),)
                own = program(data, network.params, network.statistics, one.point, split, *fold)
                outputs.append(jax.tree.map(np.asarray, own))
                weights.append(share / len(one.networks))
        return self.score(average(outputs, weights, self._layout.averages), np.asarray(split.y))

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

    def on_parts(
        self, data: TrainingData, outputs: Any, y: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores and losses of outputs, [N, ...], on some parts of the examples.

        Args:
            data: Examples on the device, for their scales.
            outputs: What is scored.
            y: Targets of the examples: [N, ...].
            rows: The examples of each part: [S, n] int32, with S a multiple of `BLOCK`.

        Returns:
            [S] both. The scores of a metric on arrays are nan where it fails.
        """
        metric = self._goal.metric

        def compute(data: TrainingData, outputs: Any, y: Any, rows: Any) -> tuple[Any, Any]:
            def of_part(part: Any) -> tuple[Any, Any]:
                own, targets = jax.tree.map(lambda leaf: leaf[part], outputs), y[part]
                loss = self._programs.loss(data, own, targets)
                return loss if self._goal.on_arrays else metric(own, targets).astype(np.float32), loss

            return jax.lax.map(of_part, rows)

        program = self._program(("parts", _shapes(outputs), rows.shape[1]), compute)
        blocks = [program(data, outputs, y, rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)]
        scores, losses = (np.concatenate(both) for both in zip(*blocks, strict=True))
        if self._goal.on_arrays:
            scores = np.array([score_on_arrays(metric, outputs, y, part) for part in rows])
        return scores, losses

    def each(self, outputs: Any, y: np.ndarray) -> np.ndarray:
        """Return the score of each of several outputs, [S, n, ...], with targets [S, n, ...]: [S].

        S is a multiple of `BLOCK`.
        """
        if self._goal.on_arrays:
            both = [jax.tree.map(lambda leaf, i=i: leaf[i], (outputs, y)) for i in range(len(y))]
            return np.array([score_on_arrays(self._goal.metric, *one) for one in both])
        compute = partial(jax.lax.map, lambda one: self._goal.metric(*one).astype(np.float32))
        starts = range(0, len(y), BLOCK)
        blocks = [jax.tree.map(lambda leaf, i=i: leaf[i : i + BLOCK], (outputs, y)) for i in starts]
        program = self._program(("each", _shapes(blocks[0])), compute)
        return np.concatenate([program(block) for block in blocks])

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
