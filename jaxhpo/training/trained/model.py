"""A trained network: predictions, saving and loading."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxhpo.compilation import jit
from jaxhpo.data import Vocabulary
from jaxhpo.errors import check_path, first_line
from jaxhpo.machine import strict_json
from jaxhpo.models import FAMILIES
from jaxhpo.space import describe
from jaxhpo.training.networks.builtin import build_network
from jaxhpo.training.networks.user import UserModel, read_factory
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.learner import Learner, Masked
from jaxhpo.training.trained.data_spec import DataSpec, read_examples

_DESCRIPTION, _WORDS, _WEIGHTS = "model.json", "words.txt", "weights"
_SUMS = "sha256sums.txt"  # of the first two, as sha256sum writes and checks them
_MOST_WORDS = 2**30  # bytes
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
        import orbax.checkpoint as ocp

        path = check_path("save: directory", directory).expanduser().absolute()
        if os.path.lexists(path):
            raise ValueError(f"save: {str(directory)!r} exists already; name a new directory")
        words = None if self.words is None else len(self.words.words)
        tree = {"params": self.params, "statistics": self.statistics, "scaling": self.scaling}
        saved = {"config": dict(self.config), "data": self.data_spec.to_json(), "made": self.made, "words": words}
        saved["arrays"] = _arrays(tree)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, suffix=".part") as temporary:
                new = Path(temporary) / "new"
                new.mkdir()
                if self.words is not None:
                    (new / _WORDS).write_text("\n".join(self.words.words), encoding="utf-8")
                with ocp.StandardCheckpointer() as checkpointer:
                    checkpointer.save(new / _WEIGHTS, tree)
                    checkpointer.wait_until_finished()
                saved["files"] = _digests(new / _WEIGHTS)
                (new / _DESCRIPTION).write_text(json.dumps(saved, indent=1), encoding="utf-8")
                sums = "".join(f"{digest}  {name}\n" for name, digest in _digests(new, below=False).items())
                (new / _SUMS).write_text(sums, encoding="utf-8")
                new.rename(path)
        except (OSError, ValueError) as error:  # a full disk is a ValueError to Orbax
            full = os.strerror(errno.ENOSPC)
            problem = getattr(error, "strerror", None) or (full if full in str(error) else first_line(error))
            raise ValueError(
                f"save: {str(directory)!r} cannot be written: {problem}; name another directory"
            ) from error

    def __repr__(self) -> str:
        size = sum(leaf.size for leaf in jax.tree.leaves(self.params))
        return f"Model({self.data_spec.name}, {self.data_spec.task}, {size:,} parameters: {describe(self.config)})"

    @cached_property
    def _apply(self) -> Any:
        data, hyper = self._data, _hyper_of(self.learner)

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


class _AlteredError(ValueError):
    """A file is not what was saved; the message names it."""


def load_model(directory: str | os.PathLike, model: Any = None) -> Model:
    """Return the model that `Model.save` wrote.

    Args:
        directory: Path of the directory.
        model: User's own model, as it was passed to `tune`; None for a network of jaxhpo.

    Raises:
        ValueError: if the directory does not hold a complete model, or `model` is not the one that was trained.
    """
    import orbax.checkpoint as ocp

    path = check_path("directory", directory).expanduser().absolute()
    try:
        _check_sums(path)
        content = strict_json.parse(strict_json.read_text(path / _DESCRIPTION))
        spec = DataSpec.of_json(content["data"])
        config, made, arrays = content["config"], content["made"], dict(content["arrays"])
        files = dict(content["files"])
        words = None
        if content["words"] is not None:
            text = strict_json.read_text(path / _WORDS, _MOST_WORDS)
            words = Vocabulary(tuple(text.split("\n")) if text else (), spec.keep)
            if len(words.words) != content["words"]:
                raise ValueError(f"{_WORDS} has {len(words.words)} words")
        own = made.get("own")
        builtin = None if "own" in made else _builtin_learner(made, spec)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = getattr(error, "strerror", None) or f"{type(error).__name__} in {_DESCRIPTION} or {_WORDS}"
        problem = str(error) if isinstance(error, _AlteredError) else problem
        raise ValueError(
            f"{str(directory)!r} holds no model ({problem}); name a directory that Model.save wrote"
        ) from None
    if builtin is None and model is None:
        raise ValueError(f"the model is your own {own}; give it: load_model(directory, model=...)")
    if builtin is not None and model is not None:
        raise ValueError(f"model= is not needed: the directory holds jaxhpo's own {made['builtin']}; leave it out")
    # Models that were saved before their targets were standardised do not say so.
    standardised = made.get("standardised", False)
    learner = own_learner(model, config, spec, standardised=standardised) if builtin is None else builtin
    blank = _blank(learner, spec)
    try:
        if differing := sorted(set(arrays.items()) ^ set(_arrays(blank).items())):  # Orbax would pad or cut them
            raise ValueError(f"{differing[0][0]} is another")
        if altered := sorted(set(files.items()) ^ set(_digests(path / _WEIGHTS).items())):  # Orbax reads parts of them
            raise ValueError(f"{_WEIGHTS}/{altered[0][0]} was altered")
        with ocp.StandardCheckpointer() as checkpointer:
            tree = checkpointer.restore(path / _WEIGHTS, blank)
    except Exception as error:  # a damaged checkpoint, or one of another network, raises many types
        problem = first_line(error)
        raise ValueError(
            f"the weights in {str(directory)!r} cannot be read, or are not this model's ({problem}); give the model "
            "that was trained, or save it again"
        ) from error
    tree = jax.tree.map(np.asarray, tree)
    return Model(config, tree["params"], tree["statistics"], spec, tree["scaling"], words, learner, made)


def own_learner(model: Any, config: Mapping[str, Any], spec: Any, *, standardised: bool) -> UserModel:
    """Return a user's model with all hyperparameters as Python values."""
    factory = read_factory(model, tuple(config), spec)
    static = tuple((name, config[name]) for name in factory.takes)
    return UserModel(factory, static, spec.kind == "text", jax.default_backend() == "cpu", standardised)


