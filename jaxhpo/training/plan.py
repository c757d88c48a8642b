"""The plan: how a study's lanes will run, decided before the first trial from what cannot change during it.

Lanes are put into few *buckets*, each one compiled program: a width and a depth that hold what its lanes use, of one
variant of the network. More buckets waste less arithmetic on masked units and cost more compilations; which are worth
it follows from the recorded costs of the device, the space, the data's size and whether the study is to be short or
long. No trial's result enters, so a study and its continuation have one plan.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from jaxhpo.models import Cost, Variant
from jaxhpo.training.costs import epoch_seconds, lane_bytes, machine, memory_limit, tile_of
from jaxhpo.training.engines import ENGINES, SHARDED, THREADS

HORIZONS = {"short": 64, "long": 1024}
"""Trials over which a compilation has to pay."""

_CLASSES = 6  # candidates for the widths, or depths, that buckets are made for
_GIB = 2.0**30
_EVALUATION_BATCH = 512
_ARRAYS = 6 * 4  # bytes of a weight, its gradient and its sum, two moments, and a copy
_USEFUL, _PENALTY = 0.65, 1e9  # the least share of arithmetic that is the configurations' own


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
    micro_batch: int
    evaluation_batch: int
    buckets: tuple[Bucket, ...]  # the cheapest first

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return self._asdict() | {"buckets": [bucket.to_json() for bucket in self.buckets]}

    def bucket_of(self, units: int, layers: int, variant: Variant) -> int:
        """Return the index of the cheapest bucket that holds a configuration."""
        fits = (b.units >= units and b.layers >= layers and b.variant == variant for b in self.buckets)
        return next(i for i, fit in enumerate(fits) if fit)


class Task(NamedTuple):
    """What is planned for."""

    model: Callable[[int, int, Variant], nn.Module]  # layers, units, variant -> the network
    shape: tuple[int, ...]  # one example's
    train: int  # examples
    valid: int
    bytes: int  # of all examples
    epochs: int
    micro_batch: int
    units: tuple[int, ...]  # the values that a space may give, each as likely as the others
    layers: tuple[int, ...]
    variants: tuple[Variant, ...]
    tiled: bool  # whether the network takes tiles on a processor


def cores() -> int:
    """Return the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no Linux
        return os.cpu_count() or 1


def default_lanes() -> int:
    """Return this machine's number of lanes: 8 on a CPU, or one a core where it has more; 64 on an accelerator."""
    known = machine()
    return max(known.lanes, cores()) if known.engine == THREADS else known.lanes


