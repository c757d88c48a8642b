"""The training of a lane as data: what it starts from, what it is between two epochs, and its result."""

from typing import Any, NamedTuple

from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.step import optimizers
from jaxhpo.training.step.folds import FoldSizes
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner
from jaxhpo.training.step.stopping import Checkpoint, Stopping
from jaxhpo.types import Array, Key


class TrainSpec(NamedTuple):
    """The static facts that the lanes of a program have in common.

    Attributes:
        learner: Network and its gradients.
        goal: Loss and metric.
        optimizers: Optimizers that a lane may use.
        schedules: Schedules that a lane may use.
        micro_batch: Smallest batch size; all others are multiples of it.
        epochs: Largest number of epochs of a lane, which a learning-rate schedule spans.
        batch: Examples per forward pass of an evaluation.
        lengths: Lengths of the groups of texts, shortest first; at most one if all are padded alike.
        stopping: When a lane's training ends, and which of its epochs counts.
        folds: The folds that lanes are of; None without.
    """

    learner: Learner
    goal: Goal
    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    micro_batch: int
    epochs: int
    batch: int
    lengths: tuple[int, ...]
    stopping: Stopping
    folds: FoldSizes | None = None


class LaneState(NamedTuple):
    """The state of a lane between two epochs, of at most E epochs.

    Attributes:
        params: Weights.
        statistics: Further variables of the network.
        moments: State of the optimizer.
        curve: Validation score after each epoch, nan for those that were not trained, and where a fold has none that is
            finite: [E] float32.
        loss: Mean training loss of each epoch, nan for those that were not trained: [E] float32.
        validation_loss: Validation loss after each epoch, nan for those that were not trained: [E] float32.
        checkpoint: Epoch of the lowest validation loss.
        finite: Whether all losses and outputs were finite: [] bool.
    """

    params: Any
    statistics: Any
    moments: optimizers.Moments
    curve: Array
    loss: Array
    validation_loss: Array
    checkpoint: Checkpoint
    finite: Array


class Source(NamedTuple):
    """The training state that a lane continues.

    Attributes:
        epoch: Number of trained epochs, 0 to train from the start: [] int32.
        state: State of the lane; zeros if `epoch` is 0.
    """

    epoch: Array
    state: LaneState


class Lane(NamedTuple):
    """The facts that differ between lanes.

    Attributes:
        key: Key of the trial, or of the first trial of a chain of continued trials: [].
        hyper: Hyperparameters, scalars.
        budget: Epochs, those of the source included: [] int32.
        active: Whether the lane trains: [] bool.
        fold: Index of the fold that is held out: [] int32; None without folds.
        source: Training state to continue; None if no lane of the program continues another trial.
    """

    key: Key
    hyper: Hyper
    budget: Array
    active: Array
    fold: Array | None = None
    source: Source | None = None


class Result(NamedTuple):
    """The result of training one lane, of at most E epochs.

    Attributes:
        params: Weights after the epoch that counts; see `Stopping`.
        statistics: Further variables of the network after the epoch that counts.
        outputs: Outputs for the validation examples after the epoch that counts: [N, ...]; with folds those of a large
            fold.
        cross_fitted: Outputs of epochs that were chosen without the example, see `CrossFit`; None where the last epoch
            counts.
        score: Validation score after the epoch that counts, nan if the training diverged, or if a fold has
            none that is finite: [] float32.
        curve: Validation score after each epoch, nan for those that were not trained, and where a fold has none that is
            finite: [E] float32.
        loss: Mean training loss of each epoch, nan for those that were not trained: [E] float32.
        validation_loss: Validation loss after each epoch, nan for those that were not trained: [E] float32.
        updates: Number of optimizer steps, without those of the source: [] int32.
        epochs: Number of epochs, without those of the source: [] int32. Fewer than the budget if the training diverged
            or ended by patience.
        checkpoint: The epoch that counts, from 1; 0 if the training diverged: [] int32.
        state: State after the last epoch, if lanes may continue others; else None.
    """

    params: Any
    statistics: Any
    outputs: Any
    cross_fitted: Any
    score: Array
    curve: Array
    loss: Array
    validation_loss: Array
    updates: Array
    epochs: Array
    checkpoint: Array
    state: LaneState | None = None