def _builtin_learner(made: dict[str, Any], spec: DataSpec) -> Masked:
    """Return one of jaxhpo's networks in one size."""
    variant = FAMILIES[made["builtin"]].variant(made)
    network = build_network(made["builtin"], made["layers"], made["units"], variant, spec)
    return Masked((network,), network, False)


def _hyper_of(learner: Learner) -> Hyper:
    """Return the hyperparameters that a network of one configuration reads: its size."""
    size = (learner.model.layers, learner.model.units) if isinstance(learner, Masked) else (0, 0)
    none, (layers, units) = np.float32(0), map(np.int32, size)
    return Hyper(none, np.int32(1), layers, units, none, none, none, np.int32(0))


def _blank(learner: Learner, spec: DataSpec) -> dict[str, Any]:
    """Return the shapes of the saved arrays."""
    dtype = np.int32 if spec.kind == "text" and isinstance(learner, UserModel) else np.float32
    example = jax.ShapeDtypeStruct((1, *spec.shape), dtype)
    key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
    try:
        params, statistics = jax.eval_shape(learner.start, key, example, _hyper_of(learner))
    except Exception as error:  # raised by the user's code
        problem = f"{type(error).__name__}: {first_line(error)}"
        raise ValueError(f"model cannot be built as it was trained: {problem}") from error
    shapes = {"text": (1,), "vector": spec.shape, "sequence": (1, spec.shape[-1]), "image": (1, 1, 1)}
    shape = shapes[spec.kind]
    scaling = {name: jax.ShapeDtypeStruct(shape, np.float32) for name in ("offset", "scale")}
    if spec.task == "regression":
        target = jax.ShapeDtypeStruct((spec.outputs,) * spec.targets, np.float32)
        scaling |= {"target_offset": target, "target_scale": target}
    return {"params": params, "statistics": statistics, "scaling": scaling}


def _arrays(tree: Any) -> dict[str, str]:
    """Return dtype and shape of each array of a pytree, by its path: "float32 [5, 8]"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype} {list(leaf.shape)}" for path, leaf in leaves}


def _check_sums(directory: Path) -> None:
    """Raise ValueError if the description or the words are not those that were saved."""
    if not (directory / _SUMS).exists():  # an earlier release wrote none
        return
    lines = strict_json.read_text(directory / _SUMS).splitlines()
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = _digests(directory, below=False)
    for name in (_DESCRIPTION, _WORDS):
        if name in found and said.get(name) != found[name]:  # what is missing is said where it is read
            raise _AlteredError(f"{name} was altered")


def _digests(directory: Path, *, below: bool = True) -> dict[str, str]:
    """Return the sha256 of every file in a directory, and `below` it, by its relative path."""
    files = sorted(path for path in directory.glob("**/*" if below else "*") if path.is_file())
    return {p.relative_to(directory).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
