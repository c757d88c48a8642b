"""A real number in a range."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.space.dimensions.cells import Steps, step_count
from jaxhpo.space.dimensions.checks import (
    RESOLUTION,
    SMALLEST,
    When,
    check_range,
    fits_float32,
    number,
    read_default,
    read_when,
    spelled,
    spread,
)
from jaxhpo.space.dimensions.whole import Int


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; a constant if these are equal.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether the range is searched on a logarithmic scale.
        levels: Number of evenly spaced values for methods that need a grid; other methods use the whole range. None is
            no grid. With `step`, None is all values if there are at most 1,024.
        step: Distance between two values: only low, low + step, ..., high are proposed and taken. None is any number
            of the range. Not with `log`.
        when: Values of other hyperparameters for which this one is active, ``{"optimizer": ("sgd", "momentum")}``; None
            is always.
        default: A value that is good without a search; None is none. It need not be a level. Two dimensions that differ
            only in it are equal. See `Space.default`.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> from jaxhpo import Float
        >>> Float(1e-4, 1e-1, log=True, levels=4).level_values
        (0.0001, 0.001, 0.01, 0.1)
    """

    low: float
    high: float
    log: bool = field(default=False, kw_only=True)
    levels: int | None = field(default=None, kw_only=True)
    step: float | None = field(default=None, kw_only=True)
    when: When = field(default=None, kw_only=True)
    default: float | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "when", read_when("Float", self.when))
        object.__setattr__(self, "low", float(number("Float low", self.low)))
        object.__setattr__(self, "high", float(number("Float high", self.high)))
        check_range("Float", self.low, self.high, self.log, self.levels)
        for name, value in (("low", self.low), ("high", self.high)):
            # Smaller values are flushed to zero on the device, which is a problem for logarithms only.
            if not fits_float32(value) or (self.log and value < SMALLEST):
                raise ValueError(f"Float {name}={value!r} is beyond float32's range; choose another unit")
        if self.step is not None:
            self._check_step(number("Float step", self.step))
        if self.low < self.high:
            self._check_resolution()
        object.__setattr__(self, "default", read_default(self))

    def __repr__(self) -> str:
        return spelled(self)

    def _check_resolution(self) -> None:
        if len(set(np.float32(self.level_values or (self.low, self.high)).tolist())) < (self.levels or 2):
            what = "range" if self.levels is None else f"levels={self.levels} in"
            raise ValueError(f"Float {what} [{self.low!r}, {self.high!r}] is finer than float32 tells apart; widen it")

    def _check_step(self, step: float) -> None:
        object.__setattr__(self, "step", float(step))
        if step <= 0:
            raise ValueError(f"Float step={step!r} must be above 0")
        if self.log:
            raise ValueError(f"Float step={step!r} cannot go with log=True; use levels=, or a Choice of the values")
        if (self.high - self.low) / step >= 1 / (16 * RESOLUTION):
            raise ValueError(f"Float step={step!r} in [{self.low!r}, {self.high!r}] is finer than float32 tells apart")
        count = step_count("Float", self.low, self.high, step)
        if self.levels is not None and self.levels > count + 1:
            raise ValueError(f"Float levels={self.levels} do not fit into {count + 1} steps; use fewer")

    @property
    def continuous(self) -> bool:
        """Whether the values are all real numbers of the range."""
        return self._steps is None

    @cached_property
    def _steps(self) -> Steps | None:
        """The values where not every real number of the range is one."""
        if self.step is None and self.low < self.high:
            return None
        step = self.step or 0.0
        count = round((self.high - self.low) / step) if step else 0
        return Steps(self.low, self.high, step, Int(0, count, levels=self.levels))

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)

    @cached_property
    def level_values(self) -> tuple[float, ...]:
        """The levels, in order; empty if there are none."""
        if self._steps is not None:
            return self._steps.level_values
        return () if self.levels is None else tuple(spread(self.low, self.high, self.log, self.levels).tolist())

    @cached_property
    def level_units(self) -> np.ndarray:
        """The unit coordinates of the levels, in order: [L] float32."""
        if self._steps is not None:
            return self._steps.level_units
        size = len(self.level_values)
        return (np.arange(size) / max(size - 1, 1)).astype(np.float32)

    def to_value(self, unit: float) -> float:
        """Return the value at a unit coordinate: a level, or the shortest decimal with the same float32 coordinate.

        So 0.3 comes back as 0.3, and not as 0.30000001192, the float32 nearest to it.
        """
        value, there = self.exact_value(unit), np.float32(unit)
        if self._steps is not None or self._level_at(unit) is not None:
            return value
        for digits in range(1, 17):
            short = min(max(float(f"{value:.{digits}g}"), self.low), self.high)
            if self.to_unit(short) == there:
                return short
        return value

    def exact_value(self, unit: float) -> float:
        """Return the value at a unit coordinate: a level, or a number to the precision of float64."""
        if self._steps is not None:
            return self._steps.to_value(unit)
        if (level := self._level_at(unit)) is not None:
            return level
        start, end = self._ends
        value = start + float(unit) * (end - start)
        return min(max(math.exp(value) if self.log else value, self.low), self.high)

    def _level_at(self, unit: float) -> float | None:
        at = np.flatnonzero(self.level_units == np.float32(unit))
        return self.level_values[at[0]] if at.size else None

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of a value; raise ValueError if the range does not have it."""
        value = float(number("value", value))
        if not self.low <= value <= self.high:
            raise ValueError(f"value {value!r} is outside [{self.low!r}, {self.high!r}]")
        if self._steps is not None:
            return self._steps.to_unit(value)
        if value in self.level_values:
            return float(self.level_units[self.level_values.index(value)])
        start, end = self._ends
        return float(np.float32(((math.log(value) if self.log else value) - start) / (end - start)))

    def decode(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the float32 values at unit coordinates.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        if self._steps is not None:
            return self._steps.decode(unit, xp)
        start, end = self._ends
        value = start + unit * (end - start)
        value = xp.clip(xp.exp(value) if self.log else value, np.float32(self.low), np.float32(self.high))
        if not self.level_values:
            return value.astype(np.float32)
        index = self.to_level(unit, xp)
        table, units = xp.asarray(np.float32(self.level_values)), xp.asarray(self.level_units)
        return xp.where(unit == units[index], table[index], value).astype(np.float32)

    def to_level(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 indices of the nearest levels.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        if self._steps is not None:
            return self._steps.to_level(unit, xp)
        return xp.round(unit * (len(self.level_values) - 1)).astype(np.int32)

    def snap(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the canonical unit coordinates: clipped to [0, 1]; with steps, the middles of their cells.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        return xp.clip(unit, 0.0, 1.0) if self._steps is None else self._steps.snap(unit, xp)
