"""How a user's model is built: from hyperparameters of a space, facts of the data, flags and random numbers."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn

from jaxhpo.data import Dataset
from jaxhpo.models import FAMILIES
from jaxhpo.training.networks.user.training_mode import FLAGS, is_nnx

RANDOM = ("rngs", "rng", "key", "prng", "prng_key", "rng_key", "random_key", "dropout_rng", "dropout_key")
"""Arguments of a model, or of its call, that are random numbers; nobody tunes them."""


class Factory(NamedTuple):
    """How a user's model is built.

    Attributes:
        build: Function or class.
        takes: Names of the hyperparameters of the space that it takes.
        given: What it takes of the data, by name.
        defaults: Values that its signature gives those of `takes` that may be left out.
        flags: Names in `FLAGS` that it takes: they say whether the module is to train.
        random: Arguments that are random numbers; an nnx module needs some. A value is True if it is an `nnx.Rngs`,
            False if it is a key.
    """

    build: Callable[..., Any]
    takes: tuple[str, ...]
    given: Mapping[str, Any]
    defaults: Mapping[str, Any]
    flags: tuple[str, ...]
    random: Mapping[str, bool]


def read_factory(model: Any, names: tuple[str, ...], data: Dataset) -> Factory:
    """Return how a model is built from hyperparameters of a space (`names`) and from what the data are.

    A model is a function that returns a Flax module, a class of modules, a partial of either, or a linen module that
    takes nothing.

    Raises:
        ValueError: if it is neither a module nor a function that builds one, or has an argument that neither the space
            nor the data provide.
    """
    if isinstance(model, nn.Module):
        return Factory(lambda: model, (), {}, {}, (), {})
    if is_nnx(model):
        raise ValueError(
            f"model={type(model).__name__} has its weights already; give its class, or a function that builds it, so "
            "that every trial gets weights of its own"
        )
    if not callable(model):
        known = ", ".join(map(repr, FAMILIES))
        raise ValueError(f"model={model!r} must be {known}, or a function that returns a Flax module")
    try:
        parameters = _parameters(model)
    except (TypeError, ValueError):
        raise ValueError(f"model={model!r} has no signature; wrap it in a function of its hyperparameters") from None
    data_facts = {"classes": data.classes, "outputs": data.outputs, "shape": data.shape, "vocabulary": data.vocabulary}
    values = data_facts | {"num_classes": data.classes}  # as Flax's own examples call it
    takes, given, flags, random = [], {}, [], {}
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name in names:
            takes.append(name)
        elif name == "rngs" or (name in RANDOM and parameter.default in (parameter.empty, None)):
            random[name] = is_generator(parameter)
        elif values.get(name) is not None:
            given[name] = values[name]
        elif name in FLAGS and _may_be_a_flag(parameter):
            flags.append(name)
        elif parameter.default is parameter.empty:
            raise ValueError(
                f"model takes {name!r}, which the space lacks; put it in the space or give it a default "
                f"(of the data it can take {', '.join(known for known, v in data_facts.items() if v is not None)})"
            )
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        raise ValueError("model takes **keywords, so what of the space it wants is not known; name them one by one")
    defaults = {
        name: parameters[name].default for name in takes if parameters[name].default is not inspect.Parameter.empty
    }
    return Factory(model, tuple(takes), given, defaults, tuple(flags), random)


def name_of(model: Any) -> str:
    """Return the name of a user's model: of its function or class, also through a `functools.partial`."""
    while isinstance(model, functools.partial):
        model = model.func
    return getattr(model, "__name__", type(model).__name__)


def is_generator(parameter: inspect.Parameter) -> bool:
    """Return whether an argument for random numbers is an `nnx.Rngs`, and not a key."""
    return parameter.name == "rngs" or "Rngs" in str(parameter.annotation)


def _parameters(model: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function or class; of a partial those that are left, with its values as defaults."""
    if isinstance(model, functools.partial):
        left = list(_parameters(model.func).values())
        for _ in model.args:
            if left and left[0].kind in (left[0].POSITIONAL_ONLY, left[0].POSITIONAL_OR_KEYWORD):
                del left[0]
        fixed = model.keywords
        return {p.name: p.replace(default=fixed[p.name]) if p.name in fixed else p for p in left}
    if not isinstance(model, type):
        return dict(inspect.signature(model).parameters)
    parameters = dict(inspect.signature(model.__init__).parameters)
    parameters.pop(next(iter(parameters)))  # self
    for field in ("parent", "name") if issubclass(model, nn.Module) else ():
        parameters.pop(field, None)
    return parameters


def _may_be_a_flag(parameter: inspect.Parameter) -> bool:
    """Return whether an argument with the name of a flag is one: a bool, or undecided."""
    if not isinstance(parameter.default, bool) and parameter.default not in (None, parameter.empty):
        return False
    return parameter.annotation in (parameter.empty, Any) or "bool" in str(parameter.annotation)
