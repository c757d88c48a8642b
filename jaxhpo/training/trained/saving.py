"""Saved models: loading them, and saving several together."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.data import Vocabulary
from jaxhpo.errors import check_path, first_line
from jaxhpo.machine import strict_json
from jaxhpo.models import FAMILIES
from jaxhpo.training.goal.averaging import OUTPUTS, check_mean
from jaxhpo.training.networks.builtin import build_network
from jaxhpo.training.networks.user import UserModel, read_factory
from jaxhpo.training.step.learner import Masked
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.files import (
    DESCRIPTION,
    MODELS,
    WEIGHTS,
    WORDS,
    AlteredError,
    arrays_of,
    check_sums,
    digests,
    new_directory,
)
from jaxhpo.training.trained.model import Model, write
from jaxhpo.training.trained.network import Network, shapes_of
from jaxhpo.training.trained.quantiles import KNOTS

_MOST_WORDS = 2**30  # bytes


def save_models(directory: str | os.PathLike, models: Mapping[str, Model], *, recommended: str) -> None:
    """Write several models to a new directory, each to a directory in it. On an error nothing is left behind.

    `load_model` of the directory returns the recommended one. Each can also be loaded by the path of its own directory.

    Args:
        directory: Path of the new directory.
        models: The models, by the names of their directories.
        recommended: Name of the model that `load_model` returns.

    Raises:
        ValueError: if the directory exists or cannot be written, a name is not that of a directory, or `recommended` is
            not among them.
    """
    for name in models:
        if not _is_plain(name):
            raise ValueError(f"models has the name {name!r}, which names no directory; use letters, such as 'winner'")
    if recommended not in models:
        raise ValueError(f"recommended={recommended!r} is not among the models; use one of {', '.join(models)}")
    with new_directory(directory) as new:
        for name, model in models.items():
            (new / name).mkdir()
            write(model, new / name)
        (new / MODELS).write_text(json.dumps({"recommended": recommended}), encoding="utf-8")


def load_model(directory: str | os.PathLike, model: Any = None) -> Model:
    """Return a model that was saved: by `Model.save`, or by the command with `--save`.

    Of a directory with several models, it is the one that was recommended at the end of the study.

    Args:
        directory: Path of the directory.
        model: User's own model, as it was passed to `tune`; None for a network of jaxhpo.

    Raises:
        ValueError: if the directory does not hold a complete model, or `model` is not the one that was trained.
    """
    path = check_path("directory", directory).expanduser().absolute()
    if (path / MODELS).exists() and not (path / DESCRIPTION).exists():
        with _refused(directory, MODELS):
            name = strict_json.parse(strict_json.read_text(path / MODELS))["recommended"]
            if not _is_plain(name):
                raise ValueError(f"{name!r} names no directory")
        return load_model(path / name, model)
    with _refused(directory, f"{DESCRIPTION} or {WORDS}"):
        saved = _read(path)
    said = saved.rows[0].made
    own = "own" in said
    if own and model is None:
        raise ValueError(f"the model is your own {said['own']}; give it: load_model(directory, model=...)")
    if not own and model is not None:
        raise ValueError(f"model= is not needed: the directory holds jaxhpo's own {said['builtin']}; leave it out")
    rows = _with_own(saved, model) if own else saved.rows
    blanks: list[dict[str, Any]] = []
    learners = [row.learner for row in rows]
    for row, learner in zip(rows, learners, strict=True):
        same = learners.index(learner)
        blanks.append(blanks[same] if same < len(blanks) else _blank(row, saved.spec))
    trees = _restore(path, directory, saved, blanks)
    networks = tuple(row.network(tree) for row, tree in zip(rows, trees, strict=True))
    return Model(networks, saved.weights, saved.spec, saved.words, saved.averages)


class _Row(NamedTuple):
    """What `model.json` says of a network; of a user's own the learner is not known."""

    config: dict[str, Any]
    made: dict[str, Any]
    size: tuple[int, int]
    learner: Any

    def network(self, tree: Any = None) -> Network:
        """Return the network with the arrays of a checkpoint."""
        arrays = {"params": None, "statistics": None, "scaling": {}} if tree is None else tree
        return Network(self.config, **arrays, learner=self.learner, made=self.made, size=self.size)


class _Saved(NamedTuple):
    """What a directory says of a model, but for its arrays.

    Attributes:
        rows: What it says of each network.
        weights: Share of each network.
        averages: What the mean is of.
        spec: Properties of the training data.
        words: Vocabulary, or None.
        arrays: Dtype and shape of each array, by its path.
        files: Checksum of each file of the checkpoint.
        several: Whether the checkpoint has a list of trees.
    """

    rows: list[_Row]
    weights: tuple[float, ...]
    averages: str
    spec: DataSpec
    words: Vocabulary | None
    arrays: dict[str, str]
    files: dict[str, str]
    several: bool


