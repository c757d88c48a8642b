"""Training one configuration: the body of a lane, which knows nothing of lanes.

Every lane walks the same micro-batches, of the smallest batch size of the space; a lane whose batch is m times
larger accumulates gradients and updates on every m-th. So batch sizes differ between lanes and no example is padding.
An epoch's remainder that fills no batch is dropped, as a shuffling loader with ``drop_last`` does.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxhpo.models import Active, Dropout, init_together, narrow, widen
from jaxhpo.training import augmentation, optimizers, schedules
from jaxhpo.training.ranges import Hyper, Ranges
from jaxhpo.types import Array, Key


class Split(NamedTuple):
    """Examples on the device; all lanes share them."""

    x: Array  # [N, ...] as stored: uint8 images stay uint8
    y: Array  # [N] int32


class TrainingData(NamedTuple):
    """What training sees. The test split is not here."""

    train: Split
    valid: Split
    offset: Array  # the network sees (x - offset) * scale, and computes in their dtype: float32
    scale: Array


class Lane(NamedTuple):
    """What differs between lanes."""

    key: Key  # []: the trial's
    hyper: Hyper  # scalars
    budget: Array  # [] int32 epochs
    active: Array  # [] bool


class Progress(NamedTuple):
    """Where a lane stands between two epochs; E epochs at most."""

    params: Any
    moments: optimizers.Moments
    curve: Array  # [E] float32: validation accuracy after each epoch, nan beyond the budget
    loss: Array  # [E] float32: mean training loss of each epoch, nan beyond the budget
    finite: Array  # [] bool: no loss has been nan or infinite


class Result(NamedTuple):
    """What training one lane returned; E epochs at most."""

    params: Any
    score: Array  # [] float32: validation accuracy after the last epoch, nan where training diverged
    curve: Array  # [E] float32: validation accuracy after each epoch, nan beyond the budget
    loss: Array  # [E] float32: mean training loss of each epoch, nan beyond the budget
    updates: Array  # [] int32: optimizer steps made
    epochs: Array  # [] int32: epochs run: the budget, or fewer where training diverged


class Network(NamedTuple):
    """The network that a bucket's lanes train, and the space's full-size one that initial weights are drawn for.

    Where `sizes` has several, narrow ones first, a lane computes in the narrowest that holds its units: a branch. All
    have the weights of the last.
    """

    sizes: tuple[nn.Module, ...]
    full: nn.Module

    @property
    def model(self) -> nn.Module:
        """The widest of the sizes."""
        return self.sizes[-1]


def epoch_order(key: Key, epoch: Array, examples: int) -> Array:
    """Return the order in which an epoch visits the examples, the same for all trials: [examples] int32."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), jnp.arange(examples, dtype=jnp.int32))


def initial_params(network: Network, key: Key, example: Array, hyper: Hyper) -> Any:
    """Return a trial's initial weights, whatever its bucket; `example` is [1, ...] of the network's input."""
    active = Active(hyper.layers, hyper.units)
    full = init_together(network.full, jax.random.fold_in(key, 0), example, active=active)
    if network.full == network.model:
        return full
    shapes = jax.eval_shape(lambda: network.model.init(jax.random.key(0), example, active=active))["params"]
    return narrow(full, shapes, (network.full.units, network.model.units))


def dropout_key(key: Key, epoch: Array) -> Array:
    """Return the key data ([2] uint32) of a trial's dropout in one epoch."""
    return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, 1), epoch))


def normalise(data: TrainingData, x: Array) -> Array:
    """Return stored examples as the network sees them."""
    return (x.astype(data.offset.dtype) - data.offset[None]) * data.scale[None]


