"""Training of one configuration: one lane.

All lanes of a program process the same micro-batches. A lane whose batch is m times larger accumulates gradients and
updates after every m-th micro-batch. So batch sizes differ between lanes without padding. A remainder of an epoch that
does not fill a batch is dropped, as by a shuffling loader with ``drop_last``.

A lane may continue the training state of another trial. It then uses the random numbers of that trial, and its result
equals that of uninterrupted training, bit for bit.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.step import augmentation, optimizers, schedules
from jaxhpo.training.step.examples import (
    Split,
    TrainingData,
    by_length,
    epoch_batches,
    epoch_order,
    normalise,
    outputs_of,
)
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Batch, Learner, loss_of
from jaxhpo.types import Array, Key

__all__ = [
    "Lane",
    "LaneState",
    "Result",
    "Source",
    "Split",
    "TrainSpec",
    "TrainingData",
    "dropout_key",
    "epoch_order",
    "finish_lane",
    "next_epoch",
    "normalise",
    "runs",
    "start_lane",
    "train_epoch",
]


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
    """

    learner: Learner
    goal: Goal
    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    micro_batch: int
    epochs: int
    batch: int
    lengths: tuple[int, ...]


class LaneState(NamedTuple):
    """The state of a lane between two epochs, of at most E epochs.

    Attributes:
        params: Weights.
        statistics: Further variables of the network.
        moments: State of the optimizer.
        curve: Validation score after each epoch, nan beyond the budget: [E] float32.
        loss: Mean training loss of each epoch, nan beyond the budget: [E] float32.
        finite: Whether all losses and outputs were finite: [] bool.
    """

    params: Any
    statistics: Any
    moments: optimizers.Moments
    curve: Array
    loss: Array
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
        source: Training state to continue; None if no lane of the program continues another trial.
    """

    key: Key
    hyper: Hyper
    budget: Array
    active: Array
    source: Source | None = None


class Result(NamedTuple):
    """The result of training one lane, of at most E epochs.

    Attributes:
        params: Weights.
        statistics: Further variables of the network.
        score: Validation score after the last epoch, nan if the training diverged: [] float32.
        curve: Validation score after each epoch, nan beyond the budget: [E] float32.
        loss: Mean training loss of each epoch, nan beyond the budget: [E] float32.
        updates: Number of optimizer steps, without those of the source: [] int32.
        epochs: Number of epochs, without those of the source; fewer than the budget if the training diverged: [] int32.
        moments: State of the optimizer, if lanes may continue others; else None.
    """

    params: Any
    statistics: Any
    score: Array
    curve: Array
    loss: Array
    updates: Array
    epochs: Array
    moments: optimizers.Moments | None = None


def dropout_key(key: Key, epoch: Array) -> Array:
    """Return the key data ([2] uint32) of a trial's dropout in one epoch."""
    return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, 1), epoch))


def regularise(grads: Any, params: Any, hyper: Hyper) -> Any:
    """Add the gradient of ``l1 sum|w| + l2 sum w^2`` over kernels; sign(0) = 0, so that masked weights stay zero."""

    def add(path: tuple, g: Array, p: Array) -> Array:
        if not str(path[-1].key).endswith("kernel"):
            return g
        return g + hyper.l1.astype(p.dtype) * jnp.sign(p) + 2 * hyper.l2.astype(p.dtype) * p

    return jax.tree_util.tree_map_with_path(add, grads, params)


def start_lane(spec: TrainSpec, data: TrainingData, lane: Lane) -> LaneState:
    """Return the state of a lane before its first epoch, which may be that of its source."""

    def afresh() -> LaneState:
        example = spec.learner.prepare(data, data.train.x[:1])
        params, statistics = spec.learner.start(lane.key, example, lane.hyper)
        unset = jnp.full((spec.epochs,), jnp.nan, jnp.float32)
        return LaneState(params, statistics, optimizers.start(params), unset, unset, jnp.bool_(True))

    if lane.source is None:
        return afresh()
    state = lane.source.state
    return jax.lax.cond(lane.source.epoch > 0, lambda: state, afresh)


def runs(lane: Lane, state: LaneState, epoch: Array) -> Array:
    """Return whether a lane trains in an epoch: [] bool. It does not if it diverged or has used its budget."""
    goes_on = lane.active & state.finite & (epoch < lane.budget)
    return goes_on if lane.source is None else goes_on & (epoch >= lane.source.epoch)


def next_epoch(spec: TrainSpec, lane: Lane, state: LaneState, epoch: Array) -> Array:
    """Return the first epoch from `epoch` on in which a lane trains: [] int32; `spec.epochs` if there is none."""
    assert lane.source is not None
    goes_on = lane.active & state.finite & (epoch < lane.budget)
    return jnp.where(goes_on, jnp.maximum(epoch, lane.source.epoch), jnp.int32(spec.epochs))


