"""The model that users get: one trained network, or several that answer together."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import jit
from jaxhpo.data import Vocabulary
from jaxhpo.space import describe
from jaxhpo.training.goal.averaging import (
    OUTPUTS,
    PROBABILITIES,
    are_logits,
    check_mean,
    mean_outputs,
    mean_probabilities,
)
from jaxhpo.training.step.learner import Learner
from jaxhpo.training.trained.data_spec import DataSpec, read_examples
from jaxhpo.training.trained.files import new_directory, write_model
from jaxhpo.training.trained.network import Network, evaluate

_BATCH = 512  # examples of a forward pass


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, or several that answer together, for predictions.

    `TrainingStudy.best_model` and `load_model` return one. Methods take examples in the form of the training data:
    images [N, H, W] or [N, H, W, C] as stored, vectors [N, F], sequences [N, T, F] of at most as many steps, texts as
    strings or as tokens [N, T], a table as a DataFrame. Each network scales them as it scaled its training examples.

    Several networks answer with a weighted mean. It is of their probabilities for classification, and of their
    predictions for regression.

    Attributes:
        networks: The networks, each with its `config`, `params`, `statistics` and `scaling`.
        weights: Share of each network in the mean; the sum is 1.
        data_spec: Properties of the training data: name, kind, shape, task, classes.
        words: Vocabulary that turns texts into tokens, or None.
        averages: What the mean is of: "probabilities", or "outputs" for all others. It has no effect on one network.

    Raises:
        ValueError: if there is no network, a weight is not above 0, or an argument does not go with the others.
    """

    networks: tuple[Network, ...]
    weights: tuple[float, ...]
    data_spec: DataSpec
    words: Vocabulary | None = None
    averages: str = OUTPUTS

    def __post_init__(self) -> None:
        networks, weights = tuple(self.networks), tuple(map(float, self.weights))
        check_mean(len(networks), weights, self.averages, self.data_spec.task)
        object.__setattr__(self, "networks", networks)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def single(cls, network: Network, data_spec: DataSpec, words: Vocabulary | None = None) -> "Model":
        """Return the model of one network.

        Args:
            network: The network.
            data_spec: Properties of the training data.
            words: Vocabulary that turns texts into tokens, or None.
        """
        return cls((network,), (1.0,), data_spec, words)

    # --- what it consists of ---------------------------------------------------------------------------------------

    @property
    def config(self) -> Mapping[str, Any]:
        """The hyperparameter values that it was trained with, by name.

        Raises:
            ValueError: if its networks have different ones.
        """
        first = self.networks[0].config
        return first if all(network.config == first for network in self.networks) else self._only("config")

    @property
    def params(self) -> Any:
        """The weights of its one network as nested dicts of arrays, in Flax's form.

        Raises:
            ValueError: if it has several networks.
        """
        return self._only("params")

    @property
    def statistics(self) -> Any:
        """Further variables of its one network, such as batch statistics.

        Raises:
            ValueError: if it has several networks.
        """
        return self._only("statistics")

    @property
    def scaling(self) -> dict[str, np.ndarray]:
        """Offset and scale of the examples, and of the targets for regression, of its one network.

        Raises:
            ValueError: if it has several networks.
        """
        return self._only("scaling")

    @property
    def learner(self) -> Learner:
        """The network and the loss of its one network; used internally."""
        return self._only("learner")

    @property
    def made(self) -> dict[str, Any]:
        """Plain data that `load_model` builds the learner of its one network from; used internally."""
        return self._only("made")

    @cached_property
    def parameters(self) -> int:
        """The number of weights of all networks."""
        found: dict[Any, int] = {}
        kinds = [
            (same, network.size, network.representation)
            for same, network in zip(self._same, self.networks, strict=True)
        ]
        for kind, network in zip(kinds, self.networks, strict=True):
            if kind not in found:
                found[kind] = network.parameters(self.data_spec)
        return sum(found[kind] for kind in kinds)

    def _only(self, name: str) -> Any:
        """Return an attribute of the only network; raise ValueError where there are several."""
        if len(self.networks) == 1:
            return getattr(self.networks[0], name)
        raise ValueError(
            f"the model has {len(self.networks)} networks, each with its own {name}; use networks[i].{name}"
        )

    # --- what it predicts ------------------------------------------------------------------------------------------

    def outputs(self, x: Any) -> Any:
        """Return the network's outputs: logits [N, classes], or predictions [N] or [N, K] for regression.

        Predictions are in units of the targets. Other outputs of a user's own model are as the model returns them. Of
        several networks, the logits are the logarithm of the mean probability of each class.

        Args:
            x: Examples in the form of the training data.

        Raises:
            ValueError: if the examples do not match the training data, or if the outputs of several networks of a
                user's own model have no mean.
        """
        parts = self._each(read_examples(x, self.data_spec, self.words))
        if len(self.networks) == 1:
            return next(parts)
        if self.averages == PROBABILITIES:
            return mean_probabilities(parts, self.weights, self.data_spec.classes)
        return mean_outputs(parts, self.weights)

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

    def _logits(self, x: Any) -> np.ndarray:
        outputs = self.outputs(x)
        if not are_logits(outputs, self.data_spec.classes):
            raise ValueError("the model returns no logits [n, classes], but what your own loss takes; use outputs")
        return outputs

    def _each(self, x: np.ndarray) -> Iterator[Any]:
        """Yield the outputs of each network for examples as stored, [N, ...]: arrays [N, ...]."""
        examples = len(x)
        batch = min(_BATCH, examples)
        x = np.pad(x, [(0, -examples % batch)] + [(0, 0)] * (x.ndim - 1))
        for network, program in zip(self.networks, self._programs, strict=True):
            variables = jax.device_put((network.params, network.statistics))
            parts = [program(*variables, x[start : start + batch]) for start in range(0, len(x), batch)]
            yield jax.tree.map(lambda *leaves: np.concatenate(leaves)[:examples], *parts)

    @cached_property
    def _programs(self) -> list[Any]:
        """What computes each network's outputs: params, statistics, examples -> outputs."""
        spec = self.data_spec
        one = self.networks[0]
        # XLA simplifies a program in which size and scales are constants; quantiles it would take time to fold.
        if len(self.networks) == 1 and "quantiles" not in one.scaling:
            return [jit(partial(evaluate, one.learner, spec, one.hyper, one.scaling))]
        shared = {same: jit(partial(evaluate, self.networks[same].learner, spec)) for same in set(self._same)}
        pairs = zip(self._same, self.networks, strict=True)
        return [partial(shared[same], network.hyper, network.scaling) for same, network in pairs]

    @cached_property
    def _same(self) -> list[int]:
        """The index of the first network that has an equal learner, of each network."""
        learners = [network.learner for network in self.networks]
        return [learners.index(learner) for learner in learners]

    # --- files and text --------------------------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike) -> None:
        """Write the model to a new directory, which `load_model` reads. On an error nothing is left behind.

        The weights are an Orbax checkpoint. `sha256sums.txt` has the checksums of the other files, which `load_model`
        compares.

        Args:
            directory: Path of the new directory.

        Raises:
            ValueError: if the directory exists or cannot be written.
        """
        with new_directory(directory) as new:
            write(self, new)

    def __repr__(self) -> str:
        said, size = f"Model({self.data_spec.name}, {self.data_spec.task}, ", f"{self.parameters:,} parameters"
        if len(self.networks) > 1:
            return f"{said}{len(self.networks)} networks, {size})"
        return f"{said}{size}: {describe(self.config)})"


def write(model: Model, new: Path) -> None:
    """Write a model into an empty directory."""
    trees = [{"params": n.params, "statistics": n.statistics, "scaling": n.scaling} for n in model.networks]
    rows = [{"config": dict(n.config), "made": n.made, "size": list(n.size)} for n in model.networks]
    data = model.data_spec.to_json()
    if len(rows) == 1 and model.networks[0].is_whole:  # as models were written when all had one network
        description = {"config": rows[0]["config"], "data": data, "made": rows[0]["made"]}
        write_model(new, description, model.words, trees[0])
    else:
        together = {"weights": list(model.weights), "averages": model.averages}
        write_model(new, {"networks": rows, "data": data} | together, model.words, trees)
