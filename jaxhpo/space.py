"""The search space: an ordered, typed, validated set of named dimensions.

A configuration has three spellings, and the Space translates between them: a dict of values on the host, a *point*
of the unit cube ([D] float32, one coordinate a hyperparameter), and *level indices* ([D] int32) where it has a grid.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.dimensions import Choice, Dimension, Float, Int
from jaxhpo.types import Array

__all__ = ["Choice", "Dimension", "Float", "Int", "Space", "describe"]

_KINDS: dict[str, type] = {"float": Float, "int": Int, "choice": Choice}


class Space(Mapping[str, Dimension]):
    """An ordered set of named hyperparameters; immutable.

    ``Space({"learning_rate": Float(1e-4, 1e-1, log=True, levels=13), "layers": Int(1, 3)})``. Raises ValueError where
    a name is not a non-empty string or a dimension is not a Float, Int or Choice.
    """

    def __init__(self, dimensions: Mapping[str, Dimension]):
        if not isinstance(dimensions, Mapping) or not dimensions:
            raise ValueError(
                f"Space dimensions={dimensions!r} must be a non-empty dict of name -> Float, Int or Choice"
            )
        for name, dimension in dimensions.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"Space has a hyperparameter named {name!r}; use a non-empty string")
            if not isinstance(dimension, Dimension):
                raise ValueError(f"Space[{name!r}]={dimension!r} must be a Float, Int or Choice")
        self._dimensions = dict(dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return self._dimensions[name]

    def __iter__(self):
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.fingerprint == other.fingerprint

    def __repr__(self) -> str:
        body = "".join(f"    {name!r}: {dimension!r},\n" for name, dimension in self.items())
        return f"Space({{\n{body}}})"

    # --- the grid ------------------------------------------------------------------------------------------------

    @cached_property
    def level_counts(self) -> tuple[int, ...]:
        """How many levels each dimension has, in order; 0 where it is continuous and names none."""
        return tuple(len(dimension.level_values) for dimension in self.values())

    def require_levels(self, method: str) -> tuple[int, ...]:
        """Return `level_counts`; raise ValueError naming the first dimension without levels."""
        for name, size in zip(self, self.level_counts, strict=True):
            if size == 0:
                raise ValueError(f"{method} needs a grid, but {name}={self[name]!r} has no levels; set levels=")
        return self.level_counts

    @cached_property
    def level_table(self) -> np.ndarray:
        """Unit coordinates of every level: [D, max levels] float32, padded with the last."""
        width = max(max(self.level_counts), 1)
        rows = [d.level_units if len(d.level_units) else np.zeros(1, np.float32) for d in self.values()]
        return np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in rows])

    def to_levels(self, point: Array) -> Array:
        """Return the nearest levels: [..., D] float32 -> [..., D] int32. Every dimension needs levels."""
        self.require_levels("to_levels")
        return jnp.stack([d.to_level(point[..., i]) for i, d in enumerate(self.values())], axis=-1)

    def from_levels(self, levels: Array) -> Array:
        """Return the levels' points: [..., D] int32 -> [..., D] float32."""
        return jnp.asarray(self.level_table)[np.arange(len(self)), levels]

    # --- the cube, on the device ---------------------------------------------------------------------------------

    def decode(self, point: Array) -> dict[str, Array]:
        """Return the values by name: [..., D] float32 -> [...] each.

        Float gives float32, Int int32; Choice its options where all are numbers, else their int32 indices.
        """
        return {name: d.decode(point[..., i]) for i, (name, d) in enumerate(self.items())}

    def canonical(self, point: Array) -> Array:
        """Return the point that stands for its configuration: whole numbers and options at their cells' middles."""
        return jnp.stack([d.snap(point[..., i]) for i, d in enumerate(self.values())], axis=-1)

    # --- dicts, on the host --------------------------------------------------------------------------------------

    def to_config(self, point: Any) -> dict[str, Any]:
        """Return one point's configuration as Python values: [D] -> dict."""
        point = np.asarray(point, np.float32)
        if point.shape != (len(self),) or not np.all((point >= 0) & (point <= 1)):
            raise ValueError(f"point={point.tolist()!r} must be {len(self)} numbers in [0, 1]")
        return {name: d.to_value(unit) for (name, d), unit in zip(self.items(), point, strict=True)}

    def from_config(self, config: Mapping[str, Any]) -> np.ndarray:
        """Return a configuration's point: dict -> [D] float32. Raises ValueError naming what does not fit."""
        if not isinstance(config, Mapping):
            raise ValueError(f"config={config!r} must be a dict of hyperparameters")
        if missing := [name for name in self if name not in config]:
            raise ValueError(f"config lacks {', '.join(missing)}; give every hyperparameter of the space")
        if unknown := [name for name in config if name not in self]:
            raise ValueError(f"config has unknown {', '.join(map(str, unknown))}; the space has {', '.join(self)}")
        point = np.zeros(len(self), np.float32)
        for i, (name, dimension) in enumerate(self.items()):
            try:
                point[i] = dimension.to_unit(config[name])
            except ValueError as error:
                raise ValueError(f"config {name}: {error}") from None
        return point

    # --- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return plain data that `from_json` reads back, and `json.dump` writes."""
        rows = {}
        for name, d in self.items():
            kind = type(d).__name__.lower()
            rows[name] = {"type": kind} | {f.name: getattr(d, f.name) for f in fields(d)}
            if kind == "choice":
                rows[name]["options"] = list(d.options)  # pyright: ignore[reportAttributeAccessIssue]
        return rows

    @classmethod
    def from_json(cls, data: Any) -> "Space":
        """Return the Space that plain data describes; raise ValueError naming the entry that does not fit."""
        if not isinstance(data, Mapping):
            raise ValueError("space must be a JSON object of name -> {type: float, int or choice, ...}")
        dimensions = {}
        for name, row in data.items():
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
        return cls(dimensions)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where spaces differ, in order too."""
        text = json.dumps(list(self.to_json().items()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(config: Mapping[str, Any]) -> str:
    """Return a configuration in a line, numbers to six significant digits: "learning_rate=0.0316228, layers=2"."""
    values = {name: f"{value:.6g}" if isinstance(value, float) else repr(value) for name, value in config.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