def evaluate(
    spec: TrainSpec, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, split: Split
) -> tuple[Array, Array]:
    """Return a network's score on a split ([] float32), and whether it and all outputs are finite ([] bool).

    In place of a metric that is called on arrays it is the loss.
    """

    def use(apply: Any) -> tuple[Array, Array]:
        outputs = outputs_of(apply, split, spec.batch, spec.lengths)
        if spec.goal.on_arrays:
            score = loss_of(spec.goal, data, hyper, outputs, split.y).astype(jnp.float32)
        else:
            score = spec.goal.metric(outputs, split.y).astype(jnp.float32)
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(outputs)]
        return score, jnp.all(jnp.stack([jnp.isfinite(score), *finite]))

    return spec.learner.evaluate(data, hyper, params, statistics, use)


def train_epoch(
    spec: TrainSpec, data: TrainingData, order_key: Key, epoch: Array, lane: Lane, state: LaneState
) -> LaneState:
    """Train one configuration for one epoch.

    Args:
        spec: Facts that all lanes have in common.
        data: Examples.
        order_key: Key of `epoch_order`.
        epoch: Index of the epoch, from 0: [] int32.
        lane: Lane to train.
        state: State of the lane.
    """
    hyper, learner, micro = lane.hyper, spec.learner, spec.micro_batch
    rows, groups = epoch_batches(order_key, epoch, data.train, micro)
    steps = rows.shape[0]
    group = hyper.batch_size // micro  # micro-batches per update
    own = {"momentum": hyper.momentum, "weight_decay": hyper.weight_decay}
    coefficients = optimizers.coefficients(spec.optimizers, hyper.optimizer, data.offset.dtype, **own)
    updates = spec.epochs * (steps // group)
    key = dropout_key(lane.key, epoch)

    def micro_step(carry: tuple, step: tuple[Array, Array, Array, Array | None]) -> tuple[tuple, Array]:
        params, statistics, moments, total = carry
        index, position, count, length = step
        x, y = augmentation.move(data.train.x[index], hyper, key, position), data.train.y[index]
        x = augmentation.blank(learner.prepare(data, x), hyper, key, position)
        gradients = partial(learner.gradients, spec.goal, data, hyper, params, statistics)
        batch = partial(Batch, y=y, key=key, position=position)
        loss, grads, statistics = by_length(spec.lengths, length, lambda x: gradients(batch(x)), x)
        total = jax.tree.map(jnp.add, total, grads)

        def step_optimizer(params: Any, moments: optimizers.Moments, total: Any) -> tuple:
            mean = jax.tree.map(lambda g: g / group.astype(g.dtype), total)
            mean = regularise(mean, params, hyper)
            mean = mean if hyper.clip is None else optimizers.clip(mean, hyper.clip)
            rate = hyper.learning_rate
            if hyper.schedule is not None or hyper.warmup is not None:
                made = moments.count
                if lane.source is not None:  # its batch size may have been different
                    made = epoch * (steps // group) + count // group - 1
                rate = rate * schedules.factor(spec.schedules, hyper.schedule, hyper.warmup, made, updates)
            return *optimizers.update(coefficients, rate, mean, moments, params), _zeros(total)

        # A conditional, so that a lane that runs alone skips the update between the micro-batches of a batch.
        changed = jax.lax.cond(count % group == 0, step_optimizer, lambda *same: same, params, moments, total)
        return (changed[0], statistics, *changed[1:]), loss.astype(jnp.float32)

    positions = jnp.arange(steps * micro, dtype=jnp.int32).reshape(steps, micro)
    counts = jnp.arange(1, steps + 1, dtype=jnp.int32)
    start = (state.params, state.statistics, state.moments, _zeros(state.params))
    (params, statistics, moments, _), losses = jax.lax.scan(micro_step, start, (rows, positions, counts, groups))
    used = (counts <= steps // group * group).astype(jnp.float32)
    loss = jnp.sum(losses * used) / jnp.sum(used)
    score, finite = evaluate(spec, data, hyper, params, statistics, data.valid)
    finite = state.finite & jnp.isfinite(loss) & finite
    curve = state.curve.at[epoch].set(jnp.where(finite, score, jnp.nan))
    return LaneState(params, statistics, moments, curve, state.loss.at[epoch].set(loss), finite)


def finish_lane(lane: Lane, state: LaneState) -> Result:
    """Return the result of a lane's training."""
    done = lane.active & state.finite & (lane.budget >= 1)
    score = jnp.where(done, state.curve[lane.budget - 1], jnp.nan)
    # The last epoch of a diverged lane counts; its score is not finite.
    epochs = jnp.where(state.finite, lane.budget, jnp.sum(jnp.isfinite(state.curve), dtype=jnp.int32) + 1)
    epochs = jnp.where(lane.active, epochs, 0)
    result = Result(state.params, state.statistics, score, state.curve, state.loss, state.moments.count, epochs)
    if lane.source is None:
        return result
    return result._replace(
        updates=result.updates - lane.source.state.moments.count,
        epochs=jnp.where(lane.active, epochs - lane.source.epoch, 0),
        moments=state.moments,
    )


def _zeros(tree: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, tree)
