"""The programs of a plan as pure functions: one that trains each bucket, and one that scores on the test examples."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.families import Family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.step.engines import Chunk, train_chunk
from jaxhpo.training.step.examples import Split, TrainingData, outputs_of
from jaxhpo.training.step.lane import start_lane
from jaxhpo.training.step.lane_state import Lane, Result, Source, TrainSpec
from jaxhpo.training.step.stopping import Stopping
from jaxhpo.types import Array, Key

_TRIALS, _ORDER = 0, 1  # numbers folded into the objective's key


class Programs(NamedTuple):
    """The programs of a plan. Chunks are [size, ...] arrays; `bucket` is an index in the plan.

    Attributes:
        family: Networks of the space.
        plan: Plan.
        goal: Loss and metric.
        epochs: Largest number of epochs of a trial.
        stopping: When a trial's training ends, and which of its epochs counts.
    """

    family: Family
    plan: Plan
    goal: Goal
    epochs: int
    stopping: Stopping

    def train(
        self,
        bucket: int,
        key: Key,
        data: TrainingData,
        point: Array,
        budget: Array,
        active: Array,
        trial: Array,
        source: Source | None = None,
    ) -> Result:
        """Train a chunk of lanes.

        Initial weights and the order of examples depend only on the key and the trial, or on the first trial of a chain
        of continued trials.
        """
        lanes = self._lanes(key, point, budget, active, trial)._replace(source=source)
        chunk = Chunk(self._spec(bucket), self.plan.engine, self.plan.devices)
        return train_chunk(chunk, data, jax.random.fold_in(key, _ORDER), lanes)

    def sources(
        self, bucket: int, key: Key, data: TrainingData, point: Array, budget: Array, active: Array, trial: Array
    ) -> Source:
        """Return sources for the lanes of a chunk, for their shapes."""
        lanes = self._lanes(key, point, budget, active, trial)
        return Source(budget, jax.vmap(partial(start_lane, self._spec(bucket), data))(lanes))

    def test(
        self, bucket: int, data: TrainingData, params: Any, statistics: Any, place: Array, point: Array, test: Split
    ) -> Array:
        """Return the test score of one lane of a chunk."""
        outputs = self.outputs(bucket, data, params, statistics, place, point, test)
        return self.goal.metric(outputs, test.y).astype(jnp.float32)

    def outputs(
        self, bucket: int, data: TrainingData, params: Any, statistics: Any, place: Array, point: Array, split: Split
    ) -> Any:
        """Return the outputs of one lane of a chunk for a split: [N, ...] each."""
        spec = self._spec(bucket)
        params, statistics = jax.tree.map(lambda leaf: leaf[place], (params, statistics))

        def use(apply: Any) -> Any:
            return outputs_of(apply, split, spec.batch, spec.lengths)

        return spec.learner.evaluate(data, self.family.hyper(point), params, statistics, use)

    def _spec(self, bucket: int) -> TrainSpec:
        plan, ranges = self.plan, self.family.ranges
        return TrainSpec(
            learner=self.family.learner(plan, bucket),
            goal=self.goal,
            optimizers=ranges.optimizers,
            schedules=ranges.schedules,
            micro_batch=plan.batch_of(bucket),
            epochs=self.epochs,
            batch=plan.evaluation_batch,
            lengths=plan.lengths,
            stopping=self.stopping,
        )

    def _lanes(self, key: Key, point: Array, budget: Array, active: Array, trial: Array) -> Lane:
        trial_key = jax.random.fold_in(key, _TRIALS)
        return Lane(
            key=jax.vmap(lambda t: jax.random.fold_in(trial_key, t))(trial),
            hyper=self.family.hyper(point),
            budget=jnp.clip(budget, 0, self.epochs),
            active=active,
        )
