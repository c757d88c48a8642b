"""The lanes of a trial: one, or one for each fold that it holds out, or for each repeat."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.training.goal.averaging import average
from jaxhpo.training.step.folds import FoldSizes


class Layout(NamedTuple):
    """How trials are lanes, and how the results of lanes become those of a trial.

    Attributes:
        copies: Lanes of a trial.
        folds: The folds that they hold out; None for repeats, or for one lane.
        averages: What networks that answer together average: "probabilities" or "outputs".
    """

    copies: int
    folds: FoldSizes | None
    averages: str

    def rows(self, lanes: np.ndarray) -> np.ndarray:
        """Return the row of the proposal that each lane belongs to: [size] int."""
        return lanes // self.copies

    def networks_outputs(self, lanes: Sequence[Any]) -> list[Any]:
        """Return the outputs for all examples that a trial is scored on, [N, ...] each: of folds together, or each.

        Args:
            lanes: Outputs of each lane; with folds those of a large fold.
        """
        if self.folds is None:
            return list(lanes)
        sizes = [own.stop - own.start for own in self.folds.slices()]
        cut = [jax.tree.map(lambda leaf, size=size: leaf[:size], own) for own, size in zip(lanes, sizes, strict=True)]
        return [jax.tree.map(lambda *leaves: np.concatenate(leaves), *cut)]

    def outputs(self, networks: Sequence[Any]) -> Any:
        """Return the outputs of a trial: the mean of `networks_outputs`."""
        return average(networks, [1 / len(networks)] * len(networks), self.averages)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean of the lanes' numbers over the examples: [copies] float32."""
        if self.folds is None:
            return float(np.mean(values, dtype=np.float64))
        sizes = [own.stop - own.start for own in self.folds.slices()]
        return float(np.average(values.astype(np.float64), weights=sizes))
