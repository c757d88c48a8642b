"""The lanes of a trial: one, or one for each fold that it holds out, or for each repeat."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.data.folds import Folds
from jaxhpo.training.goal.averaging import average
from jaxhpo.training.step.folds import FoldSizes


class Layout(NamedTuple):
    """How trials are lanes, and how the results of lanes become those of a trial.

    Attributes:
        copies: Lanes of a trial.
        folds: The folds that they hold out, of a pool in their order; None for repeats, or for one lane.
        averages: What networks that answer together average: "probabilities" or "outputs".
    """

    copies: int
    folds: Folds | None
    averages: str

    @property
    def fold_sizes(self) -> FoldSizes | None:
        """The folds as programs see them."""
        return None if self.folds is None else FoldSizes(len(self.folds.rows), self.folds.count)

    def networks_outputs(self, lanes: Sequence[Any]) -> list[Any]:
        """Return the outputs for all examples that a trial is scored on, [N, ...] each: of folds together, or each.

        Args:
            lanes: Outputs of each lane; with folds those of a large fold.
        """
        if self.folds is None:
            return list(lanes)
        both = zip(lanes, self.folds.sizes, strict=True)
        cut = [jax.tree.map(lambda leaf, size=size: leaf[:size], own) for own, size in both]
        return [jax.tree.map(lambda *leaves: np.concatenate(leaves), *cut)]

    def outputs(self, networks: Sequence[Any]) -> Any:
        """Return the outputs of a trial: the mean of `networks_outputs`."""
        return average(networks, [1 / len(networks)] * len(networks), self.averages)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean of the lanes' numbers over the examples: [copies] float32."""
        if self.folds is None:
            return float(np.mean(values, dtype=np.float64))
        return float(np.average(values.astype(np.float64), weights=self.folds.sizes))
