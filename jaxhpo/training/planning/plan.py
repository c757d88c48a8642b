"""The plan: how a study's lanes will run, decided before the first trial from what cannot change during it."""

from typing import Any, NamedTuple

import jax

from jaxhpo.machine import cores
from jaxhpo.models import Variant
from jaxhpo.training.planning.costs import machine, memory_limit
from jaxhpo.training.step.engines import ENGINES, SHARDED, THREADS

HORIZONS = {"short": 64, "long": 1024}
"""Trials over which a compilation has to pay."""

EARLY = 16
"""Programs up to which all are traced and compiled from the start; of more only those that trials need."""

_GIB = 2.0**30


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


def default_lanes() -> int:
    """Return this machine's number of lanes: 8 on a CPU, or one a core where it has more; 64 on an accelerator."""
    known = machine()
    return max(known.lanes, cores()) if known.engine == THREADS else known.lanes


class Resources(NamedTuple):
    """What a plan may use."""

    lanes: int
    engine: str
    devices: int
    memory: float  # bytes of each device
    horizon: str
    continues: bool  # whether trials may continue others

    def plan(self, launches: int, micro_batch: int, evaluation_batch: int, buckets: tuple[Bucket, ...]) -> Plan:
        """Return the plan that uses them; arguments as its fields."""
        return Plan(
            backend=jax.default_backend(),
            device=jax.devices()[0].device_kind,
            engine=self.engine,
            lanes=self.lanes,
            devices=self.devices,
            launches=launches,
            horizon=self.horizon,
            memory=int(self.memory),
            micro_batch=micro_batch,
            evaluation_batch=evaluation_batch,
            buckets=buckets,
        )


def read_resources(
    lanes: int | None,
    engine: str | None,
    devices: int | None,
    memory: float | None,
    horizon: str,
    continues: bool = False,
) -> Resources:
    """Return what the arguments of `make_plan` ask for on this machine; raise ValueError naming one that cannot be."""
    lanes = default_lanes() if lanes is None else lanes
    _check_count("lanes", lanes)
    if horizon not in HORIZONS:
        raise ValueError(f"horizon={horizon!r} is unknown; use one of {', '.join(HORIZONS)}")
    engine, devices = _choose_engine(engine, devices)
    return Resources(lanes, engine, devices, _check_memory(memory), horizon, continues)


def _choose_engine(engine: str | None, devices: int | None) -> tuple[str, int]:
    there = len(jax.devices())
    if devices is not None:
        _check_count("devices", devices)
        if devices > there:
            raise ValueError(f"devices={devices} exceeds the {there} that JAX sees; use at most {there}")
    if engine is not None and engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is unknown; use one of {', '.join(ENGINES)}, probe")
    if engine is None:
        several = devices is None and there > 1 and machine().engine != THREADS
        engine = SHARDED if several or (devices or 1) > 1 else machine().engine
    if engine == THREADS and jax.default_backend() != "cpu":
        raise ValueError(f"engine='threads' is for a CPU, and this is a {jax.default_backend()}; use 'vmap'")
    if engine == SHARDED:
        if there == 1:
            raise ValueError("engine='sharded' needs several devices, and JAX sees 1; use 'vmap'")
        return engine, devices or there
    if (devices or 1) > 1:
        raise ValueError(f"engine={engine!r} uses one device, not devices={devices}; use 'sharded'")
    return engine, 1


def _check_memory(memory: float | None) -> float:
    if memory is None:
        return memory_limit()
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0 < memory < float("inf"):
        raise ValueError(f"memory={memory!r} must be a number of GiB above 0")
    return memory * _GIB


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1")


def power_of_two(number: int, *, up: bool) -> int:
    """Return the next power of two from a number on, or the last up to it."""
    exponent = max(number, 1).bit_length() - 1
    return 1 << (exponent + (up and (1 << exponent) < number))
