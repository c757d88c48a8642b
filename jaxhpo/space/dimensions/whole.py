"""A whole number in a range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.space.dimensions.cells import Rounded, Steps, rounds_well, step_count
from jaxhpo.space.dimensions.checks import (
    IMPLICIT_LEVELS,
    RESOLUTION,
    When,
    check_range,
    fits_int32,
    number,
    read_default,
    read_when,
    spelled,
    spread,
)

_LARGEST_LOG = 2**20


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high], both included; a constant if these are equal.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether the range is searched on a logarithmic scale. In a range of more than some 80,000 values, those
            above 9,999 have four significant digits, which is what float32 tells apart; both ends stay as they are.
        levels: Number of evenly spaced values for methods that need a grid. None uses all values if there are at most
            1,024, else no grid.
        step: Distance between two values: only low, low + step, ..., high are proposed and taken. Not with `log`.
        when: Values of other hyperparameters for which this one is active, ``{"layers": 3}``; None is always.
        default: A value that is good without a search; None is none. Two dimensions that differ only in it are equal.
            See `Space.default`.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> from jaxhpo import Int
        >>> Int(16, 256, log=True, levels=5).level_values
        (16, 32, 64, 128, 256)
    """

    low: int
    high: int
    log: bool = field(default=False, kw_only=True)
    levels: int | None = field(default=None, kw_only=True)
    step: int = field(default=1, kw_only=True)
    when: When = field(default=None, kw_only=True)
    default: int | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "when", read_when("Int", self.when))
        for name in ("low", "high", "step"):
            value = number(f"Int {name}", getattr(self, name))
            if value != int(value):
                raise ValueError(f"Int {name}={value!r} is not a whole number; use Float")
            object.__setattr__(self, name, int(value))
        check_range("Int", self.low, self.high, self.log, self.levels)
        if self.step < 1:
            raise ValueError(f"Int step={self.step} must be at least 1")
        if self.step > 1:
            self._check_step()
        elif not self._wide:
            self._check_resolution()
        if self.levels is not None and len(set(self.level_values)) < self.levels:
            raise ValueError(f"Int levels={self.levels} do not fit between {self.low} and {self.high}; use fewer")
        object.__setattr__(self, "default", read_default(self))

    def __repr__(self) -> str:
        return spelled(self)

    def _check_step(self) -> None:
        if self.log:
            raise ValueError(f"Int step={self.step} cannot go with log=True; use a Choice of the values, or levels=")
        if not all(fits_int32(value) for value in (self.low, self.high, self.high - self.low)):
            raise ValueError(f"Int range [{self.low}, {self.high}] is beyond int32; choose another unit")
        count = step_count("Int", self.low, self.high, self.step) + 1
        if self.levels is not None and self.levels > count:
            raise ValueError(f"Int levels={self.levels} do not fit into {count} steps; use fewer")
        if 1 / count < 16 * RESOLUTION:
            raise ValueError(f"Int step={self.step} gives {count:,} values, more than float32 tells apart; raise step")

    def _check_resolution(self) -> None:
        # The second bound keeps the relative rounding of float32's exp below half an integer.
        largest = _LARGEST_LOG if self.log else 2**24
        if max(abs(self.low), abs(self.high)) > largest or self._narrowest_cell < 16 * RESOLUTION:
            raise ValueError(f"Int range [{self.low}, {self.high}] is finer than float32 can tell apart; use Float")

    @cached_property
    def _wide(self) -> bool:
        """Whether a logarithmic range has more values than float32 tells apart, and enough if they are rounded."""
        finer = self.high > _LARGEST_LOG or self._narrowest_cell < 16 * RESOLUTION
        return self.log and finer and rounds_well(self.low, self.high)

    @cached_property
    def _cells(self) -> Steps | Rounded | None:
        """What the values are where not every whole number of the range is one."""
        if self.step > 1:
            return Steps(
                self.low, self.high, self.step, Int(0, (self.high - self.low) // self.step, levels=self.levels)
            )
        if not self._wide:
            return None
        return Rounded(self.low, self.high, None if self.levels is None else self._spread_levels())

    @property
    def values(self) -> Sequence[int]:
        """All values, in order."""
        if isinstance(self._cells, Rounded):
            return tuple(self._cells.values.tolist())
        return range(self.low, self.high + 1, self.step)

    @property
    def continuous(self) -> bool:
        """Whether the values are real numbers of a range: never."""
        return False

    @property
    def _count(self) -> int:
        return self.high - self.low + 1

    def _spread_levels(self) -> list[int]:
        assert self.levels is not None
        return np.rint(spread(self.low, self.high, self.log, self.levels)).astype(int).tolist()

    @cached_property
    def _log_width(self) -> float:
        # Half a unit beyond both ends, so that the first and the last integer have whole cells too.
        return math.log((self.high + 0.5) / (self.low - 0.5))

    @cached_property
    def _narrowest_cell(self) -> float:
        return math.log((self.high + 0.5) / (self.high - 0.5)) / self._log_width if self.log else 1 / self._count

    @cached_property
    def level_values(self) -> tuple[int, ...]:
        """The levels, in order; empty if there are none."""
        if self._cells is not None:
            return self._cells.level_values
        if self.levels is not None:
            return tuple(self._spread_levels())
        return tuple(range(self.low, self.high + 1)) if self.high - self.low < IMPLICIT_LEVELS else ()

    @cached_property
    def level_units(self) -> np.ndarray:
        """The unit coordinates of the levels, in order: [L] float32."""
        if self._cells is not None:
            return self._cells.level_units
        return np.array([self.to_unit(v) for v in self.level_values], np.float32)

    def to_value(self, unit: float) -> int:
        """Return the value at a unit coordinate."""
        if self._cells is not None:
            return self._cells.to_value(unit)
        if self.log:
            value = round((self.low - 0.5) * math.exp(float(unit) * self._log_width))
        else:
            value = self.low + int(np.float32(unit) * np.float32(self._count))  # `decode`'s arithmetic, bit for bit
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of a value; raise ValueError if the range does not have it."""
        value = number("value", value)
        if value != int(value):
            raise ValueError(f"value {value!r} is not a whole number")
        if not self.low <= value <= self.high:
            raise ValueError(f"value {value!r} is outside [{self.low}, {self.high}]")
        if self._cells is not None:
            return self._cells.to_unit(int(value))
        if self.log:  # the middle of the integer's cell, on the logarithmic scale
            first = self.low - 0.5
            middle = (math.log((value - 0.5) / first) + math.log((value + 0.5) / first)) / 2
            return float(np.float32(middle / self._log_width))
        if self._count > IMPLICIT_LEVELS:  # `snap`'s arithmetic, bit for bit
            return float(np.float32(value - self.low + 0.5) * np.float32(1 / self._count))
        return float(np.float32((value - self.low + 0.5) / self._count))

    def decode(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 values at unit coordinates.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        if self._cells is not None:
            return self._cells.decode(unit, xp)
        # Counted from `low`: adding it in float32 would lose the difference between two large integers.
        if self.log:
            value = xp.round((self.low - 0.5) * xp.exp(unit * self._log_width)).astype(np.int32)
        else:
            value = self.low + xp.floor(unit * self._count).astype(np.int32)
        return xp.clip(value, self.low, self.high)

    def to_level(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 indices of the nearest levels.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        if self._cells is not None:
            return self._cells.to_level(unit, xp)
        middles = (self.level_units[1:] + self.level_units[:-1]) / 2
        return xp.searchsorted(xp.asarray(middles), unit, side="right").astype(np.int32)

    def snap(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the canonical unit coordinates: the middles of the integers' cells, as `to_unit` returns them.

        The last bits may differ for values between the levels of a logarithmic range of more than 1,024 values.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        if self._cells is not None:
            return self._cells.snap(unit, xp)
        value = self.decode(unit, xp)
        if self.high - self.low < IMPLICIT_LEVELS:
            # From a table, so that equal configurations are equal points wherever they were encoded.
            table = np.array([self.to_unit(v) for v in range(self.low, self.high + 1)], np.float32)
            return xp.asarray(table)[value - self.low]
        if self.log:
            first, middle = self.low - 0.5, value.astype(np.float32)
            middle = (xp.log((middle - 0.5) / first) + xp.log((middle + 0.5) / first)) / 2
            middle = (middle / self._log_width).astype(np.float32)
        else:
            middle = ((value - self.low).astype(np.float32) + 0.5) * np.float32(1 / self._count)
        if not self.level_values:
            return middle
        level = self.to_level(middle, xp)
        is_level = xp.asarray(np.array(self.level_values, np.int32))[level] == value
        return xp.where(is_level, xp.asarray(self.level_units)[level], middle)
