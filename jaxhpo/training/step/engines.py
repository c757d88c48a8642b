"""How a chunk of lanes runs inside one program: alone, side by side, or side by side on several devices.

The body of a lane knows nothing of lanes. A lane alone takes real branches: what its depth or batch size does not
need costs nothing. Side by side, every operation is one for all lanes, which is what fills an accelerator. All lanes
of a chunk are in the same epoch, so its order and its minibatches are the same for all, and are made once. A lane that
continues a trial waits, side by side, for the epoch that it begins with; an epoch that no lane needs is not run.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.training.step.lane import (
    Lane,
    LaneState,
    Result,
    TrainingData,
    TrainSpec,
    finish_lane,
    next_epoch,
    runs,
    start_lane,
    train_epoch,
)
from jaxhpo.types import Array, Key

THREADS, VMAP, SHARDED = "threads", "vmap", "sharded"

ENGINES = {
    THREADS: "lanes one by one, as many at once as there are processor cores",
    VMAP: "lanes side by side in every operation",
    SHARDED: "as vmap, on several devices",
}
"""Engines by name, with what they do."""


class Chunk(NamedTuple):
    """What a chunk's program is made from: static facts."""

    spec: TrainSpec
    engine: str
    devices: int = 1


def train_chunk(chunk: Chunk, data: TrainingData, order_key: Key, lanes: Lane) -> Result:
    """Train the lanes of a chunk ([size, ...] leaves) until each has had its budget or diverged; pure."""
    if chunk.engine == THREADS:
        return _train(chunk, data, order_key, lanes)
    if chunk.engine == VMAP:
        return _train_side_by_side(chunk, data, order_key, lanes)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[: chunk.devices]), ("lanes",))
    spread, everywhere = jax.sharding.PartitionSpec("lanes"), jax.sharding.PartitionSpec()
    # Outside the vmap: a partitioner would replicate what it cannot divide, and devices would wait for each other.
    train = jax.shard_map(
        partial(_train_side_by_side, chunk),
        mesh=mesh,
        in_specs=(everywhere, everywhere, spread),
        out_specs=spread,
        check_vma=False,
    )
    return train(data, order_key, lanes)


def _train(chunk: Chunk, data: TrainingData, order_key: Key, lanes: Lane) -> Result:
    """Train a chunk of one lane."""
    lane = jax.tree.map(lambda leaf: leaf[0], lanes)
    step = partial(train_epoch, chunk.spec, data, order_key)
    start = start_lane(chunk.spec, data, lane)
    reach = None if lane.source is None else lambda epoch, p: next_epoch(chunk.spec, lane, p, epoch)
    state = _epochs(lambda epoch, p: runs(lane, p, epoch), lambda epoch, p: step(epoch, lane, p), start, reach)
    return jax.tree.map(lambda leaf: leaf[None], finish_lane(lane, state))


def _train_side_by_side(chunk: Chunk, data: TrainingData, order_key: Key, lanes: Lane) -> Result:
    step = jax.vmap(partial(train_epoch, chunk.spec, data, order_key), in_axes=(None, 0, 0))
    running = jax.vmap(runs, in_axes=(0, 0, None))

    def advance(epoch: Array, state: LaneState) -> LaneState:
        goes_on = running(lanes, state, epoch)

        def select(after: Array, before: Array) -> Array:
            return jnp.where(goes_on.reshape(-1, *[1] * (after.ndim - 1)), after, before)

        return jax.tree.map(select, step(epoch, lanes, state), state)

    def reach(epoch: Array, state: LaneState) -> Array:
        return jnp.min(jax.vmap(partial(next_epoch, chunk.spec), in_axes=(0, 0, None))(lanes, state, epoch))

    start = jax.vmap(partial(start_lane, chunk.spec, data))(lanes)
    reached = None if lanes.source is None else reach
    state = _epochs(lambda epoch, p: jnp.any(running(lanes, p, epoch)), advance, start, reached)
    return jax.vmap(finish_lane)(lanes, state)


def _epochs(goes_on: Callable, advance: Callable, start: LaneState, reach: Callable | None) -> LaneState:
    """Run epochs while any lane has one to run: a chunk ends when all its lanes have diverged or had their budgets.

    `reach` returns the next epoch that any lane has to run; None is the very next one.
    """

    def first(epoch: Array, state: Any) -> tuple[Array, Any]:
        return (epoch if reach is None else reach(epoch, state)), state

    def body(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        epoch, state = carry
        return first(epoch + 1, advance(epoch, state))

    return jax.lax.while_loop(lambda c: goes_on(*c), body, first(jnp.int32(0), start))[1]
