"""The cost of training: required and executed arithmetic, and seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.models import Cost, Costed, Variant
from jaxhpo.training.config.space_reader import Structure
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.step.engines import THREADS
from jaxhpo.training.step.examples import group_texts


def training_flops(cost: Cost, examples: int, valid: int) -> float:
    """Return the floating-point operations of an epoch with `examples` training and `valid` validation examples."""
    return examples * (cost.forward + cost.backward) + valid * cost.forward


@dataclass
class Account:
    """Sums over some trials.

    Attributes:
        lanes: Number of trainings: trials, or their folds or repeats.
        useful: Floating-point operations of the matrix products that the configurations need.
        total: Executed operations, including masked units, padding, finished lanes and dropped remainders.
        samples: Training examples, without those that filled no batch.
        busy: Seconds of launches, summed over simultaneous ones.
    """

    lanes: int = 0
    useful: float = 0.0
    total: float = 0.0
    samples: float = 0.0
    busy: float = 0.0

    def add(self, other: "Account") -> None:
        """Add the sums of another account."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def report(self, seconds: float) -> dict[str, float]:
        """Return the figures of a report over `seconds` of training."""
        return {
            "useful_gflop": self.useful / 1e9,
            "total_gflop": self.total / 1e9,
            "useful_share": self.useful / self.total if self.total else 0.0,
            "gflop_per_second": self.total / seconds / 1e9 if seconds else 0.0,
            "samples_per_second_per_lane": self.samples / self.busy if self.busy else 0.0,
        }


@dataclass
class Ledger:
    """The accounts of a study by bucket, and its times.

    Attributes:
        buckets: Accounts by bucket.
        compile_seconds: Seconds of tracing and compiling, by bucket.
        seconds: Seconds of training.
        waited: Seconds in which nothing trained because programs were compiled.
    """

    buckets: dict[int, Account] = field(default_factory=dict)
    compile_seconds: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    waited: float = 0.0

    def total(self) -> Account:
        """Return the sum over buckets."""
        total = Account()
        for account in self.buckets.values():
            total.add(account)
        return total

    def report(self, buckets: Sequence[dict[str, Any]], each: int = 1) -> dict[str, Any]:
        """Return what the ledger holds as plain data.

        Args:
            buckets: The plan's, as plain data.
            each: Trainings of a trial.
        """
        total = self.total()
        rows = [
            bucket
            | {"trials": account.lanes // each, "busy_seconds": account.busy}
            | {"compile_seconds": self.compile_seconds.get(i, 0.0)}
            | account.report(account.busy)
            for i, bucket in enumerate(buckets)
            for account in [self.buckets.get(i, Account())]
        ]
        return {"seconds": self.seconds, "trials": total.lanes // each} | total.report(self.seconds) | {"buckets": rows}


class Meter:
    """Counts the operations that lanes need, and those that the buckets of a plan execute.

    The padding of a text within its group counts as needed.

    Args:
        network: Function (layers, units, variant) -> network.
        data: Data set.
        lengths: Lengths of the groups of texts; empty if examples have one shape.
    """

    def __init__(self, network: Callable[[int, int, Variant], Costed], data: Dataset, lengths: tuple[int, ...] = ()):
        self._train, self._valid = len(data.y_train), len(data.y_valid)
        shapes: list[tuple[int, ...]] = [(length, *data.shape[1:]) for length in lengths] or [data.shape]
        weights = np.bincount(group_texts(data.x_train, lengths), minlength=len(lengths)) if lengths else np.ones(1)
        shares = (weights / weights.sum()).tolist()

        def mean_cost(layers: int, units: int, variant: Variant) -> Cost:
            made = network(layers, units, variant)
            costs = [made.cost(shape) for shape in shapes]
            return Cost(
                *(round(sum(s * n for s, n in zip(shares, part, strict=True))) for part in zip(*costs, strict=True))
            )

        self._cost = cache(mean_cost)

    def executed(self, plan: Plan, bucket: int, structure: Structure) -> float:
        """Return the floating-point operations of one epoch of a lane in its bucket."""
        b, micro = plan.buckets[bucket], plan.batch_of(bucket)
        # A lane alone takes real branches.
        alone = plan.engine == THREADS
        layers, variant = (structure.layers, structure.variant) if alone else (b.layers, b.variant)
        width = next(w for w in b.widths if w >= structure.units)
        train = self._train // micro * micro
        batch = min(plan.evaluation_batch, self._valid)
        return training_flops(self._cost(layers, width, variant), train, -(-self._valid // batch) * batch)

    def cost(self, structure: Structure) -> Cost:
        """Return the mean cost of an example in the network of a configuration."""
        return self._cost(structure.layers, structure.units, structure.variant)

    def account(
        self, plan: Plan, bucket: int, structures: Sequence[Structure], epochs: np.ndarray, start: np.ndarray
    ) -> Account:
        """Return the account of a chunk whose lanes ran `epochs` from `start` on: [len(structures)] int each."""
        account = Account(lanes=len(structures))
        for s, ran in zip(structures, epochs.tolist(), strict=True):
            used = self._train // s.batch_size * s.batch_size
            account.useful += ran * training_flops(self._cost(s.layers, s.units, s.variant), used, self._valid)
            account.samples += ran * used
        # Padding lanes, and lanes that do not run in an epoch of other lanes, are computed too.
        run = {
            epoch for first, n in zip(start.tolist(), epochs.tolist(), strict=True) for epoch in range(first, first + n)
        }
        account.total = plan.buckets[bucket].size * len(run) * self.executed(plan, bucket, structures[0])
        return account
