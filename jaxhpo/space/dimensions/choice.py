"""One of several options."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxhpo.space.dimensions.checks import (
    MOST_LEVELS,
    When,
    fits_float32,
    fits_int32,
    number,
    read_default,
    read_when,
    spelled,
)


@dataclass(frozen=True)
class Choice:
    """One of several options.

    Attributes:
        options: Options: strings, numbers, bools or None.
        ordered: Whether the order of the options has a meaning; by default True if all options are numbers.
        when: Values of other hyperparameters for which this one is active, ``{"layers": (2, 3)}``; None is always.
        default: An option that is good without a search; None is none, also where None is an option. Two dimensions
            that differ only in it are equal. See `Space.default`.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> from jaxhpo import Choice
        >>> Choice((32, 64, 128)).ordered, Choice(("adam", "sgd")).ordered
        (True, False)
    """

    options: tuple[str | int | float | bool | None, ...]
    ordered: bool = field(default=None, kw_only=True)  # pyright: ignore[reportAssignmentType]
    when: When = field(default=None, kw_only=True)
    default: str | int | float | bool | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "when", read_when("Choice", self.when))
        # Not a set: its order, and so the coordinate of every option, changes between processes.
        if isinstance(self.options, str | bytes | set | frozenset) or not hasattr(self.options, "__iter__"):
            raise ValueError(f"Choice options={self.options!r} must be a list of options, in a fixed order")
        several = islice(self.options, MOST_LEVELS + 1)  # it may never end
        options = tuple(o.item() if isinstance(o, np.generic) else o for o in several)
        if len(options) > MOST_LEVELS:
            raise ValueError(f"Choice has more than {MOST_LEVELS:,} options; use Int or Float for a range")
        if not options:
            raise ValueError("Choice options are empty; give at least one")
        for option in options:
            if not (option is None or isinstance(option, str | bool | int | float)):
                raise ValueError(f"Choice option {option!r} must be a string, number, bool or None")
            if isinstance(option, float):
                number("Choice option", option)
        if len({(isinstance(o, bool), o) for o in options}) < len(options):
            raise ValueError(f"Choice options {list(options)!r} hold a duplicate; name each option once")
        object.__setattr__(self, "options", options)
        if self.numeric:
            whole = all(isinstance(o, int) for o in options)
            fits, kind = (fits_int32, "int32") if whole else (fits_float32, "float32")
            for option in options:
                if not fits(option):
                    raise ValueError(f"Choice option {option!r} is beyond {kind}; choose another unit")
        if self.ordered is None:
            object.__setattr__(self, "ordered", self.numeric)
        elif not isinstance(self.ordered, bool):
            raise ValueError(f"Choice ordered={self.ordered!r} must be True or False")
        object.__setattr__(self, "default", read_default(self))

    def __repr__(self) -> str:
        return spelled(self)

    @property
    def numeric(self) -> bool:
        """Whether every option is a number. Such a Choice decodes to its options, any other to their indices."""
        return all(isinstance(o, int | float) and not isinstance(o, bool) for o in self.options)

    @property
    def continuous(self) -> bool:
        """Whether the values are real numbers of a range: never."""
        return False

    @property
    def level_values(self) -> tuple:
        """The options, in order."""
        return self.options

    @cached_property
    def level_units(self) -> np.ndarray:
        """The unit coordinates of the options, the middles of equal cells: [L] float32."""
        size = len(self.options)
        return ((np.arange(size) + 0.5) / size).astype(np.float32)

    def to_value(self, unit: float) -> Any:
        """Return the option at a unit coordinate."""
        return self.options[min(int(np.float32(unit) * len(self.options)), len(self.options) - 1)]

    def to_unit(self, value: Any) -> float:
        """Return the unit coordinate of an option; raise ValueError if there is no such option."""
        for index, option in enumerate(self.options):
            if option == value and isinstance(option, bool) == isinstance(value, bool | np.bool_):
                return float(self.level_units[index])
        raise ValueError(f"value {value!r} is not one of {list(self.options)!r}")

    def decode(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the options at unit coordinates: int32 or float32 if all are numbers, else their int32 indices.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        index = self.to_level(unit, xp)
        if not self.numeric:
            return index
        whole = all(isinstance(o, int) for o in self.options)
        return xp.asarray(np.array(self.options, np.int32 if whole else np.float32))[index]

    def to_level(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the int32 indices of the options at unit coordinates.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        size = len(self.options)
        return xp.clip(xp.floor(unit * size), 0, size - 1).astype(np.int32)

    def snap(self, unit: Any, xp: Any = jnp) -> Any:
        """Return the canonical unit coordinates: the middles of the options' cells.

        Args:
            unit: Unit coordinates of any shape.
            xp: `jax.numpy` or `numpy`.
        """
        return xp.asarray(self.level_units)[self.to_level(unit, xp)]
