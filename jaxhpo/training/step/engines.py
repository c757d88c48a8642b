"""The execution of a chunk of lanes in one program: one lane alone, side by side, or side by side on several devices.

The function that trains a lane is the same in all cases. A lane alone takes real branches, so that unused depth and
batch sizes cost nothing. Side by side, every operation processes all lanes, which makes use of an accelerator. All
lanes of a chunk are in the same epoch, so its order and its minibatches are computed once. A lane that continues a
trial waits for its first epoch if it runs side by side with others; an epoch that no lane needs is skipped.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.training.step.examples import TrainingData
from jaxhpo.training.step.lane import finish_lane, next_epoch, runs, start_lane, train_epoch
from jaxhpo.training.step.lane_state import Lane, LaneState, Result, TrainSpec
from jaxhpo.types import Array, Key

THREADS, VMAP, SHARDED = "threads", "vmap", "sharded"

ENGINES = {
    THREADS: "lanes one by one, as many at once as there are processor cores",
    VMAP: "lanes side by side in every operation",
    SHARDED: "as vmap, on several devices",
}
"""Engines by name, with a description."""


class Chunk(NamedTuple):
    """The static facts about a chunk's program.

    Attributes:
        spec: What all lanes have in common.
        engine: Name of the engine.
        devices: Number of devices.
    """

    spec: TrainSpec
    engine: str
    devices: int = 1


def train_chunk(chunk: Chunk, data: TrainingData, order_key: Key, lanes: Lane) -> Result:
    """Train the lanes of a chunk ([size, ...] leaves) until each has ended; a pure function."""
    if chunk.engine == THREADS:
        return _train(chunk, data, order_key, lanes)
    if chunk.engine == VMAP:
        return _train_side_by_side(chunk, data, order_key, lanes)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[: chunk.devices]), ("lanes",))
    spread, everywhere = jax.sharding.PartitionSpec("lanes"), jax.sharding.PartitionSpec()
    # Outside the vmap: a partitioner would replicate operations that it cannot divide, and devices would wait.
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
    spec = chunk.spec
    step = partial(train_epoch, spec, data, order_key)
    start = start_lane(spec, data, lane)
    reach = None if lane.source is None else lambda epoch, p: next_epoch(spec, lane, p, epoch)
    state = _epochs(lambda epoch, p: runs(spec, lane, p, epoch), lambda epoch, p: step(epoch, lane, p), start, reach)
    return jax.tree.map(lambda leaf: leaf[None], finish_lane(spec, lane, state))


def _train_side_by_side(chunk: Chunk, data: TrainingData, order_key: Key, lanes: Lane) -> Result:
    step = jax.vmap(partial(train_epoch, chunk.spec, data, order_key), in_axes=(None, 0, 0))
    running = jax.vmap(partial(runs, chunk.spec), in_axes=(0, 0, None))

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
    return jax.vmap(partial(finish_lane, chunk.spec))(lanes, state)


def _epochs(goes_on: Callable, advance: Callable, start: LaneState, reach: Callable | None) -> LaneState:
    """Run epochs until all lanes have ended: by budget, by patience, or because they diverged.

    `reach` returns the next epoch that any lane needs; None is the very next one.
    """

    def first(epoch: Array, state: Any) -> tuple[Array, Any]:
        return (epoch if reach is None else reach(epoch, state)), state

    def body(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        epoch, state = carry
        return first(epoch + 1, advance(epoch, state))

    return jax.lax.while_loop(lambda c: goes_on(*c), body, first(jnp.int32(0), start))[1]
