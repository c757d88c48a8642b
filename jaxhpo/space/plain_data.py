"""A space as plain data, in the form of JSON, and back; a configuration as a line."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from jaxhpo.space.dimensions import Choice, Dimension, Float, Int

CONSTRAINTS = "constraints"
"""Key of the constraints; its value is a list, where that of a hyperparameter is an object."""

_KINDS: dict[str, type] = {"float": Float, "int": Int, "choice": Choice}


def to_plain(
    dimensions: Mapping[str, Dimension], constraints: tuple[str, ...], *, defaults: bool = True
) -> dict[str, Any]:
    """Return dimensions and constraints as plain data, which `from_plain` reads; `defaults` are those of dimensions."""
    rows: dict[str, Any] = {}
    for name, d in dimensions.items():
        kind = type(d).__name__.lower()
        rows[name] = {"type": kind} | {f.name: getattr(d, f.name) for f in fields(d)}
        if not isinstance(d, Choice) and d.step == type(d).step:  # written as before there were steps
            del rows[name]["step"]
        if d.default is None or not defaults:
            del rows[name]["default"]
        if kind == "choice":
            rows[name]["options"] = list(d.options)  # pyright: ignore[reportAttributeAccessIssue]
        if d.when is None:
            del rows[name]["when"]
        else:
            rows[name]["when"] = {parent: list(values) for parent, values in dict(d.when).items()}
    return rows | ({CONSTRAINTS: list(constraints)} if constraints else {})


def from_plain(data: Any) -> tuple[dict[str, Dimension], Iterable[str]]:
    """Return the dimensions and constraints that plain data describe; raise ValueError if an entry is invalid."""
    if not isinstance(data, Mapping):
        raise ValueError("space must be a JSON object of name -> {type: float, int or choice, ...}")
    dimensions, constraints = {}, ()
    for name, row in data.items():
        if name == CONSTRAINTS and isinstance(row, list | tuple):
            constraints = row
            continue
        if not isinstance(row, Mapping) or row.get("type") not in list(_KINDS):  # a list: it may be unhashable
            raise ValueError(f"space {name!r}: {row!r} needs a type, one of {', '.join(_KINDS)}")
        kind = _KINDS[row["type"]]
        arguments = {key: value for key, value in row.items() if key != "type"}
        known = {f.name for f in fields(kind)}
        required = {"options"} if kind is Choice else {"low", "high"}
        if extra := sorted(set(arguments) - known):
            raise ValueError(f"space {name!r}: unknown {', '.join(extra)}; it takes {', '.join(sorted(known))}")
        if lacking := sorted(required - set(arguments)):
            raise ValueError(f"space {name!r}: {', '.join(lacking)} is missing")
        try:
            dimensions[name] = kind(**arguments)
        except ValueError as error:
            raise ValueError(f"space {name!r}: {error}") from None
    return dimensions, constraints


def describe(config: Mapping[str, Any]) -> str:
    """Return a configuration as a line, with numbers to six significant digits: "learning_rate=0.0316228, layers=2"."""
    values = {name: f"{value:.6g}" if isinstance(value, float) else repr(value) for name, value in config.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
