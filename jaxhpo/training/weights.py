"""What a Trainer keeps between two batches."""

from typing import Any, NamedTuple

import numpy as np

from jaxhpo.training.examples import TrainingData


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


class TrainerState(NamedTuple):
    """The objective's state: the examples, an argument and not a constant of the programs, and the best weights."""

    data: TrainingData
    best: Weights | None
