"""Configurations of a space on the host: one that the user gives, and that of all defaults."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxhpo.space.dimensions import Conditions, Dimension, place


def read_config(dimensions: Mapping[str, Dimension], conditions: Conditions, config: Any) -> np.ndarray:
    """Return the point of a configuration, [D] float32; constraints are not checked.

    Args:
        dimensions: Those of the space, in order.
        conditions: When each is active.
        config: Hyperparameter values by name. Inactive hyperparameters are left out, or None.

    Raises:
        ValueError: if a value is missing, unknown or none that its dimension has.
    """
    if not isinstance(config, Mapping):
        raise ValueError(f"config={config!r} must be a dict of hyperparameters")
    point, names = np.zeros(len(dimensions), np.float32), list(dimensions)
    active: dict[int, bool | None] = {}  # None: unknown, because a parent has no value
    lacking, problems = set(), []
    for i in conditions.order:  # parents first
        name = names[i]
        active[i] = conditions.settle(i, active, lambda parent: _place(dimensions, parent, point))
        try:
            if active[i] and name in config:
                point[i] = dimensions[name].to_unit(config[name])
            elif active[i]:
                lacking.add(name)
                active[i] = None
            elif active[i] is False and config.get(name) is not None:
                raise ValueError(f"it is inactive, as it needs {conditions.needs(i)}; leave it out")
        except ValueError as error:
            problems.append(f"config {name}: {error}")
            active[i] = None
    if lacking:
        missing = ", ".join(name for name in dimensions if name in lacking)
        raise ValueError(f"config lacks {missing}; give every hyperparameter of the space")
    if unknown := [name for name in config if name not in dimensions]:
        raise ValueError(f"config has unknown {', '.join(map(str, unknown))}; the space has {', '.join(dimensions)}")
    if problems:
        raise ValueError(problems[0])
    return point


def default_config(dimensions: Mapping[str, Dimension], conditions: Conditions) -> dict[str, Any] | None:
    """Return the configuration of all defaults, without inactive hyperparameters; constraints are not checked.

    A dimension with a single value has that one. None is returned if an active dimension has several and no default.

    Args:
        dimensions: Those of the space, in order.
        conditions: When each is active.
    """
    point, names = np.zeros(len(dimensions), np.float32), list(dimensions)
    active: dict[int, bool | None] = {}
    found: dict[str, Any] = {}
    for i in conditions.order:  # parents first
        dimension = dimensions[names[i]]
        active[i] = conditions.settle(i, active, lambda parent: _place(dimensions, parent, point))
        if not active[i]:
            continue
        single = len(dimension.level_values) == 1
        value = dimension.level_values[0] if single else dimension.default
        if value is None and not single:
            return None
        found[names[i]], point[i] = value, dimension.to_unit(value)
    return {name: found[name] for name in names if name in found}


def _place(dimensions: Mapping[str, Dimension], i: int, point: np.ndarray) -> int:
    return int(place(list(dimensions.values())[i], point[i], np))