def accuracy(apply: Callable[[Array], Array], split: Split, batch: int) -> tuple[Array, Array]:
    """Return accuracy and mean cross-entropy ([] float32 each) of `apply` (x [n, ...] -> logits [n, K]) on a split.

    At most `batch` examples are a forward pass.
    """
    examples = split.y.shape[0]
    batch = min(batch, examples)
    batches = -(-examples // batch)

    def body(total: tuple[Array, Array], start: Array) -> tuple[tuple[Array, Array], None]:
        # The last batch overlaps the one before it, and its examples that were seen count nothing: no padding.
        first = jnp.minimum(start, examples - batch)
        x, y = (jax.lax.dynamic_slice_in_dim(a, first, batch) for a in split)
        fresh = (jnp.arange(batch, dtype=jnp.int32) + first >= start).astype(jnp.float32)
        logits = apply(x)
        hits = (jnp.argmax(logits, axis=-1).astype(jnp.int32) == y).astype(jnp.float32)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return (total[0] + jnp.sum(hits * fresh), total[1] + jnp.sum(losses.astype(jnp.float32) * fresh)), None

    starts = jnp.arange(batches, dtype=jnp.int32) * batch
    zero = jnp.float32(0)
    (hits, loss), _ = jax.lax.scan(body, (zero, zero), starts)
    return hits / np.float32(examples), loss / np.float32(examples)


def loss_of(logits: Array, y: Array, smoothing: Array | None) -> Array:
    """Return the mean cross-entropy of [n, K] logits: [].

    With `smoothing` ([] float32) that share of each label is spread evenly over the classes (Szegedy et al. 2016).
    """
    cross = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))
    if smoothing is None:
        return cross
    share = smoothing.astype(logits.dtype)
    return (1 - share) * cross - share * jnp.mean(jax.nn.log_softmax(logits))


def regularise(grads: Any, params: Any, hyper: Hyper) -> Any:
    """Add the gradient of ``l1 sum|w| + l2 sum w^2`` over kernels; sign(0) = 0, so that masked weights stay zero."""

    def add(path: tuple, g: Array, p: Array) -> Array:
        if not path[-1].key.endswith("kernel"):
            return g
        return g + hyper.l1.astype(p.dtype) * jnp.sign(p) + 2 * hyper.l2.astype(p.dtype) * p

    return jax.tree_util.tree_map_with_path(add, grads, params)


def start_lane(network: Network, epochs: int, data: TrainingData, lane: Lane) -> Progress:
    """Return a lane before its first epoch."""
    params = initial_params(network, lane.key, normalise(data, data.train.x[:1]), lane.hyper)
    unset = jnp.full((epochs,), jnp.nan, jnp.float32)
    return Progress(params, optimizers.start(params), unset, unset, jnp.bool_(True))


def runs(lane: Lane, progress: Progress, epoch: Array) -> Array:
    """Return whether a lane trains in an epoch: [] bool. One that diverged or had its budget does not."""
    return lane.active & progress.finite & (epoch < lane.budget)


def _by_size(network: Network, units: Array, compute: Callable[[nn.Module], Any]) -> Any:
    """Return `compute` of the narrowest size that holds so many units; all return the same shapes."""
    if len(network.sizes) == 1:
        return compute(network.model)
    index = jnp.sum(units > np.array([size.units for size in network.sizes[:-1]], np.int32), dtype=jnp.int32)
    return jax.lax.switch(index, [partial(compute, size) for size in network.sizes])


