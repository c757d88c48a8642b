"""The programs of a plan as pure functions: one that trains each bucket, and one that computes its outputs."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.families import Family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.step.engines import Chunk, train_chunk
from jaxhpo.training.step.examples import Split, TrainingData, data_of, outputs_of
from jaxhpo.training.step.folds import FoldSizes
from jaxhpo.training.step.lane import start_lane
from jaxhpo.training.step.lane_state import Lane, Result, Source, TrainSpec
from jaxhpo.training.step.learner import loss_of
from jaxhpo.training.step.stopping import Stopping
from jaxhpo.types import Array, Key

_TRIALS, _ORDER = 0, 1  # numbers folded into the objective's key
_COPIES = 2  # number folded into a trial's key; 0 and 1 are of its initial weights and its dropout


class Programs(NamedTuple):
    """The programs of a plan. Chunks are [size, ...] arrays; `bucket` is an index in the plan.

    Attributes:
        family: Networks of the space.
        plan: Plan.
        goal: Loss and metric.
        epochs: Largest number of epochs of a trial.
        stopping: When a trial's training ends, and which of its epochs counts.
        folds: The folds that a trial's lanes hold out; None without.
    """

    family: Family
    plan: Plan
    goal: Goal
    epochs: int
    stopping: Stopping
    folds: FoldSizes | None

    def train(
        self,
        bucket: int,
        key: Key,
        data: TrainingData,
        point: Array,
        budget: Array,
        active: Array,
        trial: Array,
        copy: Array | None = None,
        source: Source | None = None,
    ) -> Result:
        """Train a chunk of lanes.

        Initial weights and the order of examples depend only on the key, the trial and the copy, or on the first trial
        of a chain of continued trials.

        Args:
            bucket: Index of the bucket.
            key: The objective's key.
            data: Examples.
            point: Configurations: [size, D] float32.
            budget: Epochs: [size] int32.
            active: Which lanes train: [size] bool.
            trial: Ids of the trials: [size] int32.
            copy: Which of its trial's lanes each is: the fold that it holds out, or the repeat: [size] int32; None
                where a trial is one lane.
            source: Training states to continue, or None.
        """
        lanes = self._lanes(key, point, budget, active, trial, copy)._replace(source=source)
        chunk = Chunk(self._spec(bucket), self.plan.engine, self.plan.devices)
        return train_chunk(chunk, data, jax.random.fold_in(key, _ORDER), lanes)

    def sources(self, bucket: int, key: Key, data: TrainingData, *chunk: Any) -> Source:
        """Return sources for the lanes of a chunk, arguments of `train`, for their shapes."""
        lanes = self._lanes(key, *chunk)
        return Source(lanes.budget, jax.vmap(partial(start_lane, self._spec(bucket), data))(lanes))

    def outputs(
        self,
        bucket: int,
        data: TrainingData,
        params: Any,
        statistics: Any,
        point: Array,
        split: Split,
        copy: Array | None = None,
    ) -> Any:
        """Return the outputs of one network for a split: [N, ...] each."""
        spec, own = self._spec(bucket), data_of(data, None if self.folds is None else copy)

        def use(apply: Any) -> Any:
            return outputs_of(apply, split, spec.batch, spec.lengths)

        return spec.learner.evaluate(own, self.family.hyper(point), params, statistics, use)

    def loss(self, data: TrainingData, outputs: Any, y: Array) -> Array:
        """Return the loss of outputs, [N, ...], without penalties: [] float32.

        That of regression is in units of the variance of the training targets, with folds of those of the last one.
        """
        own = data_of(data, None if self.folds is None else jnp.int32(self.folds.count - 1))
        plain = self.family.hyper(jnp.zeros(len(self.family.space), jnp.float32))._replace(label_smoothing=None)
        return loss_of(self.goal, own, plain, outputs, y).astype(jnp.float32)

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
            folds=self.folds,
        )

    def _lanes(
        self, key: Key, point: Array, budget: Array, active: Array, trial: Array, copy: Array | None = None
    ) -> Lane:
        trial_key = jax.random.fold_in(key, _TRIALS)
        keys = jax.vmap(lambda t: jax.random.fold_in(trial_key, t))(trial)
        if copy is not None:  # the first has the key of a trial of one lane
            others = jax.vmap(lambda k, c: jax.random.fold_in(jax.random.fold_in(k, _COPIES), c))(keys, copy)
            keys = jnp.where(copy > 0, others, keys)
        return Lane(
            key=keys,
            hyper=self.family.hyper(point),
            budget=jnp.clip(budget, 0, self.epochs),
            active=active,
            fold=None if self.folds is None else copy,
        )
