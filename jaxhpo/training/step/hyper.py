"""The hyperparameters of one lane, as the training step reads them."""

from typing import NamedTuple

from jaxhpo.types import Array


class Hyper(NamedTuple):
    """One lane's hyperparameters as the training step reads them; scalars, or [B] each.

    None is one that the space lacks: the step then has nothing of it.
    """

    learning_rate: Array  # float32
    batch_size: Array  # int32
    layers: Array  # int32
    units: Array  # int32
    l1: Array  # float32
    l2: Array  # float32
    dropout: Array  # float32
    optimizer: Array  # int32: index into `Ranges.optimizers`
    momentum: Array | None = None  # float32
    weight_decay: Array | None = None  # float32
    schedule: Array | None = None  # int32: index into `Ranges.schedules`
    warmup: Array | None = None  # float32
    clip: Array | None = None  # float32
    label_smoothing: Array | None = None  # float32
    crop: Array | None = None  # int32
    flip: Array | None = None  # float32
    cutout: Array | None = None  # int32
    embedding_dropout: Array | None = None  # float32
    own: dict[str, Array] | None = None  # float32 each: what a user's model takes, by name
