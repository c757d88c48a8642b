"""Training one configuration: the body of a lane, which knows nothing of lanes.

Every lane walks the same micro-batches, of the smallest batch size of the space; a lane whose batch is m times
larger accumulates gradients and updates on every m-th. So batch sizes differ between lanes and no example is padding.
An epoch's remainder that fills no batch is dropped, as a shuffling loader with ``drop_last`` does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxhpo.models import Active, Dropout
from jaxhpo.training import optimizers
from jaxhpo.training.hyperparameters import Hyper, Ranges
from jaxhpo.types import Array, Key

_EVALUATION_BATCH = 512  # examples a forward pass: bounds the memory of im2col, and fills the cores


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


class Result(NamedTuple):
    """What training one lane returned; E epochs at most."""

    params: Any
    score: Array  # [] float32: validation accuracy after the last epoch, nan where training diverged
    curve: Array  # [E] float32: validation accuracy after each epoch, nan beyond the budget
    loss: Array  # [E] float32: mean training cross-entropy of each epoch, nan beyond the budget
    updates: Array  # [] int32: optimizer steps made


class _Carry(NamedTuple):
    params: Any
    moments: optimizers.Moments
    curve: Array
    loss: Array
    finite: Array  # [] bool: no loss has been nan or infinite


def epoch_order(key: Key, epoch: Array, examples: int) -> Array:
    """Return the order in which an epoch visits the examples, the same for all trials: [examples] int32."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), jnp.arange(examples, dtype=jnp.int32))


def initial_params(model: nn.Module, key: Key, example: Array, hyper: Hyper) -> Any:
    """Return a trial's initial weights, drawn at the model's full shape; `example` is [1, ...] of its input."""
    active = Active(hyper.layers, hyper.units)
    return model.init(jax.random.fold_in(key, 0), example, active=active)["params"]


def dropout_key(key: Key, epoch: Array) -> Array:
    """Return the key data ([2] uint32) of a trial's dropout in one epoch."""
    return jax.random.key_data(jax.random.fold_in(jax.random.fold_in(key, 1), epoch))


def normalise(data: TrainingData, x: Array) -> Array:
    """Return stored examples as the network sees them."""
    return (x.astype(data.offset.dtype) - data.offset[None]) * data.scale[None]


def accuracy(apply: Callable[[Array], Array], split: Split) -> tuple[Array, Array]:
    """Return accuracy and mean cross-entropy ([] float32 each) of `apply` (x [n, ...] -> logits [n, K]) on a split."""
    examples = split.y.shape[0]
    batch = min(_EVALUATION_BATCH, examples)
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


def regularise(grads: Any, params: Any, hyper: Hyper) -> Any:
    """Add the gradient of ``l1 sum|w| + l2 sum w^2`` over kernels; sign(0) = 0, so that masked weights stay zero."""

    def add(path: tuple, g: Array, p: Array) -> Array:
        if path[-1].key != "kernel":
            return g
        return g + hyper.l1.astype(p.dtype) * jnp.sign(p) + 2 * hyper.l2.astype(p.dtype) * p

    return jax.tree_util.tree_map_with_path(add, grads, params)


def train_lane(
    model: nn.Module, ranges: Ranges, epochs: int, data: TrainingData, order_key: Key, last: Array, lane: Lane
) -> Result:
    """Train one configuration from its initial weights.

    Args:
        model: the network at the space's full size.
        ranges: the space's static facts.
        epochs: E, the most epochs that a budget may name.
        data: the examples.
        order_key: the key of `epoch_order`.
        last: [] int32, the largest budget of the batch: the number of epochs that the loop runs.
        lane: what to train.
    """
    micro = ranges.micro_batch
    examples = data.train.y.shape[0]
    steps = examples // micro
    hyper = lane.hyper
    group = hyper.batch_size // micro  # micro-batches an update
    coefficients = optimizers.coefficients(ranges.optimizers, hyper.optimizer, data.offset.dtype)

    def loss_of(params: Any, x: Array, y: Array, dropout: Dropout | None) -> Array:
        logits = model.apply({"params": params}, x, active=Active(hyper.layers, hyper.units), dropout=dropout)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))

    def micro_step(carry: tuple, step: tuple[Array, Array, Array], key: Array) -> tuple[tuple, Array]:
        params, moments, total = carry
        index, position, count = step
        dropout = Dropout(hyper.dropout, key, position) if ranges.drops else None
        x, y = normalise(data, data.train.x[index]), data.train.y[index]
        loss, grads = jax.value_and_grad(loss_of)(params, x, y, dropout)
        total = jax.tree.map(jnp.add, total, grads)

        def step_optimizer(params: Any, moments: optimizers.Moments, total: Any) -> tuple:
            mean = jax.tree.map(lambda g: g / group.astype(g.dtype), total)
            mean = regularise(mean, params, hyper)
            return *optimizers.update(coefficients, hyper.learning_rate, mean, moments, params), _zeros(total)

        # A conditional, not arithmetic: under `lax.map` the lanes with large batches then skip the update.
        carry = jax.lax.cond(count % group == 0, step_optimizer, lambda *same: same, params, moments, total)
        return carry, loss.astype(jnp.float32)

    def train_epoch(epoch: Array, carry: _Carry) -> _Carry:
        order = epoch_order(order_key, epoch, examples)[: steps * micro].reshape(steps, micro)
        positions = jnp.arange(steps * micro, dtype=jnp.int32).reshape(steps, micro)
        counts = jnp.arange(1, steps + 1, dtype=jnp.int32)
        key = dropout_key(lane.key, epoch)
        (params, moments, _), losses = jax.lax.scan(
            lambda c, s: micro_step(c, s, key),
            (carry.params, carry.moments, _zeros(carry.params)),
            (order, positions, counts),
        )
        used = (counts <= steps // group * group).astype(jnp.float32)
        loss = jnp.sum(losses * used) / jnp.sum(used)

        def network(x: Array) -> Any:
            return model.apply({"params": params}, normalise(data, x), active=Active(hyper.layers, hyper.units))

        score, valid_loss = accuracy(network, data.valid)
        finite = carry.finite & jnp.isfinite(loss) & jnp.isfinite(valid_loss)
        curve = carry.curve.at[epoch].set(jnp.where(finite, score, jnp.nan))
        return _Carry(params, moments, curve, carry.loss.at[epoch].set(loss), finite)

    def train() -> Result:
        params = initial_params(model, lane.key, normalise(data, data.train.x[:1]), hyper)
        unset = jnp.full((epochs,), jnp.nan, jnp.float32)
        start = _Carry(params, optimizers.start(params), unset, unset, jnp.bool_(True))
        end = jax.lax.fori_loop(
            0,
            last,
            lambda epoch, c: jax.lax.cond(epoch < lane.budget, train_epoch, lambda _, same: same, epoch, c),
            start,
        )
        score = jnp.where(end.finite, end.curve[lane.budget - 1], jnp.nan)
        return Result(end.params, score, end.curve, end.loss, end.moments.count)

    def skip() -> Result:
        return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(train))

    return jax.lax.cond(lane.active, train, skip)


def _zeros(tree: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, tree)
