"""One trained network: its weights, what it computes, and what it is built from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.models import MLP, STANDARD, names_of
from jaxhpo.training.networks.user import UserModel
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner, Masked
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.quantiles import quantiles_of
from jaxhpo.types import Array


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network. All arrays are NumPy arrays.

    Attributes:
        config: Hyperparameter values that it was trained with, by name.
        params: Weights as nested dicts of arrays, in the shapes of `learner`.
        statistics: Further variables, such as batch statistics.
        scaling: Offset and scale of the examples, and of the targets for regression, by their names in `TrainingData`;
            and the quantiles of numbers, where the network reads them.
        learner: Network and loss. Networks that share a program have equal ones.
        made: Plain data that `load_model` builds the learner from. `floats` are arguments of a user's model, by name,
            that are arguments of the program too.
        size: Layers and units in use, of those that `learner` has; zeros for a user's model.
    """

    config: Mapping[str, Any]
    params: Any
    statistics: Any
    scaling: dict[str, np.ndarray]
    learner: Learner
    made: dict[str, Any]
    size: tuple[int, int]

    @property
    def hyper(self) -> Hyper:
        """The hyperparameters that a network reads in evaluation: its size, and floats of a user's model."""
        none, (layers, units) = np.float32(0), map(np.int32, self.size)
        own = {name: np.float32(value) for name, value in self.made.get("floats", {}).items()}
        names = representations_of(self.learner)
        chosen = np.int32(names.index(self.representation)) if len(names) > 1 else None
        size = np.int32(1), layers, units, none, none, none, np.int32(0)
        return Hyper(none, *size, representation=chosen, own=own or None)

    @property
    def representation(self) -> str:
        """The representation of numbers in use, of those that `learner` has."""
        return self.config.get("representation", STANDARD)

    @property
    def is_whole(self) -> bool:
        """Whether all layers and units of its learner are in use, and its representation is the only one."""
        return self.size == size_of(self.learner) and len(representations_of(self.learner)) < 2

    def parameters(self, spec: DataSpec) -> int:
        """Return the number of weights in use."""
        params, learner = self.params, self.learner
        if isinstance(learner, Masked) and not self.is_whole:
            layers, units = self.size
            one = {"representation": self.representation} if representations_of(learner) else {}
            own = learner.model.clone(layers=layers, units=units, **one)
            shape = Masked((own,), own, False).input_shape(spec.shape)
            example = jax.ShapeDtypeStruct((1, *shape), np.float32)
            params = jax.eval_shape(own.init, _key(), example)["params"]
        return sum(leaf.size for leaf in jax.tree.leaves(params))


def size_of(learner: Learner) -> tuple[int, int]:
    """Return the layers and units of a learner; zeros for a user's model."""
    return (learner.model.layers, learner.model.units) if isinstance(learner, Masked) else (0, 0)


def representations_of(learner: Learner) -> tuple[str, ...]:
    """Return the representations of numbers that a learner's lanes may have; none of a network without."""
    model = learner.model if isinstance(learner, Masked) else None
    return names_of(model.representation) if isinstance(model, MLP) else ()


def scaling_of(data: Dataset, quantiles: bool = False) -> dict[str, np.ndarray]:
    """Return offset and scale of examples and targets, and `quantiles` if asked, by their names in `TrainingData`."""
    scaling = {"offset": data.offset, "scale": data.scale}
    if data.task == "regression":
        scaling |= {"target_offset": np.asarray(data.target_offset), "target_scale": np.asarray(data.target_scale)}
    return scaling | ({"quantiles": quantiles_of(data)} if quantiles else {})


def own_scaling(learner: Learner, scaling: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the part of a scaling that a network reads: quantiles are not for all networks of a space."""
    reads = isinstance(learner, Masked) and learner.reads_quantiles
    return {name: values for name, values in scaling.items() if reads or name != "quantiles"}


def shapes_of(learner: Learner, hyper: Hyper, spec: DataSpec) -> tuple[Any, Any]:
    """Return the shapes of a learner's weights and of its further variables."""
    dtype = np.int32 if spec.kind == "text" and isinstance(learner, UserModel) else np.float32
    shape = learner.input_shape(spec.shape) if isinstance(learner, Masked) else spec.shape
    example = jax.ShapeDtypeStruct((1, *shape), dtype)
    return jax.eval_shape(learner.start, _key(), example, hyper)


def _key() -> Any:
    """Return the shape of a key."""
    return jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))


def evaluate(
    learner: Learner, spec: DataSpec, hyper: Hyper, scaling: dict[str, Array], params: Any, statistics: Any, x: Array
) -> Any:
    """Return a network's outputs for stored examples, [n, ...]; predictions are in units of the targets."""
    one = Split(np.zeros((1, *spec.shape), spec.dtype), np.zeros(1, np.int32))
    data = TrainingData(one, one, **scaling)
    return learner.evaluate(data, hyper, params, statistics, lambda network: network(x))
