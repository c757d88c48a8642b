"""The plan: how the lanes of a study run. It is made before the first trial, and no result changes it."""

from typing import Any, NamedTuple

from jaxhpo.models import Variant

HORIZONS = {"short": 64, "long": 1024}
"""Trainings over which a compilation has to pay. A trial with folds or repeats has several."""

EARLY = 16
"""Programs up to which all are traced and compiled from the start; of more only those that trials need."""


class Bucket(NamedTuple):
    """Lanes that share a program.

    Attributes:
        units: Largest number of units.
        layers: Largest number of layers.
        variant: Variant of the network.
        widths: Widths in which a lane may compute, each a branch of the program. The last is `units`.
        size: Lanes of one launch. More lanes take several launches; fewer are padded.
        bytes: Approximate memory of a launch on each device.
    """

    units: int
    layers: int
    variant: Variant
    widths: tuple[int, ...]
    size: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return the bucket as plain data."""
        return self._asdict() | {"variant": self.variant.to_json()}


class Plan(NamedTuple):
    """How lanes run. It follows from device, space, size of the data and options; never from the trials.

    Attributes:
        backend: "cpu", "gpu" or "tpu".
        device: Name that JAX gives the device.
        engine: How the lanes of a chunk run; see `ENGINES`.
        lanes: Trials of a round.
        devices: Number of devices that share a launch.
        launches: Number of launches that run at the same time.
        horizon: "short" or "long"; see `Machine`.
        memory: Bytes that training may use on each device.
        micro_batch: Smallest batch size, unless a bucket's variant has its own.
        evaluation_batch: Examples that are evaluated at a time.
        buckets: The programs, the cheapest first.
        lengths: Lengths of the groups of texts; empty if examples have one shape.
    """

    backend: str
    device: str
    engine: str
    lanes: int
    devices: int
    launches: int
    horizon: str
    memory: int
    micro_batch: int
    evaluation_batch: int
    buckets: tuple[Bucket, ...]
    lengths: tuple[int, ...] = ()

    def batch_of(self, bucket: int) -> int:
        """Return the examples of a bucket's micro-batches."""
        return self.buckets[bucket].variant.batch_size or self.micro_batch

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return self._asdict() | {"buckets": [bucket.to_json() for bucket in self.buckets]}

    def bucket_of(self, units: int, layers: int, variant: Variant) -> int:
        """Return the index of the cheapest bucket that holds a configuration."""
        fits = (b.units >= units and b.layers >= layers and b.variant == variant for b in self.buckets)
        return next(i for i, fit in enumerate(fits) if fit)


def power_of_two(number: int, *, up: bool) -> int:
    """Return the next power of two from a number on, or the last up to it."""
    exponent = max(number, 1).bit_length() - 1
    return 1 << (exponent + (up and (1 << exponent) < number))
