"""The search space: an ordered, typed, validated set of named dimensions.

A configuration has three forms, and the Space converts between them: a dict of values on the host; a *point* of the
unit cube, [D] float32, with one coordinate per hyperparameter; and *level indices*, [D] int32, if the space has a grid.

A hyperparameter with a condition (`when`) is *active* only for some values of other hyperparameters. The coordinate of
an inactive one is exactly 0, its level is the first, and a dict does not contain it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.machine.bounds import MOST_HYPERPARAMETERS
from jaxhpo.space.configs import default_config, read_config
from jaxhpo.space.constraints import Constraint, feasible, find_feasible, read_constraints
from jaxhpo.space.dimensions import Conditions, Dimension
from jaxhpo.space.dimensions.checks import check_columns
from jaxhpo.space.plain_data import CONSTRAINTS, from_plain, to_plain
from jaxhpo.types import Array


class Space(Mapping[str, Dimension]):
    """An ordered, immutable set of named hyperparameters; a Mapping from names to dimensions.

    Args:
        dimensions: Float, Int or Choice by name. A dimension with `when` is active only for the given values of other
            hyperparameters.
        constraints: Expressions that every configuration satisfies (see `jaxhpo.space.constraints`). A constraint that
            names an inactive hyperparameter is satisfied.

    Raises:
        ValueError: if a name is empty or not a string; if a dimension is not a Float, Int or Choice; if a condition or
            constraint is invalid; if a hyperparameter can never be active; if fewer than 1 in 10,000 configurations
            satisfy the constraints.

    Example:
        >>> from jaxhpo import Choice, Float, Int, Space
        >>> optimizer = Choice(("sgd", "adam"))
        >>> space = Space(
        ...     {"layers": Int(1, 3), "optimizer": optimizer, "momentum": Float(0.0, 0.9, when={"optimizer": "sgd"})},
        ...     constraints=["layers < 3 or optimizer == 'adam'"],
        ... )
        >>> list(space), space["layers"]
        (['layers', 'optimizer', 'momentum'], Int(low=1, high=3, log=False, levels=None, step=1, when=None))
    """

    def __init__(self, dimensions: Mapping[str, Dimension], constraints: Iterable[str] = ()):
        if not isinstance(dimensions, Mapping) or not dimensions:
            raise ValueError(f"dimensions={dimensions!r} must be a non-empty dict of name -> Float, Int or Choice")
        if len(dimensions) > MOST_HYPERPARAMETERS:
            raise ValueError(f"Space has {len(dimensions)} hyperparameters; give at most {MOST_HYPERPARAMETERS:,}")
        for name, dimension in dimensions.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"Space has a hyperparameter named {name!r}; use a non-empty string")
            if not isinstance(dimension, Dimension):
                raise ValueError(f"Space[{name!r}]={dimension!r} must be a Float, Int or Choice")
        self._dimensions = dict(dimensions)
        self._conditions = Conditions(self._dimensions)
        self._constraints = read_constraints(constraints, self._dimensions)
        if self.constrained:
            if CONSTRAINTS in self:
                raise ValueError(f"Space has a hyperparameter named {CONSTRAINTS!r} beside constraints; rename it")
            _ = self.feasible_points  # raises ValueError if there are too few

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
        """The number of levels of each dimension, in order; 0 for a continuous dimension without levels."""
        return tuple(len(dimension.level_values) for dimension in self.values())

    def require_levels(self, method: str) -> tuple[int, ...]:
        """Return `level_counts`; raise ValueError, naming `method`, if a dimension has no levels."""
        for name, size in zip(self, self.level_counts, strict=True):
            if size == 0:
                raise ValueError(f"{method} needs a grid, but {name}={self[name]!r} has no levels; set levels=")
        return self.level_counts

    @cached_property
    def level_table(self) -> np.ndarray:
        """The unit coordinates of all levels: [D, max levels] float32; rows are padded with their last value."""
        width = max(max(self.level_counts), 1)
        rows = [d.level_units if len(d.level_units) else np.zeros(1, np.float32) for d in self.values()]
        return np.stack([np.pad(row, (0, width - len(row)), mode="edge") for row in rows])

    def to_levels(self, point: Array) -> Array:
        """Return the nearest levels: [..., D] float32 -> [..., D] int32. Every dimension needs levels."""
        check_columns("point", point, len(self))
        self.require_levels("to_levels")
        return jnp.stack([d.to_level(point[..., i]) for i, d in enumerate(self.values())], axis=-1)

    def from_levels(self, levels: Array) -> Array:
        """Return the canonical points of levels: [..., D] int32 -> [..., D] float32."""
        check_columns("levels", levels, len(self), "iu")
        return self._from_levels(levels, jnp)

    def _from_levels(self, levels: Any, xp: Any) -> Any:
        return self._without_inactive(xp.asarray(self.level_table)[np.arange(len(self)), levels], xp)

    # --- the cube, on the device ---------------------------------------------------------------------------------

    def decode(self, point: Array) -> dict[str, Array]:
        """Return the values by name, for use in compiled code: `point`, [..., D] float32 -> [...] each.

        A Float gives float32 and an Int int32. A Choice gives its options if all are numbers; any other Choice, of
        bools too, gives the int32 *index* of the option in `options`: an array cannot hold a word. An inactive
        hyperparameter of a canonical point has its first value.
        """
        check_columns("point", point, len(self))
        return self._decode(point, jnp)

    def _decode(self, point: Any, xp: Any) -> dict[str, Any]:
        return {name: d.decode(point[..., i], xp) for i, (name, d) in enumerate(self.items())}

    def canonical(self, point: Array) -> Array:
        """Return the canonical points of the same configurations: [..., D] -> [..., D] float32.

        Whole numbers and options are at the middles of their cells, and inactive hyperparameters are 0.
        """
        check_columns("point", point, len(self))
        return self._canonical(point, jnp)

    def _canonical(self, point: Any, xp: Any) -> Any:
        snapped = xp.stack([d.snap(point[..., i], xp) for i, d in enumerate(self.values())], axis=-1)
        return self._without_inactive(snapped, xp)

    def _without_inactive(self, point: Any, xp: Any) -> Any:
        return xp.where(self._conditions.active(point, xp), point, np.float32(0)) if self.conditional else point

    # --- conditions and constraints ------------------------------------------------------------------------------

    @property
    def conditional(self) -> bool:
        """Whether any hyperparameter has a condition."""
        return bool(self._conditions)

    @property
    def conditions(self) -> Conditions:
        """The conditions under which the hyperparameters are active."""
        return self._conditions

    def active(self, point: Array) -> Array:
        """Return which hyperparameters are active: [..., D] float32 -> [..., D] bool.

        A hyperparameter with an inactive parent is inactive. A parent that is a Float counts as its nearest level.
        """
        check_columns("point", point, len(self))
        return self._conditions.active(point, jnp)

    @property
    def constrained(self) -> bool:
        """Whether the space has constraints."""
        return bool(self._constraints)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The constraints, as the user wrote them."""
        return tuple(constraint.text for constraint in self._constraints)

    def feasible(self, point: Array) -> Array:
        """Return which points satisfy the constraints: [..., D] float32 -> [...] bool."""
        check_columns("point", point, len(self))
        return self._feasible(point, jnp)

    def _feasible(self, point: Any, xp: Any, among: tuple[Constraint, ...] | None = None) -> Any:
        if not self.constrained:
            return xp.ones(point.shape[:-1], bool)
        active = self._conditions.active(point, xp)
        by_name = {name: active[..., i] for i, name in enumerate(self)}
        return feasible(self._constraints if among is None else among, self._decode(point, xp), by_name, xp)

    @cached_property
    def feasible_points(self) -> np.ndarray:
        """Up to 64 different canonical points that satisfy the constraints: [P, D] float32."""
        return find_feasible(
            "configurations", lambda unit: self._canonical(unit, np), lambda p: self._feasible(p, np), len(self)
        )

    @cached_property
    def feasible_levels(self) -> np.ndarray:
        """Up to 64 points of the grid that satisfy the constraints: [P, D] float32. Every dimension needs levels.

        Raises ValueError if a dimension has no levels, or fewer than 1 in 10,000 combinations satisfy the constraints.
        """
        sizes = np.array(self.require_levels("feasible_levels"), np.int32)

        def draw(unit: np.ndarray) -> np.ndarray:
            return self._from_levels(np.minimum((unit * sizes).astype(np.int32), sizes - 1), np)

        return find_feasible("combinations of levels", draw, lambda p: self._feasible(p, np), len(self))

    # --- dicts, on the host --------------------------------------------------------------------------------------

    def to_config(self, point: Any) -> dict[str, Any]:
        """Return the configuration of a point as Python values by name, without inactive hyperparameters.

        Args:
            point: Point of the unit cube: [D].

        Raises:
            ValueError: if `point` is not D numbers in [0, 1].

        Example:
            >>> import jaxhpo
            >>> jaxhpo.Space({"layers": jaxhpo.Int(1, 3), "dropout": jaxhpo.Float(0.0, 0.5)}).to_config([0.5, 0.5])
            {'layers': 2, 'dropout': 0.25}
        """
        point = np.asarray(point, np.float32)
        if point.shape != (len(self),) or not np.all((point >= 0) & (point <= 1)):
            raise ValueError(f"point={point.tolist()!r} must be {len(self)} numbers in [0, 1]")
        active = self._conditions.active(point, np)
        return {name: d.to_value(point[i]) for i, (name, d) in enumerate(self.items()) if active[i]}

    def from_config(self, config: Mapping[str, Any]) -> np.ndarray:
        """Return the point of a configuration: [D] float32.

        Args:
            config: Hyperparameter values by name. Inactive hyperparameters are left out, or None.

        Raises:
            ValueError: if `config` is not a configuration of the space; the message names the problem.

        Example:
            >>> import jaxhpo
            >>> jaxhpo.Space({"layers": jaxhpo.Int(1, 2), "bias": jaxhpo.Choice((False, True))}).from_config(
            ...     {"layers": 2, "bias": False}
            ... ).tolist()
            [0.75, 0.25]
        """
        point = read_config(self, self._conditions, config)
        for constraint in self._constraints:
            if not self._feasible(point, np, (constraint,)):
                raise ValueError(f"config violates the constraint {constraint.text!r}; change it")
        return point

    def default(self) -> dict[str, Any] | None:
        """Return the configuration of all defaults, without inactive hyperparameters.

        A hyperparameter with a single value has that one. None is returned if some active hyperparameter has several
        values and no default, or if the constraints forbid the configuration.

        Example:
            >>> import jaxhpo
            >>> jaxhpo.Space({"layers": jaxhpo.Int(1, 3, default=2), "norm": jaxhpo.Choice(("batch",))}).default()
            {'layers': 2, 'norm': 'batch'}
        """
        config = default_config(self, self._conditions)
        if config is None or not self._feasible(read_config(self, self._conditions, config), np):
            return None
        return config

    # --- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain data, which `from_json` reads and `json.dump` writes.

        It is one object per hyperparameter by name, and the list of constraints under "constraints", if there are any.

        Example:
            >>> import jaxhpo
            >>> jaxhpo.Space({"layers": jaxhpo.Int(1, 3)}).to_json()
            {'layers': {'type': 'int', 'low': 1, 'high': 3, 'log': False, 'levels': None}}
        """
        return to_plain(self, self.constraints)

    @classmethod
    def from_json(cls, data: Any) -> "Space":
        """Return the Space that plain data describe.

        Args:
            data: Plain data in the form of `to_json`; a dimension may leave out optional arguments.

        Raises:
            ValueError: if the data are invalid; the message names the entry.
        """
        return cls(*from_plain(data))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of the space and the order of its dimensions, without defaults: 16 hexadecimal digits."""
        text = json.dumps(list(to_plain(self, self.constraints, defaults=False).items()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
