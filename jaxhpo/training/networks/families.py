"""What a family of networks provides to training, and which of jaxhpo's fits a data set."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.models import FAMILIES, Costed, Variant
from jaxhpo.space import Space
from jaxhpo.training.config.hyperparameters import canonical_name
from jaxhpo.training.config.space_reader import Ranges, Structure
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.planning.resources import Resources
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner
from jaxhpo.types import Array


class Family(Protocol):
    """The networks that a space's configurations are."""

    name: str
    data: Dataset
    space: Space
    goal: Goal
    epochs: int
    ranges: Ranges

    @property
    def output_dtypes(self) -> tuple[Any, ...]:
        """The dtypes of what the networks return, as far as they are known."""
        ...

    def again(self, data: Dataset, space: Space) -> "Family":
        """Return the same kind of networks for other data and another space, in batches of the same default size."""
        ...

    def plan(self, resources: Resources) -> Plan:
        """Return the plan of how they run."""
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
        """Raise ValueError if it cannot be trained."""
        ...

    def alone(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any]]:
        """Return the network of one configuration, and what saving and loading it takes.

        Args:
            plan: The plan of the study.
            bucket: Index of the configuration's bucket.
            config: Value of each active hyperparameter, by name.
            params: A lane's parameters, in the shapes of the bucket.

        Returns:
            The network, its own parameters, and plain data from which `load_model` builds it again.
        """
        ...

    def member(
        self, plan: Plan, bucket: int, config: dict[str, Any], params: Any
    ) -> tuple[Learner, Any, dict[str, Any], tuple[int, int]]:
        """Return the network of one configuration in the shapes of its bucket, for several that share a program.

        Args:
            plan: The plan of the study.
            bucket: Index of the configuration's bucket.
            config: Value of each active hyperparameter, by name.
            params: A lane's parameters, in the shapes of the bucket.

        Returns:
            The network, which is equal for all configurations of a bucket; its parameters; plain data from which
            `load_model` builds it again; and the layers and units that the configuration uses, (0, 0) of a user's.
        """
        ...

    def hyper(self, point: Array) -> Hyper:
        """Return the lanes' hyperparameters: [B, D] float32 -> [B] each."""
        ...


def fitting_model(name: str | None, data: Dataset) -> str:
    """Return the name of a model that can take the data; raise ValueError where the one that is named cannot."""
    able = [name for name, family in FAMILIES.items() if data.kind in family.kinds]
    fitting = next((name for name in able if FAMILIES[name].kinds[0] == data.kind), able[0])
    if name is None:
        return fitting
    if name not in FAMILIES:
        raise ValueError(f"model={name!r} is unknown; use one of {', '.join(FAMILIES)}, or a Flax model of your own")
    if data.kind not in FAMILIES[name].kinds:
        raise ValueError(
            f"model={name!r} cannot take {data.name!r}, {data.kind} data of shape {data.shape}; use {fitting!r}"
        )
    return name


def check_space(space: Iterable[str], ranges: Ranges, data: Dataset, goal: Goal) -> None:
    """Raise ValueError where a space asks for what the data or the loss cannot give."""
    if ranges.largest_batch > len(data.y_train):
        raise ValueError(
            f"space batch_size: {ranges.largest_batch} exceeds the {len(data.y_train)} training examples "
            f"of {data.name!r}; use smaller batches or more examples"
        )
    smoothed = any(canonical_name(name) == "label_smoothing" for name in space)
    if smoothed and (data.task != "classification" or goal.loss is not None):
        whose = "a loss of your own" if goal.loss is not None else "regression"
        raise ValueError(f"space has label_smoothing, which is of the cross-entropy of classes, not {whose}; drop it")


def check_mean_outputs(family: Family, resources: Resources) -> None:
    """Raise ValueError where the networks of a trial, one a fold or repeat, return what has no mean."""
    if resources.trainings == 1:
        return
    for dtype in family.output_dtypes:
        if not jnp.issubdtype(dtype, np.floating):
            name, number = ("folds", resources.folds) if resources.folds > 1 else ("repeats", resources.repeats)
            raise ValueError(
                f"{name}={number} takes the mean of what a trial's networks return, and the model returns {dtype}; "
                f"let it return floating-point numbers, or use {name}=1"
            )


def unread_by_optimizers(space: Iterable[str], ranges: Ranges) -> dict[str, str]:
    """Return the hyperparameters of a space that none of its optimizers reads, with what they are of."""
    lacking = () if "momentum" in ranges.optimizers else ("momentum",)
    return {name: "of the optimizer momentum" for name in space if canonical_name(name) in lacking}


def warn_of_unread(names: Mapping[str, str]) -> None:
    """Warn once of hyperparameters that have no effect, if there are any; each with what it is of, or ""."""
    if names:
        several = ", ".join(f"{name!r} ({of})" if of else repr(name) for name, of in names.items())
        has, it = ("have", "them") if len(names) > 1 else ("has", "it")
        warnings.warn(
            f"space: {several} {has} no effect, as no computation reads {it}; leave {it} out, or use {it}",
            RuntimeWarning,
            stacklevel=2,
        )


def examples_bytes(data: Dataset) -> int:
    """Return the bytes of the examples that training sees."""
    return sum(array.nbytes for array in (data.x_train, data.y_train, data.x_valid, data.y_valid))
