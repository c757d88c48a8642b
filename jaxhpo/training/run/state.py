"""The state of a Trainer between two rounds."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.training.step.examples import TrainingData
from jaxhpo.training.step.lane_state import LaneState


class NetworkWeights(NamedTuple):
    """The weights of one lane, in the shapes of its bucket.

    Attributes:
        params: Weights: NumPy arrays in host memory.
        statistics: Further variables of the network.
    """

    params: Any
    statistics: Any


class Weights(NamedTuple):
    """The trained networks of a trial: one, or one a fold or repeat.

    Attributes:
        trial: Id of the trial.
        score: Score of the trial.
        rank: Score if higher is better, else its negative.
        loss: Validation loss, which parts equal scores.
        bucket: Bucket of the plan, which determines the network.
        networks: The networks.
        point: Configuration: [D] float32.
    """

    trial: int
    score: float
    rank: float
    loss: float
    bucket: int
    networks: tuple[NetworkWeights, ...]
    point: np.ndarray

    def beats(self, other: "Weights | None") -> bool:
        """Return whether these are better than others: by score, by validation loss, and the earlier trial."""
        return other is None or (self.rank, -self.loss, -self.trial) > (other.rank, -other.loss, -other.trial)

    @property
    def bytes(self) -> int:
        """The size of the networks in bytes."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self.networks))


class ResumeState(NamedTuple):
    """The training state of a trial, which another trial may continue.

    Attributes:
        root: First trial of the chain, whose random numbers the whole chain uses.
        budget: Epochs trained in total.
        config: Configuration.
        states: State of each of its lanes: [1, ...] NumPy arrays in host memory.
        retained: Whether the algorithm named the trial as resumable, and its arrays are separate. Otherwise they belong
            to the last round, and may be parts of its chunk's arrays.
    """

    root: int
    budget: int
    config: Mapping[str, Any]
    states: tuple[LaneState, ...]
    retained: bool


class TrainerState(NamedTuple):
    """The state of the objective.

    Attributes:
        data: Examples, an argument of the programs and not a constant.
        best: Weights of the best trial, or None.
        candidates: Weights of the trials with the lowest validation losses, lowest first; see `candidates.py`.
        end: Validation loss and id of the trial from which on there are no candidates, whatever leaves.
        outputs: Outputs for the validation examples, by trial: [N, ...] NumPy arrays; see `candidates.py`.
        cross_fitted: Outputs like `outputs`, but after epochs that were chosen without the example: see `CrossFit`.
        kept: Training states that may be continued, by trial; never changed in place.
    """

    data: TrainingData
    best: Weights | None
    candidates: tuple[Weights, ...] = ()
    end: tuple[float, int] = (math.inf, 0)
    outputs: Mapping[int, Any] = {}
    cross_fitted: Mapping[int, Any] = {}
    kept: Mapping[int, ResumeState] = {}
