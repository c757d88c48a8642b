"""The network that the lanes of a program train, as pure functions of one lane."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.models import (
    BY_QUANTILES,
    MLP,
    STANDARD,
    Active,
    Dropout,
    init_together,
    names_of,
    narrow,
    represent,
    widen,
)
from jaxhpo.training.goal.scoring import Goal, cross_entropy, mean_loss, squared_error, wide
from jaxhpo.training.step.examples import TrainingData, normalise
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.types import Array, Key


class Batch(NamedTuple):
    """The examples of a training step, and the origin of its random numbers.

    Attributes:
        x: Network's input: [n, ...].
        y: Labels or targets: [n, ...].
        key: Key data of the trial's epoch: [2] uint32.
        position: Place of each example in the epoch: [n] int32.
    """

    x: Array
    y: Array
    key: Array
    position: Array


class Learner(Protocol):
    """A network and its training on a batch. `hyper` holds the scalars of the lane.

    `params` are changed by the optimizer; `statistics` are changed by the network itself during training.
    """

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network's input."""
        ...

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return the initial params and statistics of a trial; `example` is a network's input [1, ...]."""
        ...

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return the loss of a batch, its gradients, and the statistics after it."""
        ...

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use(network)` for the network with these weights: stored examples [n, ...] -> outputs [n, ...]."""
        ...


def loss_of(goal: Goal, data: TrainingData, hyper: Hyper, outputs: Any, y: Array) -> Array:
    """Return the loss of a batch, []; outputs that are predictions are in units of the targets."""
    if goal.loss is not None:
        if goal.standardised:
            outputs, y = _standardised(data, outputs), _standardised(data, y)
        return mean_loss(goal.loss)(outputs, y)
    if data.target_scale is None:
        return cross_entropy(outputs, y, hyper.label_smoothing)
    return squared_error(outputs, y, data.target_scale)


class Masked(NamedTuple):
    """A network of jaxhpo of which a lane uses a part.

    If there are several `sizes`, a lane computes in the narrowest one that holds its units, by a branch. All use the
    weights of the last one.

    Attributes:
        sizes: Networks of different widths, narrow ones first.
        full: Network of the full size of the space, for which initial weights are drawn.
        drops: Whether any lane may use dropout.
    """

    sizes: tuple[nn.Module, ...]
    full: nn.Module
    drops: bool

    @property
    def model(self) -> nn.Module:
        """The widest of the sizes."""
        return self.sizes[-1]

    @property
    def reads_quantiles(self) -> bool:
        """Whether the network's input is made with the quantiles of the training examples."""
        names = names_of(self.model.representation) if isinstance(self.model, MLP) else ()
        return any(name in BY_QUANTILES for name in names)

    def input_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the network's input for an example of a shape."""
        return self.model.input_shape(shape) if isinstance(self.model, MLP) else shape

    def prepare(self, data: TrainingData, x: Array) -> Array:
        """Return stored examples as the network's input."""
        standard, model = normalise(data, x), self.model
        if not isinstance(model, MLP) or model.representation == STANDARD:
            return standard
        stored = x.astype(standard.dtype)
        made = [
            represent(name, model.numbers, stored, standard, data.quantiles) for name in names_of(model.representation)
        ]
        return made[0] if len(made) == 1 else jnp.concatenate(made, axis=1)

    def start(self, key: Key, example: Array, hyper: Hyper) -> tuple[Any, Any]:
        """Return the initial weights of a trial, which do not depend on its bucket."""
        active = Active(hyper.layers, hyper.units, hyper.representation)
        full = init_together(self.full, jax.random.fold_in(key, 0), example, active=active)
        if self.full == self.model:
            return full, ()
        shapes = self._shapes(self.model, example, active)
        return narrow(full, shapes, (self.full.units, self.model.units)), ()

    def gradients(
        self, goal: Goal, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, batch: Batch
    ) -> tuple[Array, Any, Any]:
        """Return the loss of a batch, its gradients, and empty statistics."""
        drops = self.drops or hyper.embedding_dropout is not None
        dropout = Dropout(hyper.dropout, batch.key, batch.position, hyper.embedding_dropout) if drops else None
        active = Active(hyper.layers, hyper.units, hyper.representation)

        def compute(model: nn.Module) -> tuple[Array, Any]:
            def loss(params: Any) -> Array:
                outputs = model.apply({"params": params}, batch.x, active=active, dropout=dropout)
                return loss_of(goal, data, hyper, _predictions(data, outputs), batch.y)

            if model.units == self.model.units:
                return jax.value_and_grad(loss)(params)
            units = (self.model.units, model.units)
            value, grads = jax.value_and_grad(loss)(narrow(params, self._shapes(model, batch.x[:1], active), units))
            return value, widen(grads, params, units)

        return *self._by_size(hyper.units, compute), statistics

    def evaluate(
        self, data: TrainingData, hyper: Hyper, params: Any, statistics: Any, use: Callable[[Callable], Any]
    ) -> Any:
        """Return `use(network)` for the network with these weights."""
        active = Active(hyper.layers, hyper.units, hyper.representation)

        def compute(model: nn.Module) -> Any:
            shapes = self._shapes(model, self.prepare(data, data.train.x[:1]), active)
            own = narrow(params, shapes, (self.model.units, model.units))

            def apply(x: Array) -> Array:
                return _predictions(data, model.apply({"params": own}, self.prepare(data, x), active=active))

            return use(apply)

        return self._by_size(hyper.units, compute)

    def _by_size(self, units: Array, compute: Callable[[nn.Module], Any]) -> Any:
        """Return `compute` of the narrowest size that holds `units`; all sizes return the same shapes."""
        if len(self.sizes) == 1:
            return compute(self.model)
        index = jnp.sum(units > np.array([size.units for size in self.sizes[:-1]], np.int32), dtype=jnp.int32)
        return jax.lax.switch(index, [partial(compute, size) for size in self.sizes])

    def _shapes(self, model: nn.Module, example: Array, active: Active) -> Any:
        return jax.eval_shape(lambda: model.init(jax.random.key(0, impl="threefry2x32"), example, active=active))[
            "params"
        ]


def in_units(data: TrainingData, outputs: Array) -> Array:
    """Return standardised predictions, [n] or [n, K] as the targets are, in units of the targets; logits unchanged."""
    if data.target_offset is None or data.target_scale is None:
        return outputs
    outputs = wide(outputs)  # half precision is too coarse for the units of the targets
    offset, scale = (_of_examples(a, outputs.dtype) for a in (data.target_offset, data.target_scale))
    return outputs * scale + offset


def _standardised(data: TrainingData, values: Array) -> Array:
    """Return predictions or targets in units of the targets, [n] or [n, K], as the network learns them."""
    assert data.target_offset is not None  # a goal is standardised only in regression
    assert data.target_scale is not None
    offset, scale = (_of_examples(a, values.dtype) for a in (data.target_offset, data.target_scale))
    return (values - offset) / scale


def _of_examples(moments: Array, dtype: Any) -> Array:
    """Return moments of the targets, [] or [K], as they go with those of examples: [] or [1, K]."""
    moments = moments.astype(dtype)
    return moments if moments.ndim == 0 else moments[None]


def _predictions(data: TrainingData, outputs: Array) -> Array:
    """Return the outputs of a network of jaxhpo, [n, K]: logits, or predictions in units of the targets."""
    single = data.target_offset is not None and data.target_offset.ndim == 0
    return in_units(data, outputs[:, 0] if single else outputs)
