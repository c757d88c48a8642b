"""Ranges whose values are the cells of the unit interval: evenly spaced ones, and large whole numbers, rounded."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.space.dimensions.checks import IMPLICIT_LEVELS

_DIGITS = 4  # significant digits of whole numbers in a wide logarithmic range
_FEWEST = 100  # values below which rounding would take away too many of them


class Steps:
    """The values low, low + step, ..., high: whole numbers, or real ones.

    Args:
        low: Smallest value.
        high: Largest value.
        step: Distance between two values.
        index: An `Int` that numbers the values from 0.
    """

    def __init__(self, low: float, high: float, step: float, index: Any):
        self._low, self._high, self._step, self._index = low, high, step, index
        self._whole = isinstance(low, int)

    @property
    def level_values(self) -> tuple[Any, ...]:
        """The levels, in order; empty if there are none."""
        return tuple(self._at(k) for k in self._index.level_values)

    @property
    def level_units(self) -> np.ndarray:
        """The unit coordinates of the levels, in order: [L] float32."""
        return self._index.level_units

    def to_value(self, unit: float) -> Any:
        """Return the value at a unit coordinate."""
        return self._at(self._index.to_value(unit))

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of a value of the range; raise ValueError if it is none of these."""
        k = round((value - self._low) / self._step) if self._step else 0
        if abs(value - self._at(k)) > 1e-6 * self._step:  # 0.1 + 0.2 is the step 0.3
            raise ValueError(
                f"value {value!r} is between the steps of {self._step!r} from {self._low!r}; use {self._at(k)!r}"
            )
        return self._index.to_unit(k)

    def decode(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the values at unit coordinates: int32 if they are whole, else float32."""
        k = self._index.decode(unit, xp)
        if self._whole:
            return (np.int32(self._low) + np.int32(self._step) * k).astype(np.int32)
        if self._index.high < IMPLICIT_LEVELS:
            return xp.asarray(np.float32([self._at(i) for i in range(self._index.high + 1)]))[k]
        value = np.float32(self._low) + np.float32(self._step) * k.astype(np.float32)
        return xp.clip(value, np.float32(self._low), np.float32(self._high)).astype(np.float32)

    def to_level(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 indices of the nearest levels."""
        return self._index.to_level(unit, xp)

    def snap(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the canonical unit coordinates: the middles of the values' cells."""
        return self._index.snap(unit, xp)

    def _at(self, k: int) -> Any:
        if self._whole:
            return self._low + k * self._step
        if k >= self._index.high:
            return self._high
        return float(f"{self._low + k * self._step:.12g}")  # 0.3, not 0.30000000000000004


def step_count(kind: str, low: float, high: float, step: float) -> int:
    """Return how many steps lead from `low` to `high`; raise ValueError if no whole number does."""
    count = round((high - low) / step)
    if abs(low + count * step - high) > 1e-6 * min(step, high - low):
        below = math.floor((high - low) / step)
        near = [low + k * step for k in (below, below + 1)]
        ends = " or ".join(f"{end:.12g}" for end in near if end > low)
        raise ValueError(f"{kind} step={step!r} does not lead from low={low!r} to high={high!r}; use high={ends}")
    return count


class Rounded:
    """The whole numbers of a wide logarithmic range: four significant digits of those above 9,999, and both ends.

    float32 does not tell apart more of them.

    Args:
        low: Smallest value.
        high: Largest value.
        levels: Number of levels; None is none.
    """

    def __init__(self, low: int, high: int, levels: Sequence[int] | None):
        self.values = _rounded_values(low, high)
        between = (self.values[1:] + self.values[:-1]) / 2
        first, last = 2 * low - between[0], 2 * high - between[-1]
        edges = np.log(np.concatenate([[first], between, [last]]) / first)
        edges /= edges[-1]
        self._edges, self._units = edges[1:-1].astype(np.float32), ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
        self._levels = np.unique(self._nearest(levels)) if levels else np.zeros(0, np.int64)

    @property
    def level_values(self) -> tuple[int, ...]:
        """The levels, in order; empty if there are none."""
        return tuple(self.values[self._levels].tolist())

    @property
    def level_units(self) -> np.ndarray:
        """The unit coordinates of the levels, in order: [L] float32."""
        return self._units[self._levels]

    def to_value(self, unit: float) -> int:
        """Return the value at a unit coordinate."""
        return int(self.decode(np.float32(unit), np))

    def to_unit(self, value: int) -> float:
        """Return the unit coordinate of a value of the range; raise ValueError if it is none of these."""
        (at,) = self._nearest([value])
        if self.values[at] != value:
            raise ValueError(
                f"value {value!r} has more than {_DIGITS} significant digits, which a logarithmic range as wide as "
                f"[{self.values[0]}, {self.values[-1]}] does not tell apart; use {self.values[at]}"
            )
        return float(self._units[at])

    def decode(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the values at unit coordinates: int32 if they are whole, else float32."""
        return xp.asarray(self.values.astype(np.int32))[self._cell(unit, xp)]

    def to_level(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 indices of the nearest levels."""
        middles = (self.level_units[1:] + self.level_units[:-1]) / 2
        return xp.searchsorted(xp.asarray(middles), unit, side="right").astype(np.int32)

    def snap(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the canonical unit coordinates: the middles of the values' cells."""
        return xp.asarray(self._units)[self._cell(unit, xp)]

    def _cell(self, unit: Any, xp: Any) -> Any:
        return xp.searchsorted(xp.asarray(self._edges), unit, side="right").astype(np.int32)

    def _nearest(self, wanted: Sequence[int]) -> np.ndarray:
        return np.searchsorted((self.values[1:] + self.values[:-1]) / 2, np.asarray(wanted), side="left")


def rounds_well(low: int, high: int) -> bool:
    """Return whether enough of a range's whole numbers are left where `Rounded` rounds them."""
    return high < 2**31 and len(_rounded_values(low, high)) >= _FEWEST


def _rounded_values(low: int, high: int) -> np.ndarray:
    parts, unit, start = [np.array([low, high])], 1, 1
    while start <= high:
        end = 10**_DIGITS * unit
        rows = np.arange(start, min(end, high + 1), unit)
        parts.append(rows[(rows >= low) & (rows <= high)])
        start, unit = end, 10 * unit
    return np.unique(np.concatenate(parts)).astype(np.int64)
