"""How long trials train where the user does not say: the most epochs, and the patience."""

from typing import Any, NamedTuple

from jaxhpo.machine.bounds import MOST_EPOCHS, check_count
from jaxhpo.space import Space
from jaxhpo.training.config.hyperparameters import ALIASES
from jaxhpo.training.config.space_reader import default_batch_size
from jaxhpo.training.step.stopping import Stopping, read_stopping

UPDATES = 48_000
"""Updates of the weights that a trial may make at most, in batches of the default size.

On most tables of the tuning half patience ends trials before. The largest gains up to about as many
(`python -m benchmarks.value.lengths`).
"""

FEWEST, MOST = 20, 300
"""Epochs between which the number of those updates is kept."""

PATIENCE_FEW, PATIENCE, FEW = 10, 20, 2000
"""Patience below `FEW` training examples, and from there on."""

FIXED_SMALL, FIXED_LARGE, SMALL = 20, 5, 5000
"""Epochs of a space with a schedule, up to `SMALL` training examples and beyond."""

_SCHEDULED = ("schedule", "warmup")


class TrainingLength(NamedTuple):
    """How long trials train.

    Attributes:
        epochs: The most that a trial is trained.
        stopping: When it ends before, and which of its epochs counts.
    """

    epochs: int
    stopping: Stopping

    def __str__(self) -> str:
        epochs = f"up to {self.epochs:,} epoch{'' if self.epochs == 1 else 's'}"
        patience = self.stopping.patience
        return epochs if patience is None or patience >= self.epochs else f"{epochs} with patience {patience:,}"


def training_length(
    examples: int, space: Space | None, *, epochs: Any = None, checkpoint: Any, patience: Any = None
) -> TrainingLength:
    """Return how long trials train.

    A learning-rate schedule or a warm-up spans the epochs, and early stopping would cut its end off. So a space with
    one has fewer epochs, and no patience.

    Args:
        examples: Number of training examples.
        space: The user's search space, or None.
        epochs: As the user says, or None.
        checkpoint: As the user says.
        patience: As the user says, or None.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    scheduled = space is not None and any(ALIASES.get(name, name) in _SCHEDULED for name in space)
    if epochs is None:
        epochs = _scheduled_epochs(examples) if scheduled else _epochs(examples)
    check_count("epochs", epochs, MOST_EPOCHS)
    if patience is None and not scheduled:
        patience = PATIENCE_FEW if examples < FEW else PATIENCE
    return TrainingLength(epochs, read_stopping(checkpoint, patience))


def _epochs(examples: int) -> int:
    an_epoch = max(examples // default_batch_size(examples), 1)
    return min(max(UPDATES // an_epoch, FEWEST), MOST)


def _scheduled_epochs(examples: int) -> int:
    return FIXED_SMALL if examples <= SMALL else FIXED_LARGE
