"""How a user's model is told whether it trains: by arguments of its call, and by what its modules were built with."""

import dataclasses
import functools
import inspect
import sys
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
from flax.core import FrozenDict

FLAGS = {
    "train": True,
    "training": True,
    "is_training": True,
    "deterministic": False,
    "inference": False,
    "use_running_average": False,
}
"""Arguments and attributes that say whether a model trains, and what they are while it does."""


def is_nnx(value: Any) -> bool:
    """Return whether a value is an nnx module; where nothing has imported nnx, nothing is one."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and isinstance(value, nnx.Module)


def flag(name: str, trains: bool) -> bool:
    """Return the value of a flag by whether the model trains."""
    return FLAGS[name] if trains else not FLAGS[name]


def call_flags(module: Any, trains: bool) -> dict[str, bool]:
    """Return the arguments by which a module's call is told whether it trains."""
    fields = {} if is_nnx(module) else _flag_fields(module)
    parameters = _call_parameters(module)
    # What is a field as well, and in the call may be left out, is told once: linen's merge_param refuses two values.
    told = [n for n in FLAGS if n in parameters and (n not in fields or _by_call(fields[n], parameters[n]))]
    return {name: flag(name, trains) for name in told}


def tell(module: nn.Module, trains: bool) -> nn.Module:
    """Return a linen module whose fields, and those of the modules in them, say whether it trains.

    A flag that the outermost module's call takes is left to the call. In modules further inside, flags that are None
    are left to whoever calls them.
    """
    return _Teller(trains).outermost(module)


class _Teller:
    def __init__(self, trains: bool):
        self.trains = trains
        self._told: dict[int, tuple[Any, Any]] = {}  # a module that is used twice stays one; by identity

    def outermost(self, module: nn.Module) -> nn.Module:
        fields, parameters = _flag_fields(module), _call_parameters(module)
        changes: dict[str, Any] = {}
        for name in fields:
            by_call = name in parameters and _by_call(fields[name], parameters[name])
            both = by_call and fields[name].default is not None
            changes[name] = flag(name, self.trains) if both or not by_call else None
        return self._changed(module, changes)

    def _changed(self, module: nn.Module, changes: dict[str, Any]) -> nn.Module:
        held = {f.name: getattr(module, f.name) for f in _fields(module) if f.name not in changes}
        told = {name: self._value(value) for name, value in held.items()}
        changes = {name: value for name, value in changes.items() if getattr(module, name) is not value}
        changes |= {name: value for name, value in told.items() if value is not held[name]}
        return module.clone(**changes) if changes else module

    def _value(self, value: Any) -> Any:
        if isinstance(value, nn.Module):
            if id(value) not in self._told:
                named = {n: flag(n, self.trains) for n in _flag_fields(value) if getattr(value, n) is not None}
                self._told[id(value)] = value, self._changed(value, named)
            return self._told[id(value)][1]
        if isinstance(value, functools.partial) and isinstance(value.func, type) and issubclass(value.func, nn.Module):
            named = {n: flag(n, self.trains) for n, v in value.keywords.items() if n in FLAGS and isinstance(v, bool)}
            return functools.partial(value.func, *value.args, **value.keywords | named) if named else value
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            inner = [self._value(part) for part in value]
            return value if all(a is b for a, b in zip(inner, value, strict=True)) else type(value)(inner)
        if isinstance(value, Mapping):
            named = {name: self._value(part) for name, part in value.items()}
            return value if all(named[name] is value[name] for name in value) else FrozenDict(named)
        return value


def _by_call(field: dataclasses.Field, parameter: inspect.Parameter) -> bool:
    """Return whether a flag that is a field, and an argument of the call too, is told by the call."""
    return field.default is None or parameter.default is not None


def _fields(module: nn.Module) -> list[dataclasses.Field]:
    return [f for f in dataclasses.fields(module) if f.init and f.name not in ("parent", "name")]


def _flag_fields(module: nn.Module) -> dict[str, dataclasses.Field]:
    """Return the fields of a linen module that are flags, by name."""
    held = {f.name: f for f in _fields(module) if f.name in FLAGS}
    return {name: f for name, f in held.items() if isinstance(getattr(module, name), bool | None)}


def _call_parameters(module: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(type(module).__call__).parameters)
