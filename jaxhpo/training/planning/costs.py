"""What training costs on the kinds of device that were measured: the numbers behind the plan's choices.

They only have to rank plans, and are rounded from what `benchmarks.speed` and `benchmarks.speed.ways` measure. A device
that is not in the table is taken for its backend's.
"""

from typing import NamedTuple

import jax

from jaxhpo.machine import memory_bytes
from jaxhpo.models import Cost

_NUMBER = 4  # bytes of a float32
_TILE = 8  # images
_SLACK = 1.5  # of the memory estimate: padding, copies between layouts, what runs beside


class DeviceCosts(NamedTuple):
    """Recorded costs of one kind of device.

    Attributes:
        engine: The fastest engine.
        lanes: Default number of lanes.
        compiling: Seconds that a training program takes to compile.
        branching: Seconds that one more width in a program takes to compile.
        launch: Seconds of one operation, however small.
        rate: Floating-point operations a second in the matrix products of a training step, one launch at a time.
        weight: Seconds that a training step takes for each weight beside the products: gradients, moments, copies.
        cache: Bytes of a core's cache.
    """

    engine: str
    lanes: int
    compiling: float
    branching: float
    launch: float
    rate: float
    weight: float
    cache: float


_KNOWN = {
    # Measured on two cores with AVX-512: a step of an MLP of three layers takes 0.16, 0.39 and 0.99 ms with 64, 128 and
    # 256 units, 32 examples each.
    "cpu": DeviceCosts("threads", 8, 4.0, 1.0, 2e-6, 8e10, 4e-9, 2.0**20),
    # Measured on an H200: a step of one two-layer MLP takes 0.2 ms, 16 CNNs of 64 channels train at 31 TFLOP/s in TF32.
    "gpu": DeviceCosts("vmap", 64, 12.0, 5.0, 5e-6, 3e13, 0.0, 0.0),
    # Not measured yet.
    "tpu": DeviceCosts("vmap", 64, 20.0, 5.0, 5e-6, 5e12, 0.0, 0.0),
}


def device_costs() -> DeviceCosts:
    """Return the recorded costs of this device, by its name where it was measured, else by its backend."""
    backend = _KNOWN.get(jax.default_backend(), _KNOWN["gpu"])
    return _KNOWN.get(jax.devices()[0].device_kind, backend)


def memory_limit() -> float:
    """Return the bytes that training may use unless the user says otherwise.

    Three quarters of an accelerator's memory; half of the machine's where the device is its processor.
    """
    stats = jax.devices()[0].memory_stats() if jax.default_backend() != "cpu" else None
    if stats and "bytes_limit" in stats:
        return 0.75 * stats["bytes_limit"]
    return 0.5 * memory_bytes()


def lane_bytes(
    cost: Cost, full: Cost, micro_batch: int, evaluation_batch: int, tile: int | None, copies: int = 0
) -> float:
    """Return about how much memory a lane needs while it trains, the examples aside.

    Weights, gradients, their sum over micro-batches and two moments; the space's full-size initial weights; and what
    a micro-batch needs in the training step, or a batch while it is evaluated. A network in tiles needs a layer's
    workspace for `tile` examples only. `copies` are further arrays of the size of the weights: those of the best epoch,
    and the weights and moments of a source that a lane continues.
    """
    weights = (6 + copies) * cost.params + 2 * full.params
    step = micro_batch * cost.held + min(tile or micro_batch, micro_batch) * cost.workspace
    if tile is None:
        evaluation = evaluation_batch * cost.workspace
    else:  # what the tiles leave behind
        evaluation = evaluation_batch * cost.held // 2 + tile * cost.workspace
    return _SLACK * _NUMBER * (weights + max(step, evaluation))


def outputs_bytes(examples: int, numbers: int) -> float:
    """Return what the outputs for the validation examples need beside a lane: `numbers` an example, five times.

    They are those of the epoch that counts, of the last one, and of the result; and the cross-fitted ones, twice.
    """
    return 5.0 * _NUMBER * examples * numbers


def epoch_seconds(costs: DeviceCosts, cost: Cost, lanes: int, micro_batch: int, train: int, valid: int) -> float:
    """Return about how long a chunk of lanes takes for an epoch: its launches, its weights and its products."""
    steps = train // micro_batch
    work = lanes * (train * (cost.forward + cost.backward) + valid * cost.forward)
    return steps * (cost.launches * costs.launch + lanes * cost.params * costs.weight) + work / costs.rate


def tile_of(micro_batch: int) -> int | None:
    """Return how many images a convolution sees at a time on a processor, None for all of a micro-batch.

    Of 4, 8, 16 and all, 8 was fastest or within noise of it for 8 to 64 channels, on one core as on two: what lies
    between two layers then stays in a core's cache, and products are large enough for both cores.
    """
    return _TILE if micro_batch > _TILE and micro_batch % _TILE == 0 else None
