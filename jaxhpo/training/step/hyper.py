"""The hyperparameters of one lane in the training step."""

from typing import NamedTuple

from jaxhpo.types import Array


class Hyper(NamedTuple):
    """The hyperparameters of one lane in the training step: scalars, or [B] each.

    None is a hyperparameter that the space does not have; the step then leaves out its computation.

    Attributes:
        learning_rate: Learning rate, float32.
        batch_size: Batch size, int32.
        layers: Number of layers, int32.
        units: Number of units, int32.
        l1: Weight of the L1 penalty, float32.
        l2: Weight of the L2 penalty, float32.
        dropout: Dropout rate, float32.
        optimizer: Index into `Ranges.optimizers`, int32.
        momentum: Momentum, float32.
        weight_decay: Decoupled weight decay, float32.
        schedule: Index into `Ranges.schedules`, int32.
        warmup: Share of updates of the warm-up, float32.
        clip: Largest norm of the gradient, float32.
        label_smoothing: Share of a label spread over the classes, float32.
        crop: Largest shift in pixels, int32.
        flip: Probability of a mirror image, float32.
        cutout: Side of the blanked square in pixels, int32.
        embedding_dropout: Dropout rate of the embedding, float32.
        representation: Place of the representation among those of a program, int32.
        own: Arguments of a user's model by name, float32 each.
    """

    learning_rate: Array
    batch_size: Array
    layers: Array
    units: Array
    l1: Array
    l2: Array
    dropout: Array
    optimizer: Array
    momentum: Array | None = None
    weight_decay: Array | None = None
    schedule: Array | None = None
    warmup: Array | None = None
    clip: Array | None = None
    label_smoothing: Array | None = None
    crop: Array | None = None
    flip: Array | None = None
    cutout: Array | None = None
    embedding_dropout: Array | None = None
    representation: Array | None = None
    own: dict[str, Array] | None = None
