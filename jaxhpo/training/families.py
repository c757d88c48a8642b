"""The networks of a study: what a space asks of them, how they are planned, and what each program trains."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Protocol

import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.models import CHOICES, MODELS, Costed, Variant, narrow
from jaxhpo.space import Space
from jaxhpo.training.costs import tile_of
from jaxhpo.training.engines import THREADS
from jaxhpo.training.examples import length_groups, text_lengths
from jaxhpo.training.goals import Goal
from jaxhpo.training.hyperparameters import canonical_name
from jaxhpo.training.learner import Learner, Masked
from jaxhpo.training.plan import Plan
from jaxhpo.training.planner import Task, make_plan
from jaxhpo.training.ranges import Hyper, Ranges, Structure, read_hyper, read_ranges, read_structure
from jaxhpo.types import Array

Made = dict[str, Any]
"""How a network is made again, as plain data."""

_FITTING = {"image": "cnn", "vector": "mlp", "text": "rnn"}


class Family(Protocol):
    """The networks that a space's configurations are."""

    name: str
    data: Dataset
    space: Space
    ranges: Ranges

    def plan(self, **means: Any) -> Plan:
        """Return the plan of how they run; arguments as `make_plan`'s."""
        ...

    def network(self, layers: int, units: int, variant: Variant) -> Costed:
        """Return one of them."""
        ...

    def learner(self, plan: Plan, bucket: int) -> Learner:
        """Return what a bucket's program trains."""
        ...

    def structure(self, config: dict[str, Any]) -> Structure:
        """Return which of them a configuration is."""
        ...

    def check(self, structure: Structure) -> None:
        """Raise ValueError where it cannot be trained."""
        ...

    def alone(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any]]:
        """Return a configuration's network by itself, its part of a bucket's params, and what makes it again."""
        ...

    def hyper(self, point: Array) -> Hyper:
        """Return the lanes' hyperparameters: [B, D] float32 -> [B] each."""
        ...


def fitting_model(name: str | None, data: Dataset) -> str:
    """Return the name of a model that can take the data; raise ValueError where the one that is named cannot."""
    fitting = _FITTING[data.kind]
    if name is None:
        return fitting
    if name not in MODELS:
        raise ValueError(f"model={name!r} is unknown; use one of {', '.join(MODELS)}, or a Flax model of your own")
    if (name == "rnn") != (data.kind == "text") or (name == "cnn" and data.kind != "image"):
        raise ValueError(
            f"model={name!r} cannot take {data.name}, {data.kind} data of shape {data.shape}; use {fitting!r}"
        )
    return name


def check_space(space: Iterable[str], ranges: Ranges, data: Dataset, goal: Goal) -> None:
    """Raise ValueError where a space asks for what the data or the loss cannot give."""
    if ranges.largest_batch > len(data.y_train):
        raise ValueError(
            f"space batch_size: {ranges.largest_batch} exceeds the {len(data.y_train)} training examples "
            f"of {data.name}; use smaller batches or more examples"
        )
    smoothed = any(canonical_name(name) == "label_smoothing" for name in space)
    if smoothed and (data.task != "classification" or goal.loss is not None):
        whose = "a loss of your own" if goal.loss is not None else "regression"
        raise ValueError(f"space has label_smoothing, which is of the cross-entropy of classes, not {whose}; drop it")


def examples_bytes(data: Dataset) -> int:
    """Return the bytes of the examples that training sees."""
    return sum(array.nbytes for array in (data.x_train, data.y_train, data.x_valid, data.y_valid))


def build_network(name: str, layers: int, units: int, variant: Variant, data: Any) -> Any:
    """Return one of jaxhpo's networks; of the data it takes `outputs` and `vocabulary`."""
    model = MODELS[name]
    options: dict[str, Any] = {"layers": layers, "units": units, "classes": data.outputs}
    options |= {name: value for name, value in variant._asdict().items() if name in model.__dataclass_fields__}
    if name == "rnn":
        options["vocabulary"] = data.vocabulary
    return model(**options)


class Builtin:
    """One of jaxhpo's own networks, in all the sizes and variants of a space.

    Raises ValueError where the space asks for what the model or the data cannot give.
    """

    def __init__(self, name: str, data: Dataset, space: Space, goal: Goal, epochs: int):
        self.name, self.data, self.space, self.goal, self.epochs = name, data, space, goal, epochs
        self.ranges = read_ranges(space, name, image=data.shape[:2] if data.kind == "image" else None)
        check_space(space, self.ranges, data, goal)

    def plan(self, **means: Any) -> Plan:
        """Return the plan of how they run."""
        data, ranges = self.data, self.ranges
        task = Task(
            model=self.network,
            shape=data.shape,
            train=len(data.y_train),
            valid=len(data.y_valid),
            bytes=examples_bytes(data),
            epochs=self.epochs,
            micro_batch=ranges.micro_batch,
            units=ranges.units_values,
            layers=ranges.layers_values,
            variants=ranges.variants,
            tiled=self.name == "cnn",
            lengths=self._lengths,
        )
        return make_plan(task, **means)

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        if self.data.kind != "text":
            return ()
        x = np.asarray(self.data.x_train)
        return length_groups(text_lengths(x), x.shape[1])

    def network(self, layers: int, units: int, variant: Variant) -> Any:
        """Return the Flax network of a size and variant."""
        return build_network(self.name, layers, units, variant, self.data)

    def learner(self, plan: Plan, bucket: int) -> Masked:
        """Return what a bucket's program trains."""
        b = plan.buckets[bucket]
        deepest, widest = max(self.ranges.layers_values), max(self.ranges.units_values)
        full = self.network(b.layers if b.variant.exact_depth else deepest, widest, b.variant)
        sizes = tuple(self.network(b.layers, width, b.variant) for width in b.widths)
        if self.name == "cnn" and plan.engine == THREADS:
            sizes = tuple(size.clone(tile=tile_of(plan.micro_batch)) for size in sizes)
        return Masked(sizes, full, self.ranges.drops)

    def structure(self, config: dict[str, Any]) -> Structure:
        """Return which of them a configuration is."""
        return read_structure(config)

    def check(self, structure: Structure) -> None:
        """Do nothing: all of them can be trained."""

    def alone(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any]]:
        """Return a configuration's network by itself, its part of a bucket's params, and what makes it again."""
        _, layers, units, variant = self.structure(config)
        network = self.network(layers, units, variant)
        example = jax.ShapeDtypeStruct((1, *self.data.shape), np.float32)
        shapes = jax.eval_shape(lambda x: network.init(jax.random.key(0), x), example)["params"]
        made = {"builtin": self.name, "layers": layers, "units": units}
        made |= {name: getattr(variant, name) for name in CHOICES}
        own = narrow(params, shapes, (plan.buckets[bucket].units, units))
        return Masked((network,), network, False), own, made

    def hyper(self, point: Array) -> Hyper:
        """Return the lanes' hyperparameters."""
        return read_hyper(self.space, point)