def train_epoch(
    network: Network,
    ranges: Ranges,
    batch: int,
    epochs: int,
    data: TrainingData,
    order_key: Key,
    epoch: Array,
    lane: Lane,
    progress: Progress,
) -> Progress:
    """Train one configuration for one epoch.

    Args:
        network: what to train.
        ranges: the space's static facts.
        batch: examples of an evaluation's forward pass.
        epochs: the most that a lane may train, which a learning rate's schedule spans.
        data: the examples.
        order_key: the key of `epoch_order`.
        epoch: [] int32, counted from 0.
        lane: what to train.
        progress: where it stands.
    """
    micro = ranges.micro_batch
    examples = data.train.y.shape[0]
    steps = examples // micro
    hyper = lane.hyper
    group = hyper.batch_size // micro  # micro-batches an update
    own = {"momentum": hyper.momentum, "weight_decay": hyper.weight_decay}
    coefficients = optimizers.coefficients(ranges.optimizers, hyper.optimizer, data.offset.dtype, **own)
    updates = epochs * (steps // group)
    active = Active(hyper.layers, hyper.units)
    key = dropout_key(lane.key, epoch)

    def loss_and_grads(params: Any, x: Array, y: Array, dropout: Dropout | None, model: nn.Module) -> tuple[Array, Any]:
        def loss(params: Any) -> Array:
            logits = model.apply({"params": params}, x, active=active, dropout=dropout)
            return loss_of(logits, y, hyper.label_smoothing)

        if model.units == network.model.units:
            return jax.value_and_grad(loss)(params)
        units = (network.model.units, model.units)
        shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), x[:1], active=active))["params"]
        value, grads = jax.value_and_grad(loss)(narrow(params, shapes, units))
        return value, widen(grads, params, units)

    def micro_step(carry: tuple, step: tuple[Array, Array, Array]) -> tuple[tuple, Array]:
        params, moments, total = carry
        index, position, count = step
        drops = ranges.drops or hyper.embedding_dropout is not None
        dropout = Dropout(hyper.dropout, key, position, hyper.embedding_dropout) if drops else None
        x, y = augmentation.move(data.train.x[index], hyper, key, position), data.train.y[index]
        x = augmentation.blank(normalise(data, x), hyper, key, position)
        loss, grads = _by_size(network, hyper.units, partial(loss_and_grads, params, x, y, dropout))
        total = jax.tree.map(jnp.add, total, grads)

        def step_optimizer(params: Any, moments: optimizers.Moments, total: Any) -> tuple:
            mean = jax.tree.map(lambda g: g / group.astype(g.dtype), total)
            mean = regularise(mean, params, hyper)
            mean = mean if hyper.clip is None else optimizers.clip(mean, hyper.clip)
            rate = hyper.learning_rate
            if hyper.schedule is not None or hyper.warmup is not None:
                rate = rate * schedules.factor(ranges.schedules, hyper.schedule, hyper.warmup, moments.count, updates)
            return *optimizers.update(coefficients, rate, mean, moments, params), _zeros(total)

        # A conditional, not arithmetic: a lane on its own skips the update between the micro-batches of a batch.
        carry = jax.lax.cond(count % group == 0, step_optimizer, lambda *same: same, params, moments, total)
        return carry, loss.astype(jnp.float32)

    order = epoch_order(order_key, epoch, examples)[: steps * micro].reshape(steps, micro)
    positions = jnp.arange(steps * micro, dtype=jnp.int32).reshape(steps, micro)
    counts = jnp.arange(1, steps + 1, dtype=jnp.int32)
    (params, moments, _), losses = jax.lax.scan(
        micro_step, (progress.params, progress.moments, _zeros(progress.params)), (order, positions, counts)
    )
    used = (counts <= steps // group * group).astype(jnp.float32)
    loss = jnp.sum(losses * used) / jnp.sum(used)

    def evaluate(model: nn.Module) -> tuple[Array, Array]:
        example = normalise(data, data.valid.x[:1])
        shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), example, active=active))["params"]
        own = narrow(params, shapes, (network.model.units, model.units))
        return accuracy(lambda x: model.apply({"params": own}, normalise(data, x), active=active), data.valid, batch)

    score, valid_loss = _by_size(network, hyper.units, evaluate)
    finite = progress.finite & jnp.isfinite(loss) & jnp.isfinite(valid_loss)
    curve = progress.curve.at[epoch].set(jnp.where(finite, score, jnp.nan))
    return Progress(params, moments, curve, progress.loss.at[epoch].set(loss), finite)


def finish_lane(lane: Lane, progress: Progress) -> Result:
    """Return what a lane's training found."""
    done = lane.active & progress.finite & (lane.budget >= 1)
    score = jnp.where(done, progress.curve[lane.budget - 1], jnp.nan)
    # The last epoch of a lane that diverged has a loss, though not a finite one.
    epochs = jnp.where(progress.finite, lane.budget, jnp.sum(jnp.isfinite(progress.curve), dtype=jnp.int32) + 1)
    epochs = jnp.where(lane.active, epochs, 0)
    return Result(progress.params, score, progress.curve, progress.loss, progress.moments.count, epochs)


def _zeros(tree: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, tree)
