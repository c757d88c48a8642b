"""The search methods by name."""

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from jaxhpo.algorithms.grid_search import grid_search
from jaxhpo.algorithms.random_search import random_search
from jaxhpo.algorithms.tabular_q import tabular_q
from jaxhpo.space import Space
from jaxhpo.types import Algorithm


class Entry(NamedTuple):
    """One method."""

    factory: Callable[..., Algorithm]
    summary: str  # what it does
    use: str  # when to take it


_ENTRIES = {
    "tabular_q": Entry(
        tabular_q,
        "Q-learning in tables; exploration decays by the variance of Q",
        "to study the agent as it is written",
    ),
    "random_search": Entry(
        random_search,
        "uniform over the whole space",
        "as the baseline, or where trials are cheaper than thought",
    ),
    "grid_search": Entry(
        grid_search,
        "every combination of levels in order, then nothing",
        "where every combination can be afforded",
    ),
}


def names() -> list[str]:
    """Return the registered methods."""
    return list(_ENTRIES)


def summary(name: str) -> str:
    """Return what a method does, in one line."""
    return _entry(name).summary


def use(name: str) -> str:
    """Return when to take a method, in one line."""
    return _entry(name).use


def options(name: str) -> dict[str, Any]:
    """Return a method's options and their defaults."""
    parameters = inspect.signature(_entry(name).factory).parameters
    return {key: p.default for key, p in parameters.items() if key not in ("space", "lanes", "budget")}


def make(name: str, space: Space, *, lanes: int, budget: int = 1, **chosen: Any) -> Algorithm:
    """Return the method of that name for a space.

    Raises:
        ValueError: the name or an option is unknown, or the method refuses its arguments.
    """
    factory = _entry(name).factory
    known = options(name)
    for option in chosen:
        if option not in known:
            hint = _hint(option, known)
            raise ValueError(f"{name} has no option {option!r}; {hint}it takes {', '.join(known) or 'none'}")
    return factory(space, lanes=lanes, budget=budget, **chosen)


def _entry(name: str) -> Entry:
    if not isinstance(name, str) or name not in _ENTRIES:
        raise ValueError(f"algorithm {name!r} is unknown; {_hint(name, _ENTRIES)}known are {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def _hint(word: Any, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, n=1) if isinstance(word, str) else []
    return f"did you mean {near[0]!r}? " if near else ""
