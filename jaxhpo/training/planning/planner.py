"""The planner of jaxhpo's own networks.

Lanes are put into few *buckets*, each one compiled program: a width and a depth that hold what its lanes use, of one
variant of the network. More buckets waste less arithmetic on masked units and cost more compilations; which are worth
it follows from the recorded costs of the device, the space, the data's size and whether the study is to be short or
long. No trial's result enters, so a study and its continuation have one plan.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import flax.linen as nn

from jaxhpo.machine import cores
from jaxhpo.models import Cost, Variant
from jaxhpo.training.planning.costs import device_costs, epoch_seconds, lane_bytes, outputs_bytes, tile_of
from jaxhpo.training.planning.plan import HORIZONS, Bucket, Plan, power_of_two
from jaxhpo.training.planning.resources import Resources
from jaxhpo.training.step.engines import THREADS

_CLASSES = 6  # candidates for the widths, or depths, that buckets are made for
_GIB = 2.0**30
_EVALUATION_BATCH = 512
_ARRAYS = 6 * 4  # bytes of a weight, its gradient and its sum, two moments, and a copy
_USEFUL, _PENALTY = 0.65, 1e9  # the least share of arithmetic that is the configurations' own


class Task(NamedTuple):
    """What is planned for.

    Attributes:
        model: From layers, units and variant to the network.
        shape: Shape of one example.
        train: Number of training examples.
        valid: Number of validation examples.
        bytes: Size of all examples.
        epochs: Epochs that a trial is expected to train.
        micro_batch: Smallest batch size.
        units: Values that the space may give, each equally likely.
        layers: Values that the space may give, each equally likely.
        variants: Variants of the network.
        tiled: Whether the network sees a few images at a time on a processor.
        outputs: Numbers that the network returns for an example.
        lengths: Lengths of the groups of texts; empty if examples have one shape.
    """

    model: Callable[[int, int, Variant], nn.Module]
    shape: tuple[int, ...]
    train: int
    valid: int
    bytes: int
    epochs: int
    micro_batch: int
    units: tuple[int, ...]
    layers: tuple[int, ...]
    variants: tuple[Variant, ...]
    tiled: bool
    outputs: int
    lengths: tuple[int, ...] = ()


def make_plan(task: Task, resources: Resources) -> Plan:
    """Return the plan of a task.

    Args:
        task: What is to be trained.
        resources: What it may use; see `read_resources`.

    Raises:
        ValueError: if the memory does not hold a lane.
    """
    planner = _Planner(task, resources)
    plan = resources.plan(planner.launches(), task.micro_batch, planner.evaluation_batch, planner.buckets())
    return plan._replace(lengths=task.lengths)


class _Classes(NamedTuple):
    """A way to cut a space into buckets: the widths and depths that there are programs for."""

    units: tuple[int, ...]
    layers: tuple[int, ...]


class _Planner:
    """Weighs ways to cut a task into buckets; `limit` is in bytes."""

    def __init__(self, task: Task, resources: Resources):
        self.task = task
        self.engine, self.devices = resources.engine, resources.devices
        self.lanes = resources.lanes * resources.trainings
        self.limit = resources.memory
        self.copies = resources.weights_beside
        trainings = HORIZONS[resources.horizon]
        self.rounds = trainings / min(self.lanes, trainings)
        self.device = device_costs()
        self.widest, self.deepest = max(task.units), max(task.layers)
        alone = self.engine == THREADS
        # A lane alone evaluates in large batches, which fill the cores; side by side it must not need more than in
        # training.
        self.evaluation_batch = _EVALUATION_BATCH if alone else 2 * task.micro_batch
        self.tile = tile_of(task.micro_batch) if alone and task.tiled else None
        self._costs: dict[tuple[int, int, Variant], Cost] = {}
        params = max(self.cost(self.widest, self.deepest, variant).params for variant in task.variants)
        # Where an optimizer's arrays stay in a core's cache, narrow lanes may update the wide network's weights.
        self.branches = alone and _ARRAYS * params <= self.device.cache
        # A launch has a copy of the examples: XLA makes one for what a loop reads.
        self.largest = task.bytes + max(
            self.lane_bytes(self.widest, self.deepest, variant) for variant in task.variants
        )
        if self.largest > self.limit:
            raise ValueError(
                f"memory={self.limit / _GIB:.3g} GiB is too little: one lane of {self.widest} units and {self.deepest} "
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
        cost = self.cost(units, layers, variant)
        needed = lane_bytes(cost, full, self.task.micro_batch, batch, self.tile, self.copies)
        return needed + outputs_bytes(self.task.valid, self.task.outputs)

    def launches(self) -> int:
        """Return how many chunks run at once."""
        return max(1, min(cores(), self.lanes, int(self.limit // self.largest))) if self.engine == THREADS else 1

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the buckets of the cheapest classes, the cheapest bucket first."""
        # A lane alone takes real branches: it needs no program for its depth.
        depths = [(self.deepest,)] if self.engine == THREADS else _subsets(self.task.layers)
        ways = (_Classes(units, layers) for units, layers in itertools.product(_subsets(self.task.units), depths))
        best = min(ways, key=self._seconds)
        return tuple(sorted((b for b, _ in self._cut(best)), key=lambda b: (b.units, b.layers, _order(b.variant))))

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
        wanted = power_of_two(max(1, -int(-self.lanes * share // self.devices)), up=True)
        size = min(wanted, power_of_two(int((self.limit - examples) // each), up=False))
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
            total += self.device.compiling + epochs * self._epoch(cost, bucket.size // self.devices)
        return total

    def _seconds_alone(self, classes: _Classes) -> float:
        task, more = self.task, len(classes.units) - 1
        another = self.device.branching if self.branches else self.device.compiling
        total = 0.0
        for variant in task.variants:
            pairs = [(u, next(w for w in classes.units if w >= u), k) for u in task.units for k in task.layers]
            own = sum(self.cost(u, k, variant).forward for u, _, k in pairs)
            done = sum(self.cost(w, k, variant).forward for _, w, k in pairs)
            epoch = sum(self._epoch(self.cost(w, k, variant), 1) for _, w, k in pairs) / len(pairs)
            lanes = self.rounds * self.lanes / len(task.variants)
            total += self.device.compiling + more * another + lanes * task.epochs * epoch / self.launches()
            # Arithmetic that is mostly masks is refused whatever the table says: it is what a user pays on and on.
            total += _PENALTY if own / done < _USEFUL else 0.0
        return total

    def _epoch(self, cost: Cost, lanes: int) -> float:
        task = self.task
        return epoch_seconds(self.device, cost, lanes, task.micro_batch, task.train, task.valid)


def _order(variant: Variant) -> Variant:
    """Return a variant by which variants are sorted: those of one option among those of several."""
    several = tuple((name, value if isinstance(value, tuple) else (value,)) for name, value in variant.built_with)
    return variant._replace(built_with=several)


def _subsets(values: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the ways to choose classes among values, the largest in each; among few of them where they are many."""
    levels = sorted(set(values))
    if len(levels) > _CLASSES:
        levels = sorted({next(v for v in levels if v >= levels[-1] / 2**i) for i in range(_CLASSES)})
    for chosen in itertools.product((False, True), repeat=len(levels) - 1):
        yield (*itertools.compress(levels, chosen), levels[-1])
