"""Checks of arguments for the factories of algorithms."""

from collections.abc import Iterable
from typing import Any

from jaxhpo.compilation import check_switches
from jaxhpo.machine.bounds import MOST_BUDGET, MOST_LANES, check_count
from jaxhpo.space import Space


def check_common(space: Any, lanes: Any, budget: Any) -> None:
    """Raise ValueError if an argument that all factories share is invalid, or JAX cannot run them as it is set."""
    check_switches()
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


def check_studies(studies: Any) -> list[Any]:
    """Return finished studies or journals as a list; raise ValueError if one is neither."""
    remedy = "give a list of finished studies, or of journals that jaxhpo.read_journal read"
    if isinstance(studies, str | bytes) or not isinstance(studies, Iterable):
        raise ValueError(f"studies={studies!r:.80} is no list; {remedy}")
    found = list(studies)
    for one in found:
        if not all(hasattr(one, name) for name in ("space", "direction", "finished")):
            raise ValueError(f"studies hold {one!r:.80}; {remedy}")
    return found
