"""Loading of saved models."""

import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxhpo.data import Vocabulary
from jaxhpo.errors import check_path, first_line
from jaxhpo.machine import strict_json
from jaxhpo.models import FAMILIES
from jaxhpo.training.networks.builtin import build_network
from jaxhpo.training.networks.user import UserModel, read_factory
from jaxhpo.training.step.learner import Learner, Masked
from jaxhpo.training.trained.data_spec import DataSpec
from jaxhpo.training.trained.files import DESCRIPTION, WEIGHTS, WORDS, AlteredError, arrays_of, check_sums, digests
from jaxhpo.training.trained.model import Model, hyper_of

_MOST_WORDS = 2**30  # bytes


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
        check_sums(path)
        content = strict_json.parse(strict_json.read_text(path / DESCRIPTION))
        spec = DataSpec.of_json(content["data"])
        config, made, arrays = content["config"], content["made"], dict(content["arrays"])
        files = dict(content["files"])
        words = None
        if content["words"] is not None:
            text = strict_json.read_text(path / WORDS, _MOST_WORDS)
            words = Vocabulary(tuple(text.split("\n")) if text else (), spec.keep)
            if len(words.words) != content["words"]:
                raise ValueError(f"{WORDS} has {len(words.words)} words")
        own = made.get("own")
        builtin = None if "own" in made else _builtin_learner(made, spec)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = getattr(error, "strerror", None) or f"{type(error).__name__} in {DESCRIPTION} or {WORDS}"
        problem = str(error) if isinstance(error, AlteredError) else problem
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
        if differing := sorted(set(arrays.items()) ^ set(arrays_of(blank).items())):  # Orbax would pad or cut them
            raise ValueError(f"{differing[0][0]} is another")
        if altered := sorted(set(files.items()) ^ set(digests(path / WEIGHTS).items())):  # Orbax reads parts of them
            raise ValueError(f"{WEIGHTS}/{altered[0][0]} was altered")
        with ocp.StandardCheckpointer() as checkpointer:
            tree = checkpointer.restore(path / WEIGHTS, blank)
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


def _blank(learner: Learner, spec: DataSpec) -> dict[str, Any]:
    """Return the shapes of the saved arrays."""
    dtype = np.int32 if spec.kind == "text" and isinstance(learner, UserModel) else np.float32
    example = jax.ShapeDtypeStruct((1, *spec.shape), dtype)
    key = jax.eval_shape(lambda: jax.random.key(0, impl="threefry2x32"))
    try:
        params, statistics = jax.eval_shape(learner.start, key, example, hyper_of(learner))
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
