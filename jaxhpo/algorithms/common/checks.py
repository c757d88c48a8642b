"""Checks of arguments for the factories of algorithms."""

from typing import Any

from jaxhpo.machine.bounds import MOST_BUDGET, MOST_LANES, check_count
from jaxhpo.space import Space


def check_common(space: Any, lanes: Any, budget: Any) -> None:
    """Raise ValueError if one of the arguments that all factories share is invalid."""
    if not isinstance(space, Space):
        raise ValueError(f"space={space!r} must be a jaxhpo.Space")
    check_integer("lanes", lanes, 1)
    check_integer("budget", budget, 1, MOST_BUDGET)


def check_integer(name: str, value: Any, least: int, most: int = MOST_LANES) -> None:
    """Raise ValueError if a value is not an integer in [least, most]."""
    check_count(name, value, most, least=least)


def check_number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError if a value is not a number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name}={value!r} must be a number in [{low:g}, {high:g}]")
