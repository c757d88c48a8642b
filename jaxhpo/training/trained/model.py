"""A trained network that predicts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import jit
from jaxhpo.data import Dataset, Vocabulary
from jaxhpo.space import describe
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner, Masked
from jaxhpo.training.trained.data_spec import DataSpec, read_examples
from jaxhpo.training.trained.files import new_directory, write_model

_BATCH = 512  # examples of a forward pass


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, for predictions. `TrainingStudy.best_model` and `load_model` return one.

    Methods take examples in the form of the training data: images [N, H, W] or [N, H, W, C] as stored, vectors [N, F],
    sequences [N, T, F] of at most as many steps, texts as strings or as tokens [N, T], a table as a DataFrame. The
    model scales them as it scaled the training examples.

    Attributes:
        config: Hyperparameter values that it was trained with, by name.
        params: Weights as nested dicts of arrays, in Flax's form.
        statistics: Further variables of the network, such as batch statistics.
        data_spec: Properties of the training data: name, kind, shape, task, classes.
        scaling: Offset and scale of the examples, and of the targets for regression.
        words: Vocabulary that turns texts into tokens, or None.
        learner: Network and loss; used internally.
        made: Plain data that `load_model` builds the learner from; used internally.
    """

    config: Mapping[str, Any]
    params: Any
    statistics: Any
    data_spec: DataSpec
    scaling: dict[str, np.ndarray]
    words: Vocabulary | None
    learner: Learner
    made: dict[str, Any]

    def outputs(self, x: Any) -> Any:
        """Return the network's outputs: logits [N, classes], or predictions [N] or [N, K] for regression.

        Predictions are in units of the targets. Other outputs of a user's own model are as the model returns them.

        Args:
            x: Examples in the form of the training data.

        Raises:
            ValueError: if the examples do not match the training data.
        """
        x = read_examples(x, self.data_spec, self.words)
        examples = len(x)
        batch = min(_BATCH, examples)
        x = np.pad(x, [(0, -examples % batch)] + [(0, 0)] * (x.ndim - 1))
        parts = [
            self._apply(self.params, self.statistics, x[start : start + batch]) for start in range(0, len(x), batch)
        ]
        return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:examples], *parts)

    def predict(self, x: Any) -> np.ndarray:
        """Return predictions.

        Args:
            x: Examples in the form of the training data.

        Returns:
            For classification the labels, [N], with the values and the dtype that the training labels were given in.
            For regression the predicted targets: [N] or [N, K].

        Raises:
            ValueError: if the examples do not match the training data, or the outputs of a user's own model are not
                logits.
        """
        if self.data_spec.task == "regression":
            return self.outputs(x)
        return self.data_spec.labels(np.argmax(self._logits(x), axis=-1).astype(np.int32))

    def probabilities(self, x: Any) -> np.ndarray:
        """Return the probability of each class: [N, classes] float32.

        Args:
            x: Examples in the form of the training data.

        Raises:
            ValueError: if the task is regression, and in the cases of `predict`.
        """
        if self.data_spec.task == "regression":
            raise ValueError(f"probabilities are of classes, and {self.data_spec.name!r} is regression; use predict")
        return np.asarray(jax.nn.softmax(self._logits(x), axis=-1))

    def save(self, directory: str | os.PathLike) -> None:
        """Write the model to a new directory, which `load_model` reads. On an error nothing is left behind.

        The weights are an Orbax checkpoint. `sha256sums.txt` has the checksums of the other files, which `load_model`
        compares.

        Args:
            directory: Path of the new directory.

        Raises:
            ValueError: if the directory exists or cannot be written.
        """
        tree = {"params": self.params, "statistics": self.statistics, "scaling": self.scaling}
        description = {"config": dict(self.config), "data": self.data_spec.to_json(), "made": self.made}
        with new_directory(directory) as new:
            write_model(new, description, self.words, tree)

    def __repr__(self) -> str:
        size = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        return f"Model({self.data_spec.name}, {self.data_spec.task}, {size:,} parameters: {describe(self.config)})"

    @cached_property
    def _apply(self) -> Any:
        data, hyper = self._data, hyper_of(self.learner)

        def apply(params: Any, statistics: Any, x: Any) -> Any:
            return self.learner.evaluate(data, hyper, params, statistics, lambda network: network(x))

        return jit(apply)

    @property
    def _data(self) -> TrainingData:
        one = Split(np.zeros((1, *self.data_spec.shape), self.data_spec.dtype), np.zeros(1, np.int32))
        return TrainingData(one, one, **self.scaling)

    def _logits(self, x: Any) -> np.ndarray:
        outputs = self.outputs(x)
        if not isinstance(outputs, np.ndarray) or outputs.shape[1:] != (self.data_spec.classes,):
            raise ValueError("the model returns no logits [n, classes], but what your own loss takes; use outputs")
        return outputs


def scaling_of(data: Dataset) -> dict[str, np.ndarray]:
    """Return offset and scale of examples and targets, by their names in `TrainingData`."""
    scaling = {"offset": data.offset, "scale": data.scale}
    if data.task == "regression":
        scaling |= {"target_offset": np.asarray(data.target_offset), "target_scale": np.asarray(data.target_scale)}
    return scaling


def hyper_of(learner: Learner) -> Hyper:
    """Return the hyperparameters that a network of one configuration reads: its size."""
    size = (learner.model.layers, learner.model.units) if isinstance(learner, Masked) else (0, 0)
    none, (layers, units) = np.float32(0), map(np.int32, size)
    return Hyper(none, np.int32(1), layers, units, none, none, none, np.int32(0))