def make_plan(
    task: Task,
    *,
    lanes: int | None = None,
    engine: str | None = None,
    devices: int | None = None,
    memory: float | None = None,
    horizon: str = "short",
) -> Plan:
    """Return the plan for this machine.

    Args:
        task: what is to be trained.
        lanes: configurations of a round; None follows the machine.
        engine: one of `ENGINES`; None follows the machine.
        devices: that share the lanes; None is all of an accelerator's kind, and one on a CPU.
        memory: GiB of each device that training may use; None follows the machine.
        horizon: "short" or "long": the trials over which compilations have to pay.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    lanes = default_lanes() if lanes is None else lanes
    _check_count("lanes", lanes)
    if horizon not in HORIZONS:
        raise ValueError(f"horizon={horizon!r} is unknown; use one of {', '.join(HORIZONS)}")
    engine, devices = _choose_engine(engine, devices)
    planner = _Planner(task, lanes, engine, devices, _check_memory(memory), HORIZONS[horizon])
    return Plan(
        backend=jax.default_backend(),
        device=jax.devices()[0].device_kind,
        engine=engine,
        lanes=lanes,
        devices=devices,
        launches=planner.launches(),
        horizon=horizon,
        memory=int(planner.limit),
        micro_batch=task.micro_batch,
        evaluation_batch=planner.evaluation_batch,
        buckets=planner.buckets(),
    )


class _Classes(NamedTuple):
    """A way to cut a space into buckets: the widths and depths that there are programs for."""

    units: tuple[int, ...]
    layers: tuple[int, ...]


class _Planner:
    """Weighs ways to cut a task into buckets; `limit` is in bytes, `trials` those over which compiling has to pay."""

    def __init__(self, task: Task, lanes: int, engine: str, devices: int, limit: float, trials: int):
        self.task, self.lanes, self.engine, self.devices, self.limit = task, lanes, engine, devices, limit
        self.rounds = trials / min(lanes, trials)
        self.machine = machine()
        self.widest, self.deepest = max(task.units), max(task.layers)
        alone = engine == THREADS
        # A lane alone evaluates in large batches, which fill the cores; side by side it must not need more than in
        # training.
        self.evaluation_batch = _EVALUATION_BATCH if alone else 2 * task.micro_batch
        self.tile = tile_of(task.micro_batch) if alone and task.tiled else None
        self._costs: dict[tuple[int, int, Variant], Cost] = {}
        params = max(self.cost(self.widest, self.deepest, variant).params for variant in task.variants)
        # Where an optimizer's arrays stay in a core's cache, narrow lanes may update the wide network's weights.
        self.branches = alone and _ARRAYS * params <= self.machine.cache
        # A launch has a copy of the examples: XLA makes one for what a loop reads.
        self.largest = task.bytes + max(
            self.lane_bytes(self.widest, self.deepest, variant) for variant in task.variants
        )
        if self.largest > limit:
            raise ValueError(
                f"memory={limit / _GIB:.3g} GiB is too little: one lane of {self.widest} units and {self.deepest} "
                f"layers needs about {self.largest / _GIB:.2g} GiB, its copy of the examples included; allow more, or "
                "use smaller networks or batches"
            )

    def cost(self, units: int, layers: int, variant: Variant) -> Cost:
        """Return what a network of a size costs."""
        size = units, layers, variant
        if size not in self._costs:
            self._costs[size] = self.task.model(layers, units, variant).cost(self.task.shape)
        return self._costs[size]

    def lane_bytes(self, units: int, layers: int, variant: Variant) -> float:
        """Return about what a lane needs."""
        full, batch = self.cost(self.widest, self.deepest, variant), min(self.evaluation_batch, self.task.valid)
        return lane_bytes(self.cost(units, layers, variant), full, self.task.micro_batch, batch, self.tile)

    def launches(self) -> int:
        """Return how many chunks run at once."""
        return max(1, min(cores(), self.lanes, int(self.limit // self.largest))) if self.engine == THREADS else 1

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the buckets of the cheapest classes, the cheapest bucket first."""
        # A lane alone takes real branches: it needs no program for its depth.
        depths = [(self.deepest,)] if self.engine == THREADS else _subsets(self.task.layers)
        ways = (_Classes(units, layers) for units, layers in itertools.product(_subsets(self.task.units), depths))
        best = min(ways, key=self._seconds)
        return tuple(sorted((b for b, _ in self._cut(best)), key=lambda b: (b.units, b.layers, b.variant)))

    def _cut(self, classes: _Classes) -> Iterator[tuple[Bucket, float]]:
        """Yield the buckets of some classes, with the share of lanes that each gets."""
        task = self.task
        groups = [classes.units] if self.branches else [(width,) for width in classes.units]
        for variant, (w, widths) in itertools.product(task.variants, enumerate(groups)):
            depths = tuple(sorted(set(task.layers))) if variant.exact_depth else classes.layers
            for d, depth in enumerate(depths):
                few, flat = (groups[w - 1][-1] if w else 0), (depths[d - 1] if d else 0)
                share = sum(few < u <= widths[-1] for u in task.units) / len(task.units)
                share *= sum(flat < k <= depth for k in task.layers) / len(task.layers) / len(task.variants)
                yield self._bucket(widths, depth, variant, share), share

    def _bucket(self, widths: tuple[int, ...], layers: int, variant: Variant, share: float) -> Bucket:
        units, examples = widths[-1], self.task.bytes
        each = self.lane_bytes(units, layers, variant)
        if self.engine == THREADS:
            return Bucket(units, layers, variant, widths, 1, int(examples + each))
        wanted = _power_of_two(max(1, -int(-self.lanes * share // self.devices)), up=True)
        size = min(wanted, _power_of_two(int((self.limit - examples) // each), up=False))
        return Bucket(units, layers, variant, widths, self.devices * size, int(examples + size * each))

    def _seconds(self, classes: _Classes) -> float:
        """Return about what a study takes with some classes, compilations included."""
        return self._seconds_alone(classes) if self.engine == THREADS else self._seconds_side_by_side(classes)

    def _seconds_side_by_side(self, classes: _Classes) -> float:
        total = 0.0
        for bucket, share in self._cut(classes):
            # Of a bucket that few lanes need, not every round has a chunk.
            chunks = max(self.lanes * share / bucket.size, 1 - (1 - share) ** self.lanes)
            cost = self.cost(bucket.units, bucket.layers, bucket.variant)
            epochs = self.rounds * chunks * self.task.epochs
            total += self.machine.compiling + epochs * self._epoch(cost, bucket.size // self.devices)
        return total

    def _seconds_alone(self, classes: _Classes) -> float:
        task, more = self.task, len(classes.units) - 1
        another = self.machine.branching if self.branches else self.machine.compiling
        total = 0.0
        for variant in task.variants:
            pairs = [(u, next(w for w in classes.units if w >= u), k) for u in task.units for k in task.layers]
            own = sum(self.cost(u, k, variant).forward for u, _, k in pairs)
            done = sum(self.cost(w, k, variant).forward for _, w, k in pairs)
            epoch = sum(self._epoch(self.cost(w, k, variant), 1) for _, w, k in pairs) / len(pairs)
            lanes = self.rounds * self.lanes / len(task.variants)
            total += self.machine.compiling + more * another + lanes * task.epochs * epoch / self.launches()
            # Arithmetic that is mostly masks is refused whatever the table says: it is what a user pays on and on.
            total += _PENALTY if own / done < _USEFUL else 0.0
        return total

    def _epoch(self, cost: Cost, lanes: int) -> float:
        task = self.task
        return epoch_seconds(self.machine, cost, lanes, task.micro_batch, task.train, task.valid)


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


def _power_of_two(number: int, *, up: bool) -> int:
    exponent = max(number, 1).bit_length() - 1
    return 1 << (exponent + (up and (1 << exponent) < number))


def _subsets(values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the ways to choose classes among values, the largest in each; among few of them where they are many."""
    levels = sorted(set(values))
    if len(levels) > _CLASSES:
        levels = sorted({next(v for v in levels if v >= levels[-1] / 2**i) for i in range(_CLASSES)})
    for chosen in itertools.product((False, True), repeat=len(levels) - 1):
        yield (*itertools.compress(levels, chosen), levels[-1])
