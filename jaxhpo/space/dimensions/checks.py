"""What the dimensions share: the checks of their arguments, and the grid of a range."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

IMPLICIT_LEVELS = 1024  # an Int of at most so many values is its own grid
RESOLUTION = 2.0**-24  # spacing of float32 just below 1
SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def number(name: str, value: Any) -> float:
    """Return a finite number as Python's; raise ValueError naming what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name}={value!r} is not a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        finite = False
    if not finite:
        raise ValueError(f"{name}={value!r} is not finite; give a finite number")
    return value.item() if isinstance(value, np.generic) else value


def fits_float32(value: float) -> bool:
    """Return whether float32 reaches so far."""
    return abs(value) <= _LARGEST


def fits_int32(value: int) -> bool:
    """Return whether int32 reaches so far."""
    return -(2**31) <= value < 2**31


def check_range(kind: str, low: float, high: float, log: bool, levels: int | None) -> None:
    """Raise ValueError where a range cannot be."""
    if low >= high:
        raise ValueError(f"{kind} low={low!r} must be below high={high!r}")
    if not isinstance(log, bool):
        raise ValueError(f"{kind} log={log!r} must be True or False")
    if log and low <= 0:
        raise ValueError(f"{kind} low={low!r} must be above 0 with log=True; raise low or drop log")
    if levels is not None and (isinstance(levels, bool) or not isinstance(levels, int) or levels < 2):
        raise ValueError(f"{kind} levels={levels!r} must be an integer of at least 2, or None")


def spread(low: float, high: float, log: bool, levels: int) -> np.ndarray:
    """Return `levels` values from low to high, ends exact, evenly spaced (in the logarithm where log)."""
    values = np.geomspace(low, high, levels) if log else np.linspace(low, high, levels)
    # Shortest decimals: 0.01, not 0.010000000000000002, which nobody typed and no two machines agree on.
    values = np.array([float(f"{v:.12g}") for v in values])
    values[0], values[-1] = low, high
    return values


When = Mapping[str, Any] | tuple[tuple[str, tuple[Any, ...]], ...] | None
"""When a hyperparameter is active, as it is written (parent -> value or values) and as it is kept; None is always."""


def read_when(kind: str, when: Any) -> tuple[tuple[str, tuple[Any, ...]], ...] | None:
    """Return a condition in its one form, a tuple of (parent, values); raise ValueError where it is none."""
    if when is None:
        return None
    example = "such as when={'optimizer': ('sgd', 'momentum')}"
    if isinstance(when, tuple) and all(isinstance(row, tuple) and len(row) == 2 for row in when):
        when = dict(when)
    if not isinstance(when, Mapping) or not when:
        raise ValueError(f"{kind} when={when!r} must be a dict of hyperparameter -> value or values, {example}")
    rows = []
    for parent, values in when.items():
        if not isinstance(parent, str) or isinstance(values, Mapping | set | frozenset):
            raise ValueError(f"{kind} when={dict(when)!r} must name values by hyperparameter, {example}")
        several = tuple(values) if isinstance(values, tuple | list | np.ndarray | range) else (values,)
        several = tuple(value.item() if isinstance(value, np.generic) else value for value in several)
        if not several:
            raise ValueError(f"{kind} when: {parent} has no values; name those with which it is active")
        if any(not (value is None or isinstance(value, str | bool | int | float)) for value in several):
            raise ValueError(f"{kind} when: {parent}={values!r} must be strings, numbers, bools or None")
        rows.append((parent, several))
    return tuple(rows)
