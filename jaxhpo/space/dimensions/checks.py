"""Checks of arguments and grids of ranges, for all dimensions."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from jaxhpo.machine.bounds import check_count

IMPLICIT_LEVELS = 1024  # without `levels`, every value of an Int with at most this many values is a level
MOST_LEVELS = 10_000
RESOLUTION = 2.0**-24  # spacing of float32 just below 1
SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def number(name: str, value: Any) -> float:
    """Return a finite number as a Python number; raise ValueError if `value` is not one."""
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
    """Return whether a value is within the range of float32."""
    return abs(value) <= _LARGEST


def fits_int32(value: int) -> bool:
    """Return whether a value is within the range of int32."""
    return -(2**31) <= value < 2**31


def check_range(kind: str, low: float, high: float, log: bool, levels: int | None) -> None:
    """Raise ValueError if a range is invalid."""
    if low > high:
        raise ValueError(f"{kind} low={low!r} must not be above high={high!r}")
    if not isinstance(log, bool):
        raise ValueError(f"{kind} log={log!r} must be True or False")
    if log and low <= 0:
        raise ValueError(f"{kind} low={low!r} must be above 0 with log=True; raise low or drop log")
    if levels is not None:
        check_count(f"{kind} levels", levels, MOST_LEVELS, least=2, more=", or None")
    if levels is not None and low == high:
        raise ValueError(f"{kind} levels={levels} do not fit where low and high are {low!r}; leave levels out")


def spread(low: float, high: float, log: bool, levels: int) -> np.ndarray:
    """Return `levels` evenly spaced values from low to high, both exact; evenly spaced in the logarithm if `log`."""
    values = np.geomspace(low, high, levels) if log else np.linspace(low, high, levels)
    # Round to 12 digits: 0.01, not 0.010000000000000002, whose last digits differ between machines.
    values = np.array([float(f"{v:.12g}") for v in values])
    values[0], values[-1] = low, high
    return values


def check_columns(name: str, array: Any, width: int, kinds: str = "iuf") -> None:
    """Raise ValueError if an array is not [..., width]: JAX would take its last column for every further one.

    Args:
        name: Name in the message.
        array: What was given; it may be traced.
        width: The number of hyperparameters.
        kinds: Kinds of dtypes, as NumPy abbreviates them: "iu" for whole numbers only.
    """
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(f"{name}={array!r:.80} must be an array [..., {width}], a column for each hyperparameter")
    if shape[-1:] != (width,):
        raise ValueError(f"{name} has shape {shape}; give [..., {width}], a column for each hyperparameter")
    if np.dtype(dtype).kind not in kinds:
        raise ValueError(f"{name} has dtype {dtype}; give {'numbers' if 'f' in kinds else 'integers'}")


def read_default(dimension: Any) -> Any:
    """Return a dimension's default as a plain value, None if it has none; raise ValueError if it is none of its values.

    Args:
        dimension: A Float, Int or Choice.
    """
    default = dimension.default
    if default is None:
        return None
    try:
        unit = dimension.to_unit(default)
    except ValueError as error:
        remedy = "" if ";" in str(error) else "; give one of its values, or leave default out"
        raise ValueError(f"{type(dimension).__name__} default: {error}{remedy}") from None
    return float(default) if dimension.continuous else dimension.to_value(unit)


def spelled(dimension: Any) -> str:
    """Return a dimension (a Float, Int or Choice) as Python code; a default is in it only if there is one."""
    values = {field.name: getattr(dimension, field.name) for field in fields(dimension)}
    shown = [f"{name}={value!r}" for name, value in values.items() if name != "default" or value is not None]
    return f"{type(dimension).__name__}({', '.join(shown)})"


When = Mapping[str, Any] | tuple[tuple[str, tuple[Any, ...]], ...] | None
"""Condition of a hyperparameter: a dict of parent -> value or values, or the stored tuple; None is always active."""


def read_when(kind: str, when: Any) -> tuple[tuple[str, tuple[Any, ...]], ...] | None:
    """Return a condition as a tuple of (parent, values); raise ValueError if it is invalid."""
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
        several = isinstance(values, tuple | list | np.ndarray | range)
        if several and len(values) > MOST_LEVELS:  # pyright: ignore[reportArgumentType]
            raise ValueError(f"{kind} when: {parent} has {len(values)} values; give at most {MOST_LEVELS:,}")
        several = tuple(values) if several else (values,)
        several = tuple(value.item() if isinstance(value, np.generic) else value for value in several)
        if not several:
            raise ValueError(f"{kind} when: {parent} has no values; name those with which it is active")
        if any(not (value is None or isinstance(value, str | bool | int | float)) for value in several):
            raise ValueError(f"{kind} when: {parent}={values!r} must be strings, numbers, bools or None")
        rows.append((parent, several))
    return tuple(rows)
