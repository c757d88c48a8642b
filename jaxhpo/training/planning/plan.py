"""The plan: how a study's lanes will run, decided before the first trial from what cannot change during it."""

from typing import Any, NamedTuple

from jaxhpo.models import Variant

HORIZONS = {"short": 64, "long": 1024}
"""Trials over which a compilation has to pay."""

EARLY = 16
"""Programs up to which all are traced and compiled from the start; of more only those that trials need."""


class Bucket(NamedTuple):
    """Lanes that share a program."""

    units: int  # widest
    layers: int  # deepest
    variant: Variant
    widths: tuple[int, ...]  # in which a lane may compute: branches of the program; the last is `units`
    size: int  # lanes of one launch; more than that take several, fewer are padded
    bytes: int  # about what a launch needs of each device

    def to_json(self) -> dict[str, Any]:
        """Return the bucket as plain data."""
        return self._asdict() | {"variant": self.variant.to_json()}


class Plan(NamedTuple):
    """A function of device, space, data's size and what was asked for; never of the trials."""

    backend: str  # cpu, gpu or tpu
    device: str  # as JAX names it
    engine: str
    lanes: int
    devices: int  # that share a launch
    launches: int  # at once
    horizon: str
    memory: int  # bytes that training may use, of each device
    micro_batch: int  # the smallest batch size, unless a bucket's variant has its own
    evaluation_batch: int
    buckets: tuple[Bucket, ...]  # the cheapest first
    lengths: tuple[int, ...] = ()  # of groups of texts

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
