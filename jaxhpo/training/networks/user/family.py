"""A user's own Flax models: which programs a space asks for, and whether each of them can be trained."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.machine import cores
from jaxhpo.models import Cost, Costed, Variant
from jaxhpo.models.family import TRACED
from jaxhpo.space import Dimension, Float, Int, Space
from jaxhpo.training.config.hyper_reader import read_hyper
from jaxhpo.training.config.hyperparameters import ALIASES, HYPERPARAMETERS, canonical_name
from jaxhpo.training.config.space_reader import (
    Ranges,
    Structure,
    default_batch_size,
    extremes,
    possible,
    ranges_of,
    read_names,
    read_structure,
)
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.families import check_space, examples_bytes, unread_by_optimizers, warn_of_unread
from jaxhpo.training.networks.goal_rehearsal import rehearse_goal
from jaxhpo.training.networks.user.factory import name_of, read_factory
from jaxhpo.training.networks.user.model import UserModel
from jaxhpo.training.networks.user.rehearsal import Rehearsal
from jaxhpo.training.networks.user.unread import Form, unread
from jaxhpo.training.planning.costs import lane_bytes, outputs_bytes
from jaxhpo.training.planning.plan import EARLY, Bucket, Plan, power_of_two
from jaxhpo.training.planning.resources import Resources
from jaxhpo.training.step.engines import THREADS
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner
from jaxhpo.types import Array

_GIB = 2.0**30
_MOST = 4096  # programs
_LEFT_OUT = object()  # in place of a value: a hyperparameter that is inactive
_EVALUATION_BATCH = 512
_OF_A_NETWORK = ("dropout", "embedding_dropout")  # traced hyperparameters that only jaxhpo's own networks read


class UserFamily:
    """A user's model, in all the forms that a space gives it.

    A hyperparameter that the model's signature names goes to it: a `Float` as a traced number, which lanes of one
    program have of their own; an `Int` or `Choice` as a Python value, each combination of which is a program. All
    others are training's. Each batch size is a program too: no loss and no batch norm sees a part of a batch. One that
    is inactive in a configuration is left to the default in the model's signature.

    Raises ValueError where model, space, loss, metric and data do not go together.
    """

    def __init__(
        self,
        model: Any,
        data: Dataset,
        space: Space,
        goal: Goal,
        epochs: int,
        *,
        batch_size: int | None = None,
        folds: int = 1,
        warns: bool = True,
    ):
        self.data, self.space, self.goal, self.epochs = _resolved(data, goal), space, goal, epochs
        self.batch_size = default_batch_size(len(data.y_train)) if batch_size is None else batch_size
        self._model, self._folds = model, folds
        self.name = name_of(model)
        self.factory = read_factory(model, tuple(space), data)
        self._own, self._built = frozenset(self.factory.takes), isinstance(model, nn.Module)
        self.ranges = self._read_ranges()
        trained = {name: space[name] for name in space if name not in self._own}
        check_space(trained, self.ranges, data, goal)
        self._fast = jax.default_backend() == "cpu"
        self.costs: dict[Variant, Cost] = {}
        self._rehearsed: dict[Variant, Form] = {}
        self._outputs: set[tuple] = set()  # shapes that loss and metric go with
        self._numbers = 0  # of an example's outputs
        self._dtypes: dict[Any, None] = {}  # of outputs
        variants = self.ranges.variants
        for i in np.unique(np.linspace(0, len(variants) - 1, min(EARLY, len(variants))).round().astype(int)):
            self._rehearse(variants[i])
        if warns:
            own = dict.fromkeys(unread(space, self.factory.takes, self._rehearsed), "")
            warn_of_unread(own | self._unread_by_training(trained))

    def _unread_by_training(self, trained: dict[str, Dimension]) -> dict[str, str]:
        """Return the hyperparameters of training that have no effect on these models, with what they are of."""
        found = unread_by_optimizers(trained, self.ranges)
        if not any(form.kernels for form in self._rehearsed.values()):
            penalties = (name for name in trained if canonical_name(name) in ("l1", "l2"))
            found |= dict.fromkeys(penalties, "of parameters called kernel")
        return found

    def again(self, data: Dataset, space: Space) -> "UserFamily":
        """Return the same model for other data and another space."""
        options: dict[str, Any] = {"batch_size": self.batch_size, "warns": False}
        return UserFamily(self._model, data, space, self.goal, self.epochs, **options)

    def _read_ranges(self) -> Ranges:
        space, own = self.space, self._own
        for name in space:
            known = ALIASES.get(name, name)
            trains = known in HYPERPARAMETERS and HYPERPARAMETERS[known].kind == TRACED
            if name not in own and (not trains or known in _OF_A_NETWORK):
                takes = f"takes {', '.join(sorted(own))}" if own else "takes no hyperparameter"
                if self._built:
                    takes = "is built already: give its class"
                raise ValueError(
                    f"space has {name!r}, which neither the model ({takes}) nor training knows; name it in the "
                    "model's arguments, or leave it out"
                )
        if "batch_size" in own:
            raise ValueError("model takes 'batch_size', which is training's; call the model's argument something else")
        image = self.data.shape[:2] if self.data.kind == "image" else None
        trained = read_names({name: space[name] for name in space if name not in own}, image)
        ranges = ranges_of(trained, self.batch_size)
        self._check_defaults()
        static = {name: _options(space[name]) for name in self.factory.takes if not isinstance(space[name], Float)}
        batches = [ranges.micro_batch]
        if "batch_size" in trained:
            dimension = trained["batch_size"][1]
            batches = list(_options(dimension))
            batches += [value for value in possible("batch_size", dimension) if value not in batches]
        for name, options in static.items():
            if not isinstance(options, range) and len(set(options)) < len(options):  # 1 is True to a program
                raise ValueError(f"space {name}: of {list(options)!r} some are equal to Python; give each once")
            if space[name].when is not None:
                static[name] = [_LEFT_OUT, *options]
        programs = len(batches)
        for options in static.values():
            programs *= len(options)
        if programs > _MOST:
            raise ValueError(
                f"space has {programs:,} combinations of whole numbers and options, each a program of its own; use "
                f"fewer, at most {_MOST:,} in all, or a Float, which all lanes of a program share"
            )
        rows = (zip(static, values, strict=True) for values in product(*static.values()))
        combinations = [tuple((name, value) for name, value in row if value is not _LEFT_OUT) for row in rows]
        combinations = [c for c in combinations if space.conditions.allow(tuple(static), dict(c))]
        variants = tuple(Variant(c, int(b)) for c in combinations for b in batches)
        return ranges._replace(variants=variants, layers_values=(0,), units_values=(0,))

    def _check_defaults(self) -> None:
        """Raise ValueError where the model cannot do without a hyperparameter that may be inactive."""
        defaults = self.factory.defaults
        for name in self.factory.takes:
            if self.space[name].when is None:
                continue
            if name not in defaults:
                raise ValueError(
                    f"space has {name!r}, which may be inactive, but the model's {name!r} has no default; give it one, "
                    "or leave out its when"
                )
            number = isinstance(defaults[name], int | float) and not isinstance(defaults[name], bool)
            if isinstance(self.space[name], Float) and not number:
                raise ValueError(
                    f"space has the Float {name!r}, which may be inactive, but the model's default of it is "
                    f"{defaults[name]!r}; make that a number, or leave out its when"
                )

    @property
    def output_dtypes(self) -> tuple[Any, ...]:
        """The dtypes of what the model returns in the forms that have been rehearsed."""
        return tuple(self._dtypes)

    def plan(self, resources: Resources) -> Plan:
        """Return the plan: a bucket for each program."""
        alone = resources.engine == THREADS
        variants, batch = self.ranges.variants, _EVALUATION_BATCH if alone else 2 * self.ranges.largest_batch
        examples = examples_bytes(self.data)

        def each(variant: Variant) -> float:
            cost, size = self.network(0, 0, variant).cost(self.data.shape), variant.batch_size or 1
            valid = len(self.data.y_valid)
            needed = lane_bytes(cost, cost, size, min(batch, valid), None, resources.weights_beside)
            return needed + outputs_bytes(valid, self._numbers)

        # The first and the last have the ends of every range: the smallest and the largest, as ranges usually are.
        lane = max(each(variants[0]), each(variants[-1]))
        if examples + lane > resources.memory:
            raise ValueError(
                f"memory={resources.memory / _GIB:.3g} GiB is too little: a lane of the model needs about "
                f"{(examples + lane) / _GIB:.2g} GiB, its copy of the examples included; allow more, or use smaller "
                "networks or batches"
            )
        lanes = resources.lanes * resources.trainings
        fits = int((resources.memory - examples) // lane)
        wanted = power_of_two(-(-lanes // (len(variants) * resources.devices)), up=True)
        size = 1 if alone else resources.devices * min(wanted, power_of_two(fits, up=False))
        launches = max(1, min(cores(), lanes, int(resources.memory // (examples + lane)))) if alone else 1
        needed = int(examples + size * lane / resources.devices)
        buckets = tuple(Bucket(0, 0, variant, (0,), size, needed) for variant in variants)
        return resources.plan(launches, self.ranges.micro_batch, batch, buckets)

    def network(self, layers: int, units: int, variant: Variant) -> Costed:
        """Return the model in one of its forms; it has neither layers nor units that jaxhpo knows of."""
        del layers, units
        return _Form(self, variant)

    def learner(self, plan: Plan, bucket: int) -> UserModel:
        """Return what a bucket's program trains."""
        return self.form(plan.buckets[bucket].variant)

    def form(self, variant: Variant) -> UserModel:
        """Return what a program trains."""
        return UserModel(self.factory, variant.built_with, self.data.kind == "text", self._fast, self._standardised)

    @property
    def _standardised(self) -> bool:
        """Whether the model's outputs are standardised predictions."""
        return self.data.task == "regression" and self.data.scale_targets is not False

    def rehearsal(self, variant: Variant) -> Rehearsal:
        """Return a rehearsal of one of the model's forms."""
        check = self._check_goal
        return Rehearsal(
            self.form(variant), variant.batch_size or 1, self.data, self.space, self.hyper, self.goal, check
        )

    def structure(self, config: dict[str, Any]) -> Structure:
        """Return which program a configuration runs in."""
        trains = {name: value for name, value in config.items() if name not in self._own}
        trained = read_structure(trains, None, self.batch_size)
        given = (name for name in self.factory.takes if name in config)
        static = ((name, config[name]) for name in given if not isinstance(self.space[name], Float))
        return Structure(trained.batch_size, 0, 0, Variant(tuple(static), trained.batch_size))

    def check(self, structure: Structure) -> None:
        """Raise ValueError if the model, built for a structure, cannot be trained."""
        self._rehearse(structure.variant)

    def _rehearse(self, variant: Variant) -> None:
        if variant not in self._rehearsed:
            self._rehearsed[variant] = self.rehearsal(variant).run()

    def _check_goal(self, outputs: Any) -> Goal:
        """Return the goal; raise ValueError where outputs of these shapes do not go with loss and metric."""
        leaves, tree = jax.tree.flatten(outputs)
        self._numbers = max(self._numbers, sum(math.prod(leaf.shape[1:]) for leaf in leaves))
        self._dtypes |= dict.fromkeys(leaf.dtype for leaf in leaves)
        kind = tree, *((leaf.shape, leaf.dtype) for leaf in leaves)
        if kind not in self._outputs:
            self.goal = rehearse_goal(self.goal, self.data, outputs, self._folds)
            self._outputs.add(kind)
        return self.goal

    def alone(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any]]:
        """Return a configuration's network alone, a bucket's params, and the name of the user's model."""
        del plan, bucket
        static = tuple((name, config[name]) for name in self.factory.takes if name in config)
        return self.form(Variant(static)), params, {"own": self.name, "standardised": self._standardised}

    def member(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any], tuple[int, int]]:
        """Return a configuration's network with its `Float`s as arguments of the program, which configurations share.

        One that is inactive has the default in the model's signature.
        """
        names = [name for name in self.factory.takes if isinstance(self.space[name], Float)]
        floats = {name: float(config[name] if name in config else self.factory.defaults[name]) for name in names}
        made = {"own": self.name, "standardised": self._standardised} | ({"floats": floats} if floats else {})
        return self.learner(plan, bucket), params, made, (0, 0)

    def hyper(self, point: Array) -> Hyper:
        """Return the lanes' hyperparameters: [B, D] float32 -> [B] each."""
        return read_hyper(self.space, point, self._own, self.factory.defaults, batch_size=self.batch_size)


def _resolved(data: Dataset, goal: Goal) -> Dataset:
    """Return the data with the decision whether their targets are standardised: for a loss of the user's only if told.

    Such a loss may take outputs that are no predictions, and was written for the targets as they are.
    """
    undecided = data.task == "regression" and goal.loss is not None and data.scale_targets is None
    return replace(data, scale_targets=False) if undecided else data


def _options(dimension: Dimension) -> Sequence[Any]:
    """Return all values of a whole number or choice."""
    return dimension.values if isinstance(dimension, Int) else extremes(dimension)


class _Form(NamedTuple):
    """A user's model in one of its forms, traced for shapes alone."""

    own: UserFamily
    variant: Variant

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return what it costs; measured on examples of the data's shape, which `shape` is."""
        del shape
        if self.variant not in self.own.costs:
            self.own.costs[self.variant] = self.own.rehearsal(self.variant).cost()
        return self.own.costs[self.variant]
