"""The arguments of a training program: those of the lanes of a chunk."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.run.continuing import gather
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.state import ResumeState
from jaxhpo.training.step.examples import TrainingData
from jaxhpo.training.step.lane_state import LaneState, Source
from jaxhpo.types import FRESH, Key, Proposal


class Arguments(NamedTuple):
    """What the chunks of a round are called with.

    Attributes:
        plan: Plan of the Trainer.
        layout: The lanes of a trial.
        key: The study's key for the objective.
        data: The examples on the device.
        proposal: The round: NumPy arrays.
        sources: Training states that rows continue, by row.
        shapes: Shapes of the sources of a chunk, by bucket; None if no trial continues another one.
    """

    plan: Plan
    layout: Layout
    key: Key
    data: TrainingData
    proposal: Proposal
    sources: Mapping[int, ResumeState]
    shapes: Mapping[int, Source] | None

    def of(self, launch: Launch) -> tuple:
        """Return the arguments of a chunk. Lanes that it lacks are copies of its first one, and do not train."""
        size, proposal, copies = self.plan.buckets[launch.bucket].size, self.proposal, self.layout.copies
        real = np.arange(size) < len(launch.lanes)
        padding = np.full(size - len(launch.lanes), launch.lanes[0], launch.lanes.dtype)
        lanes = np.concatenate([launch.lanes, padding])
        rows = lanes // copies
        root = proposal.trial.copy()
        for row, kept in self.sources.items():
            root[row] = kept.root
        trial = np.where(real, root[rows], np.int32(FRESH))
        plain = self.key, self.data, proposal.point[rows], proposal.budget[rows], real, trial
        copy = None if copies == 1 else (lanes % copies).astype(np.int32)
        if self.shapes is None:
            return plain if copy is None else (*plain, copy)
        chunk = [self.source_of(int(lane)) if own else None for lane, own in zip(lanes, real, strict=True)]
        return *plain, copy, gather(self.shapes[launch.bucket], chunk)

    def source_of(self, lane: int) -> tuple[int, LaneState] | None:
        """Return epochs and state of what a lane continues; None if it trains from the start."""
        row, copy = divmod(lane, self.layout.copies)
        kept = self.sources.get(row)
        return None if kept is None else (kept.budget, kept.states[copy])


def shapes_of_chunk(plan: Plan, bucket: int, dimensions: int, layout: Layout) -> tuple[Any, ...]:
    """Return the arguments of a bucket's program, other than data and sources: the key, and arrays of the shapes."""
    key, size = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32")), plan.buckets[bucket].size
    number, point = np.zeros(size, np.int32), np.zeros((size, dimensions), np.float32)
    return (key, point, number, number > 0, number, *(() if layout.copies == 1 else (number,)))
