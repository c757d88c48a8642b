"""jaxhpo's own networks: how those of a space are planned, built, trained and loaded."""

from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.data.tables.plan import number_places
from jaxhpo.models import FAMILIES, STANDARD, Variant, narrow
from jaxhpo.models.family import STRUCTURAL
from jaxhpo.models.mlp import of_representation
from jaxhpo.space import Space
from jaxhpo.training.config.hyper_reader import read_hyper
from jaxhpo.training.config.hyperparameters import DEFAULTS, KINDS
from jaxhpo.training.config.space_reader import Structure, default_batch_size, read_ranges, read_structure
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.families import check_space, examples_bytes, unread_by_optimizers, warn_of_unread
from jaxhpo.training.networks.goal_rehearsal import rehearse_goal
from jaxhpo.training.planning.costs import tile_of
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.planning.planner import Task, make_plan
from jaxhpo.training.planning.resources import Resources
from jaxhpo.training.step.engines import THREADS
from jaxhpo.training.step.examples import length_groups, text_lengths
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner, Masked
from jaxhpo.types import Array

_ADDED: dict[str, tuple[str, ...]] = dict.fromkeys(("representation", "bigrams"), ("mlp", "cnn", "rnn"))
"""Options that came later, and the networks that were saved before: one that needs none is written as it was then."""


def build_network(name: str, layers: int, units: int, variant: Variant, data: Any) -> Any:
    """Return one of jaxhpo's networks; of the data it takes `outputs`, `vocabulary`, `columns` and `shape`."""
    model = FAMILIES[name].network
    options: dict[str, Any] = {"layers": layers, "units": units, "classes": data.outputs}
    options |= dict(variant.built_with)
    if "vocabulary" in model.__dataclass_fields__:
        options["vocabulary"] = data.vocabulary
    if "representation" in options:
        options["numbers"] = _numbers(data)
    return model(**options)


def _numbers(data: Any) -> tuple[int, ...]:
    return number_places(data.columns, data.shape[0])


class Builtin:
    """One of jaxhpo's own networks, in all the sizes and variants of a space.

    Raises ValueError where the space asks for what the model or the data cannot give.
    """

    def __init__(
        self,
        name: str,
        data: Dataset,
        space: Space,
        goal: Goal,
        epochs: int,
        *,
        batch_size: int | None = None,
        folds: int = 1,
        warns: bool = True,
    ):
        self.name, self.data, self.space, self.epochs = name, data, space, epochs
        self.batch_size = default_batch_size(len(data.y_train)) if batch_size is None else batch_size
        image = data.shape[:2] if data.kind == "image" else None
        self.ranges = read_ranges(space, name, image=image, batch_size=self.batch_size)
        check_space(space, self.ranges, data, goal)
        if any("representation" in dict(v.built_with) for v in self.ranges.variants) and not _numbers(data):
            raise ValueError(
                f"space has representation, which is of numbers, and {data.name!r} has categories alone; leave it out"
            )
        each = (data.classes,) if data.task == "classification" else data.y_train.shape[1:]
        if warns:
            warn_of_unread(unread_by_optimizers(space, self.ranges))
        outputs = jax.ShapeDtypeStruct((self.ranges.micro_batch, *each), np.float32)
        self.goal = rehearse_goal(goal, data, outputs, folds)

    @property
    def output_dtypes(self) -> tuple[Any, ...]:
        """The dtype of logits and predictions."""
        return (np.dtype(np.float32),)

    def again(self, data: Dataset, space: Space) -> "Builtin":
        """Return the same network for other data and another space."""
        options: dict[str, Any] = {"batch_size": self.batch_size, "warns": False}
        return Builtin(self.name, data, space, self.goal, self.epochs, **options)

    def plan(self, resources: Resources) -> Plan:
        """Return the plan of how they run."""
        data, ranges = self.data, self.ranges
        task = Task(
            model=self.network,
            shape=data.shape,
            train=len(data.y_train),
            valid=len(data.y_valid),
            bytes=examples_bytes(data),
            epochs=resources.stopping.expected_epochs(self.epochs),
            micro_batch=ranges.micro_batch,
            units=ranges.units_values,
            layers=ranges.layers_values,
            variants=ranges.variants,
            tiled=FAMILIES[self.name].tile,
            outputs=data.outputs,
            lengths=self._lengths,
        )
        return make_plan(task, resources)

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        if self.data.kind not in ("text", "sequence"):
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
        if FAMILIES[self.name].tile and plan.engine == THREADS:
            sizes = tuple(size.clone(tile=tile_of(plan.micro_batch)) for size in sizes)
        return Masked(sizes, full, self.ranges.drops)

    def structure(self, config: dict[str, Any]) -> Structure:
        """Return which of them a configuration is."""
        return read_structure(config, self.name, self.batch_size, self.ranges.representations)

    def check(self, structure: Structure) -> None:
        """Do nothing: all of them can be trained."""

    def alone(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any]]:
        """Return the network of one configuration, its part of the params, and what `load_model` builds it from."""
        _, layers, units, variant, program = self.structure(config)
        if program is not None:
            params = of_representation(params, dict(variant.built_with).get("representation", STANDARD))
        network = self.network(layers, units, variant)
        learner = Masked((network,), network, False)
        example = jax.ShapeDtypeStruct((1, *learner.input_shape(self.data.shape)), np.float32)
        shapes = jax.eval_shape(lambda x: network.init(jax.random.key(0, impl="threefry2x32"), x), example)["params"]
        own = narrow(params, shapes, (plan.buckets[bucket].units, units))
        return learner, own, self._made(layers, units, variant)

    def member(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any], tuple[int, int]]:
        """Return the network of one configuration as a part of its bucket's, and what `load_model` builds it from."""
        b, (_, layers, units, _, _) = plan.buckets[bucket], self.structure(config)
        network = self.network(b.layers, b.units, b.variant)
        return Masked((network,), network, False), params, self._made(b.layers, b.units, b.variant), (layers, units)

    def _made(self, layers: int, units: int, variant: Variant) -> dict[str, Any]:
        """Return what `load_model` builds a network from."""
        built_with = dict(variant.built_with)
        names = [name for name, kind in KINDS.items() if kind == STRUCTURAL]
        written = [name for name in names if name in built_with or self.name not in _ADDED.get(name, ())]
        values = {name: built_with.get(name, DEFAULTS[name]) for name in written}
        # As JSON has them: a program of several representations names all of them.
        structural = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {"builtin": self.name, "layers": layers, "units": units} | structural

    def hyper(self, point: Array) -> Hyper:
        """Return the lanes' hyperparameters."""
        return read_hyper(self.space, point, batch_size=self.batch_size)