def _read(path: Path) -> _Saved:
    """Return what a directory says of a model; raise one of the errors of `_refused` where it holds none."""
    check_sums(path)
    content = strict_json.parse(strict_json.read_text(path / DESCRIPTION))
    spec = DataSpec.of_json(content["data"])
    several = "networks" in content
    rows = [_read_row(row, spec) for row in (content["networks"] if several else [content])]
    weights = tuple(map(float, content["weights"])) if several else (1.0,)
    averages = content["averages"] if several else OUTPUTS
    check_mean(len(rows), weights, averages, spec.task)
    if len({"own" in row.made for row in rows}) > 1:
        raise ValueError("some networks are of jaxhpo and some are not")
    words = None
    if content["words"] is not None:
        text = strict_json.read_text(path / WORDS, _MOST_WORDS)
        words = Vocabulary(tuple(text.split("\n")) if text else (), spec.keep)
        if len(words.words) != content["words"]:
            raise ValueError(f"{WORDS} has {len(words.words)} words")
    return _Saved(rows, weights, averages, spec, words, dict(content["arrays"]), dict(content["files"]), several)


def _read_row(row: dict[str, Any], spec: DataSpec) -> _Row:
    """Return what a row of `networks` says, or `model.json` itself where there is one network."""
    config, made = row["config"], row["made"]
    made.get("floats", {}).items()
    if "own" in made:
        return _Row(config, made, (0, 0), None)
    several = {name: tuple(value) for name, value in made.items() if isinstance(value, list)}
    variant = FAMILIES[made["builtin"]].variant(made | several)
    whole = made["layers"], made["units"]
    network = build_network(made["builtin"], *whole, variant, spec)
    layers, units = row.get("size", whole)
    fits = 1 <= layers <= whole[0] and 1 <= units <= whole[1]
    if not (fits and isinstance(layers, int) and isinstance(units, int)):
        raise ValueError(f"a network of {whole} has no part of {layers, units}")
    return _Row(config, made, (layers, units), Masked((network,), network, False))


def _with_own(saved: _Saved, model: Any) -> list[_Row]:
    """Return the rows with the learners of a user's model."""
    names = [name for row in saved.rows for name in (*row.config, *row.made.get("floats", {}))]
    factory = read_factory(model, tuple(dict.fromkeys(names)), saved.spec)
    tokens, fast = saved.spec.kind == "text", jax.default_backend() == "cpu"
    rows = []
    for row in saved.rows:
        given = {name: value for name, value in row.config.items() if name not in row.made.get("floats", {})}
        static = tuple((name, given[name]) for name in factory.takes if name in given)
        # Models that were saved before their targets were standardised do not say so.
        learner = UserModel(factory, static, tokens, fast, row.made.get("standardised", False))
        rows.append(row._replace(learner=learner))
    return rows


def _blank(row: _Row, spec: DataSpec) -> dict[str, Any]:
    """Return the shapes of a network's saved arrays."""
    try:
        params, statistics = shapes_of(row.learner, row.network().hyper, spec)
    except Exception as error:  # raised by the user's code
        problem = f"{type(error).__name__}: {first_line(error)}"
        raise ValueError(f"model cannot be built as it was trained: {problem}") from error
    shapes = {"text": (1,), "vector": spec.shape, "sequence": (1, spec.shape[-1]), "image": (1, 1, 1)}
    shape = shapes[spec.kind]
    scaling = {name: jax.ShapeDtypeStruct(shape, np.float32) for name in ("offset", "scale")}
    if spec.task == "regression":
        target = jax.ShapeDtypeStruct((spec.outputs,) * spec.targets, np.float32)
        scaling |= {"target_offset": target, "target_scale": target}
    if isinstance(row.learner, Masked) and row.learner.reads_quantiles:
        scaling["quantiles"] = jax.ShapeDtypeStruct((len(row.learner.model.numbers), KNOTS), np.float32)
    return {"params": params, "statistics": statistics, "scaling": scaling}


def _restore(path: Path, directory: str | os.PathLike, saved: _Saved, blanks: list[dict[str, Any]]) -> Any:
    """Return the arrays of each network: NumPy arrays in the shapes of `blanks`."""
    import orbax.checkpoint as ocp

    wanted = blanks if saved.several else blanks[0]
    try:
        if differing := sorted(set(saved.arrays.items()) ^ set(arrays_of(wanted).items())):  # Orbax would pad or cut
            raise ValueError(f"{differing[0][0]} is another")
        if altered := sorted(set(saved.files.items()) ^ set(digests(path / WEIGHTS).items())):  # Orbax reads parts
            raise ValueError(f"{WEIGHTS}/{altered[0][0]} was altered")
        with ocp.StandardCheckpointer() as checkpointer:
            found = checkpointer.restore(path / WEIGHTS, wanted)
    except Exception as error:  # a damaged checkpoint, or one of another network, raises many types
        problem = first_line(error)
        raise ValueError(
            f"the weights in {str(directory)!r} cannot be read, or are not this model's ({problem}); give the model "
            "that was trained, or save it again"
        ) from error
    found = jax.tree.map(np.asarray, found)
    return found if saved.several else [found]


@contextlib.contextmanager
def _refused(directory: str | os.PathLike, files: str) -> Iterator[None]:
    """Say of what is raised while files of a directory are read that it holds no model."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = getattr(error, "strerror", None) or f"{type(error).__name__} in {files}"
        problem = str(error) if isinstance(error, AlteredError) else problem
        raise ValueError(
            f"{str(directory)!r} holds no model ({problem}); name a directory that Model.save wrote"
        ) from None


def _is_plain(name: Any) -> bool:
    """Return whether a name is that of a directory in another one."""
    return isinstance(name, str) and name not in ("", ".", "..", MODELS) and Path(name).name == name
