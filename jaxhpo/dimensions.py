"""One hyperparameter's range: Float, Int, Choice.

A value has three spellings, and a dimension translates between them: the *value* that a person reads, its *unit*
coordinate (float32 in [0, 1], what algorithms exchange), and for grid methods the index of its *level*.

Levels decode through tables built on the host in float64, because float32 ``exp(log(x))`` is not ``x``; so a
level's value comes back exactly, and on the device as its nearest float32.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

_IMPLICIT_LEVELS = 1024  # an Int of at most so many values is its own grid
_RESOLUTION = 2.0**-24  # spacing of float32 just below 1
_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ValueError(f"{name}={value!r} is not a number")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        finite = False
    if not finite:
        raise ValueError(f"{name}={value!r} is not finite; give a finite number")
    return value.item() if isinstance(value, np.generic) else value


def _fits_float32(value: float) -> bool:
    return abs(value) <= _LARGEST


def _fits_int32(value: int) -> bool:
    return -(2**31) <= value < 2**31


def _check_range(kind: str, low: float, high: float, log: bool, levels: int | None) -> None:
    if low >= high:
        raise ValueError(f"{kind} low={low!r} must be below high={high!r}")
    if not isinstance(log, bool):
        raise ValueError(f"{kind} log={log!r} must be True or False")
    if log and low <= 0:
        raise ValueError(f"{kind} low={low!r} must be above 0 with log=True; raise low or drop log")
    if levels is not None and (isinstance(levels, bool) or not isinstance(levels, int) or levels < 2):
        raise ValueError(f"{kind} levels={levels!r} must be an integer of at least 2, or None")


def _spread(low: float, high: float, log: bool, levels: int) -> np.ndarray:
    """Return `levels` values from low to high, ends exact, evenly spaced (in the logarithm where log)."""
    values = np.geomspace(low, high, levels) if log else np.linspace(low, high, levels)
    # Shortest decimals: 0.01, not 0.010000000000000002, which nobody typed and no two machines agree on.
    values = np.array([float(f"{v:.12g}") for v in values])
    values[0], values[-1] = low, high
    return values


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; `levels` is the grid of methods that need one, the others use the whole range."""

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    levels: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(_number("Float low", self.low)))
        object.__setattr__(self, "high", float(_number("Float high", self.high)))
        _check_range("Float", self.low, self.high, self.log, self.levels)
        for name, value in (("low", self.low), ("high", self.high)):
            # A smaller one is flushed to zero on the device, which only a logarithmic range minds.
            if not _fits_float32(value) or (self.log and value < _SMALLEST):
                raise ValueError(f"Float {name}={value!r} is beyond float32's range; choose another unit")
        if len(set(np.float32(self.level_values or (self.low, self.high)).tolist())) < (self.levels or 2):
            what = "range" if self.levels is None else f"levels={self.levels} in"
            raise ValueError(f"Float {what} [{self.low!r}, {self.high!r}] is finer than float32 tells apart; widen it")

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)

    @cached_property
    def level_values(self) -> tuple[float, ...]:
        """The grid, in order; empty where the dimension has none."""
        return () if self.levels is None else tuple(_spread(self.low, self.high, self.log, self.levels).tolist())

    @cached_property
    def level_units(self) -> np.ndarray:
        """Where the grid lies in the unit interval, float32, in order."""
        size = len(self.level_values)
        return (np.arange(size) / max(size - 1, 1)).astype(np.float32)

    def to_value(self, unit: float) -> float:
        """Return the value at a unit coordinate."""
        at = np.flatnonzero(self.level_units == np.float32(unit))
        if at.size:
            return self.level_values[at[0]]
        start, end = self._ends
        value = start + float(unit) * (end - start)
        return min(max(math.exp(value) if self.log else value, self.low), self.high)

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of a value; raise ValueError where it lies outside."""
        value = float(_number("value", value))
        if not self.low <= value <= self.high:
            raise ValueError(f"value {value!r} is outside [{self.low!r}, {self.high!r}]")
        if value in self.level_values:
            return float(self.level_units[self.level_values.index(value)])
        start, end = self._ends
        return float(np.float32(((math.log(value) if self.log else value) - start) / (end - start)))

    def decode(self, unit: Array) -> Array:
        """Return float32 values of any shape's unit coordinates, on the device."""
        start, end = self._ends
        value = start + unit * (end - start)
        value = jnp.clip(jnp.exp(value) if self.log else value, np.float32(self.low), np.float32(self.high))
        if not self.level_values:
            return value.astype(jnp.float32)
        index = self.to_level(unit)
        table, units = jnp.asarray(np.float32(self.level_values)), jnp.asarray(self.level_units)
        return jnp.where(unit == units[index], table[index], value).astype(jnp.float32)

    def to_level(self, unit: Array) -> Array:
        """Return the int32 index of the nearest level."""
        return jnp.round(unit * (len(self.level_values) - 1)).astype(jnp.int32)

    def snap(self, unit: Array) -> Array:
        """Return the canonical coordinate: a real number's is its own."""
        return jnp.clip(unit, 0.0, 1.0)


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], both included; without `levels` a range of up to 1,024 is its own grid."""

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    levels: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = _number(f"Int {name}", getattr(self, name))
            if value != int(value):
                raise ValueError(f"Int {name}={value!r} is not a whole number; use Float")
            object.__setattr__(self, name, int(value))
        _check_range("Int", self.low, self.high, self.log, self.levels)
        # The second bound keeps the relative rounding of float32's exp below half an integer.
        largest = 2**20 if self.log else 2**24
        if max(abs(self.low), abs(self.high)) > largest or self._narrowest_cell < 16 * _RESOLUTION:
            raise ValueError(f"Int range [{self.low}, {self.high}] is finer than float32 can tell apart; use Float")
        if self.levels is not None and len(set(self.level_values)) < self.levels:
            raise ValueError(f"Int levels={self.levels} do not fit between {self.low} and {self.high}; use fewer")

    @property
    def _count(self) -> int:
        return self.high - self.low + 1

    @cached_property
    def _log_width(self) -> float:
        # Half a unit beyond both ends, so that the first and last integers get whole cells too.
        return math.log((self.high + 0.5) / (self.low - 0.5))

    @cached_property
    def _narrowest_cell(self) -> float:
        return math.log((self.high + 0.5) / (self.high - 0.5)) / self._log_width if self.log else 1 / self._count

    @cached_property
    def level_values(self) -> tuple[int, ...]:
        """The grid, in order; empty where the dimension has none."""
        if self.levels is not None:
            return tuple(int(v) for v in np.rint(_spread(self.low, self.high, self.log, self.levels)))
        return tuple(range(self.low, self.high + 1)) if self.high - self.low < _IMPLICIT_LEVELS else ()

    @cached_property
    def level_units(self) -> np.ndarray:
        """Where the grid lies in the unit interval, float32, in order."""
        return np.array([self.to_unit(v) for v in self.level_values], np.float32)

    def to_value(self, unit: float) -> int:
        """Return the value at a unit coordinate."""
        if self.log:
            value = round((self.low - 0.5) * math.exp(float(unit) * self._log_width))
        else:
            value = self.low + int(np.float32(unit) * np.float32(self._count))  # `decode`'s arithmetic, bit for bit
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of a value; raise ValueError where it lies outside."""
        value = _number("value", value)
        if value != int(value):
            raise ValueError(f"value {value!r} is not a whole number")
        if not self.low <= value <= self.high:
            raise ValueError(f"value {value!r} is outside [{self.low}, {self.high}]")
        if self.log:  # the middle of the integer's cell, on the logarithmic scale
            first = self.low - 0.5
            middle = (math.log((value - 0.5) / first) + math.log((value + 0.5) / first)) / 2
            return float(np.float32(middle / self._log_width))
        if self._count > _IMPLICIT_LEVELS:  # `snap`'s arithmetic, bit for bit
            return float(np.float32(value - self.low + 0.5) * np.float32(1 / self._count))
        return float(np.float32((value - self.low + 0.5) / self._count))

    def decode(self, unit: Array) -> Array:
        """Return int32 values of any shape's unit coordinates, on the device."""
        # Counted from `low`: adding it in float32 would lose the difference between two large integers.
        if self.log:
            value = jnp.round((self.low - 0.5) * jnp.exp(unit * self._log_width)).astype(jnp.int32)
        else:
            value = self.low + jnp.floor(unit * self._count).astype(jnp.int32)
        return jnp.clip(value, self.low, self.high)

    def to_level(self, unit: Array) -> Array:
        """Return the int32 index of the nearest level."""
        middles = (self.level_units[1:] + self.level_units[:-1]) / 2
        return jnp.searchsorted(jnp.asarray(middles), unit, side="right").astype(jnp.int32)

    def snap(self, unit: Array) -> Array:
        """Return the canonical coordinate: the middle of the integer's cell, as `to_unit` gives it.

        The exception: between the levels of a logarithmic range of over 1,024 values the last bits differ.
        """
        value = self.decode(unit)
        if self.high - self.low < _IMPLICIT_LEVELS:
            # From a table, so that equal configurations are equal points wherever they were encoded.
            table = np.array([self.to_unit(v) for v in range(self.low, self.high + 1)], np.float32)
            return jnp.asarray(table)[value - self.low]
        if self.log:
            first, middle = self.low - 0.5, value.astype(jnp.float32)
            middle = (jnp.log((middle - 0.5) / first) + jnp.log((middle + 0.5) / first)) / 2
            middle = (middle / self._log_width).astype(jnp.float32)
        else:
            middle = ((value - self.low).astype(jnp.float32) + 0.5) * np.float32(1 / self._count)
        if not self.level_values:
            return middle
        level = self.to_level(middle)
        is_level = jnp.asarray(np.array(self.level_values, np.int32))[level] == value
        return jnp.where(is_level, jnp.asarray(self.level_units)[level], middle)


