"""The state of a Trainer between two rounds."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.training.step.examples import TrainingData
from jaxhpo.training.step.lane_state import LaneState


class Weights(NamedTuple):
    """The weights of the best trial so far.

    Attributes:
        trial: Id of the trial.
        score: Score of the trial.
        rank: Score if higher is better, else its negative.
        loss: Validation loss, which parts equal scores.
        bucket: Bucket of the plan, which determines the network.
        lane: Index of the lane in the chunk.
        params: Weights of the whole chunk: [size, ...] each.
        statistics: Further variables of the networks of the whole chunk: [size, ...] each.
        point: Configuration: [D] float32.
    """

    trial: int
    score: float
    rank: float
    loss: float
    bucket: int
    lane: int
    params: Any
    statistics: Any
    point: np.ndarray

    def beats(self, other: "Weights | None") -> bool:
        """Return whether these are better than others: by score, by validation loss, and the earlier trial."""
        return other is None or (self.rank, -self.loss, -self.trial) > (other.rank, -other.loss, -other.trial)


class ResumeState(NamedTuple):
    """The training state of a trial, which another trial may continue.

    Attributes:
        root: First trial of the chain, whose random numbers the whole chain uses.
        budget: Epochs trained in total.
        config: Configuration.
        state: State of the lane: [1, ...] NumPy arrays in host memory.
        retained: Whether the algorithm named the trial as resumable, and its arrays are separate. Otherwise they belong
            to the last round, and may be parts of its chunk's arrays.
    """

    root: int
    budget: int
    config: Mapping[str, Any]
    state: LaneState
    retained: bool


class TrainerState(NamedTuple):
    """The state of the objective.

    Attributes:
        data: Examples, an argument of the programs and not a constant.
        best: Weights of the best trial, or None.
        kept: Training states that may be continued, by trial; never changed in place.
    """

    data: TrainingData
    best: Weights | None
    kept: Mapping[int, ResumeState] = {}
