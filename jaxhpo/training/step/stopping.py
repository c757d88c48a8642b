"""When the training of a lane ends, and which of its epochs counts: early stopping by the validation loss."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.machine.bounds import MOST_EPOCHS, check_count
from jaxhpo.training.step.cross_fitting import CrossFit, first_cross_fit, next_cross_fit
from jaxhpo.types import Array

BEST, LAST = "best", "last"
_PATIENCES = 5
"""A mean training by epochs of its patience: trials of the default spaces on the digits have 48 and 49 with 10."""


class Stopping(NamedTuple):
    """When a training ends, and which of its epochs counts.

    Attributes:
        checkpoint: "best" if the weights and the score of the epoch with the lowest validation loss count, "last" if
            those of the last epoch do.
        patience: Epochs without a lower validation loss after which a training ends before its budget; None for never.
    """

    checkpoint: str = BEST
    patience: int | None = None

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best epoch count."""
        return self.checkpoint == BEST

    def expected_epochs(self, most: int) -> int:
        """Return about how many epochs a training has that may have `most`: what a plan goes by."""
        return most if self.patience is None else min(most, _PATIENCES * self.patience)


DEFAULT_STOPPING = Stopping()


class Checkpoint(NamedTuple):
    """The epoch of a training with the lowest validation loss so far; the earliest of equal ones.

    Attributes:
        loss: Validation loss after it, inf before the first epoch: [] float32.
        epoch: Number of epochs after which it was reached, 0 before the first: [] int32.
        weights: Params and statistics after it; None where those of the last epoch count.
        outputs: Outputs for the validation examples after the epoch that counts: arrays [N, ...].
        cross_fit: Outputs of epochs that were chosen without the example; None where the last epoch counts.
    """

    loss: Array
    epoch: Array
    weights: Any
    outputs: Any
    cross_fit: CrossFit | None


def read_stopping(checkpoint: Any, patience: Any) -> Stopping:
    """Return a user's choice of when a training ends and which of its epochs counts.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    if not isinstance(checkpoint, str) or checkpoint not in (BEST, LAST):
        raise ValueError(
            f"checkpoint={checkpoint!r} must be 'best', the epoch of the lowest validation loss, or 'last'"
        )
    if patience is not None:
        check_count("patience", patience, MOST_EPOCHS, more="; as many as there are epochs end no training early")
    return Stopping(checkpoint, patience)


def first_checkpoint(stopping: Stopping, params: Any, statistics: Any, outputs: Any, losses: Any) -> Checkpoint:
    """Return the checkpoint of a lane before its first epoch; of `outputs` and `losses` only the shapes count."""
    weights = (params, statistics) if stopping.keeps_best else None
    unset = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), outputs)
    cross_fit = first_cross_fit(outputs, losses.shape[0]) if stopping.keeps_best else None
    return Checkpoint(jnp.float32(jnp.inf), jnp.int32(0), weights, unset, cross_fit)


def next_checkpoint(
    before: Checkpoint,
    epoch: Array,
    loss: Array,
    losses: Array | None,
    params: Any,
    statistics: Any,
    outputs: Any,
) -> Checkpoint:
    """Return the checkpoint of a lane after an epoch.

    Args:
        before: The checkpoint before it.
        epoch: Number of epochs trained: [] int32.
        loss: Validation loss after the epoch: [] float32. One that is nan is no lower one.
        losses: Validation loss without each part of the examples: [P] float32; None where the last epoch counts.
        params: Weights after the epoch.
        statistics: Further variables of the network after the epoch.
        outputs: Outputs for the validation examples after the epoch: [N, ...].
    """
    lower = loss < before.loss

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(lower, new, old)

    if before.cross_fit is None or losses is None:  # the last epoch counts
        return Checkpoint(choose(loss, before.loss), choose(epoch, before.epoch), None, outputs, None)
    new = Checkpoint(loss, epoch, (params, statistics), outputs, None)
    chosen = jax.tree.map(choose, new, before._replace(cross_fit=None))
    return chosen._replace(cross_fit=next_cross_fit(before.cross_fit, losses, outputs))


def is_patient(stopping: Stopping, checkpoint: Checkpoint, epoch: Array) -> Array | bool:
    """Return whether a lane that has trained `epoch` epochs ([] int32) trains on: [] bool, or True."""
    return True if stopping.patience is None else epoch - checkpoint.epoch < stopping.patience
