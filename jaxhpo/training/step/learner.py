"""The network that a program's lanes train, as pure functions of one lane."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.models import Active, Dropout, init_together, narrow, widen
from jaxhpo.training.step.examples import TrainingData, normalise
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.scoring import Goal, cross_entropy, squared_error
from jaxhpo.types import Array, Key


class Batch(NamedTuple):
    """What a training step sees, and what its random numbers follow from."""

    x: Array  # [n, ...] as the network sees them
    y: Array  # [n, ...]
    key: Array  # [2] uint32: key data of the trial's epoch
    position: Array  # [n] int32: each example's place in the epoch


class Learner(Protocol):
    """A network and how it is trained on a batch. `hyper` is the lane's, scalars.

    `params` is what the optimizer changes; `statistics` what the network itself changes while it trains.
    """

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network sees them."""
        ...

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return a trial's first params and statistics; `example` is [1, ...] as the network sees it."""
        ...

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return a batch's loss, its gradients, and the statistics after it."""
        ...

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use` of the network that is trained so far: stored examples [n, ...] -> outputs [n, ...]."""
        ...


def loss_of(goal: Goal, data: TrainingData, hyper: Hyper, outputs: Any, y: Array) -> Array:
    """Return a batch's loss: []."""
    if goal.loss is not None:
        return goal.loss(outputs, y)
    if data.target_scale is None:
        return cross_entropy(outputs, y, hyper.label_smoothing)
    return squared_error(outputs, y, data.target_scale)


class Masked(NamedTuple):
    """One of jaxhpo's networks, of which a lane uses a part.

    Where `sizes` has several, narrow ones first, a lane computes in the narrowest that holds its units: a branch. All
    have the weights of the last.
    """

    sizes: tuple[nn.Module, ...]
    full: nn.Module  # the space's full-size one, that initial weights are drawn for
    drops: bool  # whether any lane may use dropout

    @property
    def model(self) -> nn.Module:
        """The widest of the sizes."""
        return self.sizes[-1]

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network sees them."""
        return normalise(data, x)

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return a trial's initial weights, whatever its bucket."""
        active = Active(hyper.layers, hyper.units)
        full = init_together(self.full, jax.random.fold_in(key, 0), example, active=active)
        if self.full == self.model:
            return full, ()
        shapes = self._shapes(self.model, example, active)
        return narrow(full, shapes, (self.full.units, self.model.units)), ()

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return a batch's loss, its gradients, and no statistics."""
        drops = self.drops or hyper.embedding_dropout is not None
        dropout = Dropout(hyper.dropout, batch.key, batch.position, hyper.embedding_dropout) if drops else None
        active = Active(hyper.layers, hyper.units)

        def compute(model: nn.Module) -> tuple[Array, Any]:
            def loss(params: Any) -> Array:
                outputs = model.apply({"params": params}, batch.x, active=active, dropout=dropout)
                return loss_of(goal, data, hyper, _in_units(data, outputs), batch.y)

            if model.units == self.model.units:
                return jax.value_and_grad(loss)(params)
            units = (self.model.units, model.units)
            value, grads = jax.value_and_grad(loss)(narrow(params, self._shapes(model, batch.x[:1], active), units))
            return value, widen(grads, params, units)

        return *self._by_size(hyper.units, compute), statistics

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use` of the network as it is trained."""
        active = Active(hyper.layers, hyper.units)

        def compute(model: nn.Module) -> Any:
            shapes = self._shapes(model, normalise(data, data.valid.x[:1]), active)
            own = narrow(params, shapes, (self.model.units, model.units))

            def apply(x: Array) -> Array:
                return _in_units(data, model.apply({"params": own}, normalise(data, x), active=active))

            return use(apply)

        return self._by_size(hyper.units, compute)

    def _by_size(self, units: Array, compute: Callable[[nn.Module], Any]) -> Any:
        """Return `compute` of the narrowest size that holds so many units; all return the same shapes."""
        if len(self.sizes) == 1:
            return compute(self.model)
        index = jnp.sum(units > np.array([size.units for size in self.sizes[:-1]], np.int32), dtype=jnp.int32)
        return jax.lax.switch(index, [partial(compute, size) for size in self.sizes])

    def _shapes(self, model: nn.Module, example: Array, active: Active) -> Any:
        return jax.eval_shape(lambda: model.init(jax.random.key(0), example, active=active))["params"]


def _in_units(data: TrainingData, outputs: Array) -> Array:
    """Return logits as they are, and standardised predictions [n, K] in the targets' units: [n] or [n, K]."""
    if data.target_offset is None or data.target_scale is None:
        return outputs
    if data.target_offset.ndim == 0:
        outputs = outputs[:, 0]
        return outputs * data.target_scale.astype(outputs.dtype) + data.target_offset.astype(outputs.dtype)
    return outputs * data.target_scale.astype(outputs.dtype)[None] + data.target_offset.astype(outputs.dtype)[None]
