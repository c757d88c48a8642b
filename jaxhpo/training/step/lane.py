"""Training of one configuration: one lane.

All lanes of a program process the same micro-batches. A lane whose batch is m times larger accumulates gradients and
updates after every m-th micro-batch. So batch sizes differ between lanes without padding. A remainder of an epoch that
does not fill a batch is dropped, as by a shuffling loader with ``drop_last``.

A lane may continue the training state of another trial. It then uses the random numbers of that trial, and its result
equals that of uninterrupted training, bit for bit.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxhpo.training.step import augmentation, optimizers, schedules
from jaxhpo.training.step.cross_fitting import losses_without_parts, parts_of
from jaxhpo.training.step.examples import (
    Part,
    TrainingData,
    by_length,
    data_of,
    epoch_batches,
    fold_batches,
    outputs_of,
)
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.lane_state import Lane, LaneState, Result, TrainSpec
from jaxhpo.training.step.learner import Batch, loss_of
from jaxhpo.training.step.stopping import first_checkpoint, is_patient, next_checkpoint
from jaxhpo.types import Array, Key


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
    own = data_of(data, lane.fold)

    def afresh() -> LaneState:
        example = spec.learner.prepare(own, data.train.x[:1])
        params, statistics = spec.learner.start(lane.key, example, lane.hyper)
        unset = jnp.full((spec.epochs,), jnp.nan, jnp.float32)
        outputs, _, _, losses, _ = jax.eval_shape(lambda p, s: evaluate(spec, own, lane, p, s), params, statistics)
        checkpoint = first_checkpoint(spec.stopping, params, statistics, outputs, losses)
        moments, curves = optimizers.start(params), (unset, unset, unset)
        return LaneState(params, statistics, moments, *curves, checkpoint, jnp.bool_(True))

    if lane.source is None:
        return afresh()
    state = lane.source.state
    return jax.lax.cond(lane.source.epoch > 0, lambda: state, afresh)


def runs(spec: TrainSpec, lane: Lane, state: LaneState, epoch: Array) -> Array:
    """Return whether a lane trains in an epoch: [] bool.

    It does not if it diverged, has used its budget, or its patience has ended.
    """
    goes_on = _goes_on(spec, lane, state, epoch)
    return goes_on if lane.source is None else goes_on & (epoch >= lane.source.epoch)


def next_epoch(spec: TrainSpec, lane: Lane, state: LaneState, epoch: Array) -> Array:
    """Return the first epoch from `epoch` on in which a lane trains: [] int32; `spec.epochs` if there is none."""
    assert lane.source is not None
    first = jnp.maximum(epoch, lane.source.epoch)
    return jnp.where(_goes_on(spec, lane, state, first), first, jnp.int32(spec.epochs))


def _goes_on(spec: TrainSpec, lane: Lane, state: LaneState, epoch: Array) -> Array:
    unfinished = lane.active & state.finite & (epoch < lane.budget)
    return unfinished & is_patient(spec.stopping, state.checkpoint, epoch)


def evaluate(
    spec: TrainSpec, data: TrainingData, lane: Lane, params: Any, statistics: Any
) -> tuple[Any, Array, Array, Array | None, Array]:
    """Return a network's outputs for the validation examples, its score and losses on them, and whether all are finite.

    The loss has no penalty and no label smoothing, so that it compares lanes. A metric that is called on arrays is not
    computed here: the loss is in its place. The score of one fold does not have to be finite: a fold may lack a class,
    and the trial's score is that of all folds together.

    Args:
        spec: Facts that all lanes have in common.
        data: Examples, with the offsets and scales of the lane's fold.
        lane: The lane.
        params: Weights.
        statistics: Further variables of the network.

    Returns:
        Outputs [N, ...]; score and loss, [] float32; the losses without each part of the examples, [P] float32, or None
        where the last epoch counts; and [] bool.
    """
    part = None if spec.folds is None or lane.fold is None else Part(spec.folds, lane.fold)
    split = data.train if data.valid is None else data.valid
    y = split.y
    if part is not None:
        y = jax.lax.dynamic_slice_in_dim(y, part.sizes.start(part.fold), part.sizes.large)

    parts = parts_of(y.shape[0] if part is None else part.sizes.small)
    of_outputs = partial(loss_of, spec.goal, data, lane.hyper._replace(label_smoothing=None))

    def compute(both: tuple[Any, Array]) -> tuple[Array, Array, Array | None, Array]:
        outputs, y = both
        loss = of_outputs(outputs, y).astype(jnp.float32)
        losses = losses_without_parts(of_outputs, outputs, y, parts) if spec.stopping.keeps_best else None
        score = loss if spec.goal.on_arrays else spec.goal.metric(outputs, y).astype(jnp.float32)
        needed = [loss, *jax.tree.leaves(outputs), *([score] if part is None else [])]
        return score, loss, losses, jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in needed]))

    def use(apply: Any) -> tuple[Any, Array, Array, Array | None, Array]:
        outputs = outputs_of(apply, split, spec.batch, spec.lengths, part)
        found = compute((outputs, y)) if part is None else part.of_fold(compute, (outputs, y))
        score, loss, losses, finite = found
        return outputs, score, loss, losses, finite

    return spec.learner.evaluate(data, lane.hyper, params, statistics, use)


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
    hyper, learner, micro, data = lane.hyper, spec.learner, spec.micro_batch, data_of(data, lane.fold)
    if spec.folds is None or lane.fold is None:
        rows, groups = epoch_batches(order_key, epoch, data.train, micro)
    else:
        rows, groups = fold_batches(order_key, epoch, data.train, micro, spec.folds, lane.fold)
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
    outputs, score, valid_loss, losses, finite = evaluate(spec, data, lane, params, statistics)
    finite = state.finite & jnp.isfinite(loss) & finite
    valid_loss = jnp.where(finite, valid_loss, jnp.nan)
    return LaneState(
        params,
        statistics,
        moments,
        state.curve.at[epoch].set(jnp.where(finite & jnp.isfinite(score), score, jnp.nan)),
        state.loss.at[epoch].set(loss),
        state.validation_loss.at[epoch].set(valid_loss),
        next_checkpoint(state.checkpoint, epoch + 1, valid_loss, losses, params, statistics, outputs),
        finite,
    )


def finish_lane(spec: TrainSpec, lane: Lane, state: LaneState) -> Result:
    """Return the result of a lane's training."""
    best = spec.stopping.keeps_best
    trained = jnp.isfinite(state.validation_loss)
    last = jnp.max(jnp.where(trained, jnp.arange(1, spec.epochs + 1, dtype=jnp.int32), 0))
    checkpoint = state.checkpoint.epoch if best else last
    checkpoint = jnp.where(lane.active & state.finite, checkpoint, 0)
    params, statistics = state.checkpoint.weights if best else (state.params, state.statistics)
    # The last epoch of a diverged lane counts as trained; its score is not finite.
    epochs = jnp.sum(trained, dtype=jnp.int32) + jnp.where(state.finite, 0, 1)
    result = Result(
        params,
        statistics,
        state.checkpoint.outputs,
        None if state.checkpoint.cross_fit is None else state.checkpoint.cross_fit.outputs,
        score=jnp.where(checkpoint >= 1, state.curve[checkpoint - 1], jnp.nan),
        curve=state.curve,
        loss=state.loss,
        validation_loss=state.validation_loss,
        updates=state.moments.count,
        epochs=jnp.where(lane.active, epochs, 0),
        checkpoint=checkpoint,
    )
    if lane.source is None:
        return result
    source = lane.source.state
    before = jnp.where(lane.source.epoch > 0, jnp.sum(jnp.isfinite(source.validation_loss), dtype=jnp.int32), 0)
    return result._replace(
        updates=result.updates - source.moments.count,
        epochs=jnp.where(lane.active, epochs - before, 0),
        state=state,
    )


def _zeros(tree: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, tree)
