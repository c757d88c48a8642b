"""The search space: an ordered, typed, validated set of named dimensions.

A configuration has three spellings, and the Space translates between them: a dict of values on the host, a *point*
of the unit cube ([D] float32, one coordinate a hyperparameter), and *level indices* ([D] int32) where it has a grid.

A hyperparameter may be *active* only with certain values of others (its `when`). Where it is inactive its coordinate is
exactly 0, its level the first, and a dict leaves it out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.space.constraints import Constraint, feasible, find_feasible, read_constraints
from jaxhpo.space.dimensions import Choice, Conditions, Dimension, Float, Int, place
from jaxhpo.types import Array

_KINDS: dict[str, type] = {"float": Float, "int": Int, "choice": Choice}
_CONSTRAINTS = "constraints"  # their place in JSON, where a list is no hyperparameter's


class Space(Mapping[str, Dimension]):
    """An ordered set of named hyperparameters; immutable.

    ``Space({"learning_rate": Float(1e-4, 1e-1, log=True, levels=13), "layers": Int(1, 3)})``.

    Args:
        dimensions: by name. One with a `when` is active only where its parents have the values that it names.
        constraints: expressions that every configuration fulfils, ``["units * layers <= 256"]``; see
            `jaxhpo.space.constraints`. One that names an inactive hyperparameter is fulfilled.

    Raises:
        ValueError: a name is not a non-empty string, a dimension is not a Float, Int or Choice; a condition or
            constraint names what there is not, or says what it cannot; a hyperparameter can never be active; fewer than
            1 in 10,000 configurations fulfil the constraints.
    """

    def __init__(self, dimensions: Mapping[str, Dimension], constraints: Iterable[str] = ()):
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
        self._conditions = Conditions(self._dimensions)
        self._constraints = read_constraints(constraints, self._dimensions)
        if self.constrained:
            if _CONSTRAINTS in self:
                raise ValueError(f"Space has a hyperparameter named {_CONSTRAINTS!r} beside constraints; rename it")
            _ = self.feasible_points  # raises where there are too few

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
        more = f", constraints={list(self.constraints)!r}" if self.constrained else ""
        return f"Space({{\n{body}}}{more})"

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
        """Return the levels' points: [..., D] int32 -> [..., D] float32, canonical."""
        return self._from_levels(levels, jnp)

    def _from_levels(self, levels: Any, xp: Any) -> Any:
        return self._without_inactive(xp.asarray(self.level_table)[np.arange(len(self)), levels], xp)

    # --- the cube, on the device ---------------------------------------------------------------------------------

    def decode(self, point: Array) -> dict[str, Array]:
        """Return the values by name: [..., D] float32 -> [...] each.

        Float gives float32, Int int32; Choice its options where all are numbers, else their int32 indices. An inactive
        hyperparameter of a canonical point has its first value.
        """
        return self._decode(point, jnp)

    def _decode(self, point: Any, xp: Any) -> dict[str, Any]:
        return {name: d.decode(point[..., i], xp) for i, (name, d) in enumerate(self.items())}

    def canonical(self, point: Array) -> Array:
        """Return the point that stands for its configuration: [..., D] -> [..., D] float32.

        Whole numbers and options are at their cells' middles, and what is inactive is 0.
        """
        return self._canonical(point, jnp)

    def _canonical(self, point: Any, xp: Any) -> Any:
        snapped = xp.stack([d.snap(point[..., i], xp) for i, d in enumerate(self.values())], axis=-1)
        return self._without_inactive(snapped, xp)

    def _without_inactive(self, point: Any, xp: Any) -> Any:
        return xp.where(self._conditions.active(point, xp), point, np.float32(0)) if self.conditional else point

    # --- conditions and constraints ------------------------------------------------------------------------------

    @property
    def conditional(self) -> bool:
        """Whether any hyperparameter is active only with certain values of others."""
        return bool(self._conditions)

    @property
    def conditions(self) -> Conditions:
        """When each hyperparameter is active."""
        return self._conditions

    def active(self, point: Array) -> Array:
        """Return which hyperparameters are active: [..., D] float32 -> [..., D] bool.

        One whose parent is inactive is inactive too. A parent that is a Float counts as its nearest level.
        """
        return self._conditions.active(point, jnp)

    @property
    def constrained(self) -> bool:
        """Whether there are constraints."""
        return bool(self._constraints)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The constraints as they were written."""
        return tuple(constraint.text for constraint in self._constraints)

    def feasible(self, point: Array) -> Array:
        """Return which points fulfil the constraints: [..., D] float32 -> [...] bool."""
        return self._feasible(point, jnp)

    def _feasible(self, point: Any, xp: Any, among: tuple[Constraint, ...] | None = None) -> Any:
        if not self.constrained:
            return xp.ones(point.shape[:-1], bool)
        active = self._conditions.active(point, xp)
        by_name = {name: active[..., i] for i, name in enumerate(self)}
        return feasible(self._constraints if among is None else among, self._decode(point, xp), by_name, xp)

    @cached_property
    def feasible_points(self) -> np.ndarray:
        """Up to 64 different points that fulfil the constraints, canonical: [P, D] float32."""
        return find_feasible(
            "configurations", lambda unit: self._canonical(unit, np), lambda p: self._feasible(p, np), len(self)
        )

    @cached_property
    def feasible_levels(self) -> np.ndarray:
        """Up to 64 points of the grid that fulfil the constraints: [P, D] float32; ValueError where there are too few.

        Every dimension needs levels.
        """
        sizes = np.array(self.require_levels("feasible_levels"), np.int32)

        def draw(unit: np.ndarray) -> np.ndarray:
            return self._from_levels(np.minimum((unit * sizes).astype(np.int32), sizes - 1), np)

        return find_feasible("combinations of levels", draw, lambda p: self._feasible(p, np), len(self))

    # --- dicts, on the host --------------------------------------------------------------------------------------

    def to_config(self, point: Any) -> dict[str, Any]:
        """Return one point's configuration as Python values: [D] -> dict, without what is inactive."""
        point = np.asarray(point, np.float32)
        if point.shape != (len(self),) or not np.all((point >= 0) & (point <= 1)):
            raise ValueError(f"point={point.tolist()!r} must be {len(self)} numbers in [0, 1]")
        active = self._conditions.active(point, np)
        return {name: d.to_value(point[i]) for i, (name, d) in enumerate(self.items()) if active[i]}

    def from_config(self, config: Mapping[str, Any]) -> np.ndarray:
        """Return a configuration's point: dict -> [D] float32. Raises ValueError naming what does not fit.

        What is inactive is left out, or None.
        """
        if not isinstance(config, Mapping):
            raise ValueError(f"config={config!r} must be a dict of hyperparameters")
        point, names = np.zeros(len(self), np.float32), list(self)
        active: dict[int, bool | None] = {}  # None: not known, for lack of a parent's value
        lacking, problems = set(), []
        for i in self._conditions.order:  # parents first
            name = names[i]
            active[i] = self._conditions.settle(i, active, lambda parent: self._place(parent, point))
            try:
                if active[i] and name in config:
                    point[i] = self[name].to_unit(config[name])
                elif active[i]:
                    lacking.add(name)
                    active[i] = None
                elif active[i] is False and config.get(name) is not None:
                    raise ValueError(f"it is inactive, as it needs {self._conditions.needs(i)}; leave it out")
            except ValueError as error:
                problems.append(f"config {name}: {error}")
                active[i] = None
        if lacking:
            missing = ", ".join(name for name in self if name in lacking)
            raise ValueError(f"config lacks {missing}; give every hyperparameter of the space")
        if unknown := [name for name in config if name not in self]:
            raise ValueError(f"config has unknown {', '.join(map(str, unknown))}; the space has {', '.join(self)}")
        if problems:
            raise ValueError(problems[0])
        for constraint in self._constraints:
            if not self._feasible(point, np, (constraint,)):
                raise ValueError(f"config violates the constraint {constraint.text!r}; change it")
        return point

    def _place(self, i: int, point: np.ndarray) -> int:
        return int(place(list(self.values())[i], point[i], np))

    # --- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back, and `json.dump` writes.

        An object a hyperparameter by its name; constraints, where there are any, as a list under "constraints".
        """
        rows: dict[str, Any] = {}
        for name, d in self.items():
            kind = type(d).__name__.lower()
            rows[name] = {"type": kind} | {f.name: getattr(d, f.name) for f in fields(d)}
            if kind == "choice":
                rows[name]["options"] = list(d.options)  # pyright: ignore[reportAttributeAccessIssue]
            if d.when is None:
                del rows[name]["when"]
            else:
                rows[name]["when"] = {parent: list(values) for parent, values in dict(d.when).items()}
        return rows | ({_CONSTRAINTS: list(self.constraints)} if self.constrained else {})

    @classmethod
    def from_json(cls, data: Any) -> "Space":
        """Return the Space that plain data describes; raise ValueError naming the entry that does not fit."""
        if not isinstance(data, Mapping):
            raise ValueError("space must be a JSON object of name -> {type: float, int or choice, ...}")
        dimensions, constraints = {}, ()
        for name, row in data.items():
            if name == _CONSTRAINTS and isinstance(row, list | tuple):
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
        return cls(dimensions, constraints)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that differ where spaces differ, in order too."""
        text = json.dumps(list(self.to_json().items()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(config: Mapping[str, Any]) -> str:
    """Return a configuration in a line, numbers to six significant digits: "learning_rate=0.0316228, layers=2"."""
    values = {name: f"{value:.6g}" if isinstance(value, float) else repr(value) for name, value in config.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items())