@dataclass(frozen=True)
class Choice:
    """One of several options; `ordered` unless given is whether all are numbers."""

    options: tuple[str | int | float | bool | None, ...]
    ordered: bool = field(default=None, kw_only=True)  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        # Not a set: its order, so every option's coordinate, changes from run to run.
        if isinstance(self.options, str | bytes | set | frozenset) or not hasattr(self.options, "__iter__"):
            raise ValueError(f"Choice options={self.options!r} must be a list of options, in a fixed order")
        options = tuple(o.item() if isinstance(o, np.generic) else o for o in self.options)
        if not options:
            raise ValueError("Choice options are empty; give at least one")
        for option in options:
            if not (option is None or isinstance(option, str | bool | int | float)):
                raise ValueError(f"Choice option {option!r} must be a string, number, bool or None")
            if isinstance(option, float):
                _number("Choice option", option)
        if len({(isinstance(o, bool), o) for o in options}) < len(options):
            raise ValueError(f"Choice options {list(options)!r} hold a duplicate; name each option once")
        object.__setattr__(self, "options", options)
        if self.numeric:
            whole = all(isinstance(o, int) for o in options)
            fits, kind = (_fits_int32, "int32") if whole else (_fits_float32, "float32")
            for option in options:
                if not fits(option):
                    raise ValueError(f"Choice option {option!r} is beyond {kind}; choose another unit")
        if self.ordered is None:
            object.__setattr__(self, "ordered", self.numeric)
        elif not isinstance(self.ordered, bool):
            raise ValueError(f"Choice ordered={self.ordered!r} must be True or False")

    @property
    def numeric(self) -> bool:
        """Whether every option is a number, so that it decodes to its value and not to its index."""
        return all(isinstance(o, int | float) and not isinstance(o, bool) for o in self.options)

    @property
    def level_values(self) -> tuple:
        """The options, in order."""
        return self.options

    @cached_property
    def level_units(self) -> np.ndarray:
        """Where the options lie in the unit interval, float32: the middles of equal cells."""
        size = len(self.options)
        return ((np.arange(size) + 0.5) / size).astype(np.float32)

    def to_value(self, unit: float) -> Any:
        """Return the option at a unit coordinate."""
        return self.options[min(int(np.float32(unit) * len(self.options)), len(self.options) - 1)]

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of an option; raise ValueError where there is no such option."""
        for index, option in enumerate(self.options):
            if option == value and isinstance(option, bool) == isinstance(value, bool | np.bool_):
                return float(self.level_units[index])
        raise ValueError(f"value {value!r} is not one of {list(self.options)!r}")

    def decode(self, unit: Array) -> Array:
        """Return the options' values where all are numbers (int32 or float32), else their int32 indices."""
        index = self.to_level(unit)
        if not self.numeric:
            return index
        whole = all(isinstance(o, int) for o in self.options)
        return jnp.asarray(np.array(self.options, np.int32 if whole else np.float32))[index]

    def to_level(self, unit: Array) -> Array:
        """Return the int32 index of the option."""
        size = len(self.options)
        return jnp.clip(jnp.floor(unit * size), 0, size - 1).astype(jnp.int32)

    def snap(self, unit: Array) -> Array:
        """Return the canonical coordinate: the middle of the option's cell."""
        return jnp.asarray(self.level_units)[self.to_level(unit)]


Dimension = Float | Int | Choice
