"""What a Trainer keeps between two batches."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.training.step.examples import TrainingData
from jaxhpo.training.step.lane import LaneState


class Weights(NamedTuple):
    """What the best trial so far ended with."""

    trial: int
    score: float
    rank: float  # the score where higher is better, else its negative
    bucket: int  # of the plan: the network that these are weights of
    lane: int  # where in the chunk
    params: Any  # [size, ...] each: the whole chunk's
    statistics: Any  # [size, ...] each: what the network keeps beside them
    point: np.ndarray  # [D] float32: its configuration


class ResumeState(NamedTuple):
    """Where a trial's training stands, for one that continues it."""

    root: int  # the first trial of the chain, whose random numbers all of it has
    budget: int  # epochs that were trained in all
    config: Mapping[str, Any]
    state: LaneState  # [1, ...] NumPy arrays each, in the host's memory
    retained: bool  # named as resumable, its arrays its own; else of the last batch, perhaps parts of its chunk's


class TrainerState(NamedTuple):
    """The objective's state: the examples, an argument and not a constant of the programs; what trials ended with."""

    data: TrainingData
    best: Weights | None
    kept: Mapping[int, ResumeState] = {}  # by trial: those that may be continued; never changed in place
