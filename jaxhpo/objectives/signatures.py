"""Checks of the signature of a user's function, and words of messages about it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def check_signature(argument: str, function: Callable[..., Any], count: int, optional: tuple[str, ...]) -> set[str]:
    """Return the names of the optional parameters that a function takes.

    Args:
        argument: Name of the function in messages, with its parameters: "score(config)".
        function: User's function.
        count: Number of required positional parameters.
        optional: Names of the optional parameters.

    Raises:
        ValueError: if it is not callable, or takes fewer or other parameters.
    """
    name = argument.partition("(")[0]
    if not callable(function):
        raise ValueError(f"{name}={function!r} must be a function {argument}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function in C without a signature
        return set()
    kinds = inspect.Parameter
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    rest = positional[count:] + [p for p in parameters if p.kind == kinds.KEYWORD_ONLY]
    short = len(positional) < count and not any(p.kind == kinds.VAR_POSITIONAL for p in parameters)
    taken = {p.name for p in rest if p.name in optional and p.kind != kinds.POSITIONAL_ONLY}
    if short or any(p.default is p.empty and p.name not in taken for p in rest):
        raise ValueError(f"{name} takes {signature}; it must be {argument}, and may also take {' and '.join(optional)}")
    # Parameters that a partial has set keep their values.
    return taken - set(function.keywords) if isinstance(function, functools.partial) else taken


def say_trials(trials: list[int]) -> str:
    """Return "trial 3", or "trials 3, 5"."""
    return f"{'trial' if len(trials) == 1 else 'trials'} {', '.join(map(str, trials))}"
