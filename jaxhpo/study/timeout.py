"""How long a search may take, as the user writes it."""

import re
from typing import Any

import numpy as np

_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_LONGEST = 1e9  # a whole number may be beyond float64
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def check_timeout(timeout: float | str | None) -> float | None:
    """Return a timeout in seconds, None where there is none.

    Args:
        timeout: A number of seconds, or a text such as "90s", "5m" or "2h".

    Raises:
        ValueError: if `timeout` is neither, or not above 0.
    """
    seconds: Any = timeout
    if isinstance(timeout, str) and (found := _DURATION.fullmatch(timeout.strip())):
        seconds = float(found[1]) * _UNITS[found[2]]
    number = isinstance(seconds, int | float | np.floating) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds > 0):  # nan is not above 0
        raise ValueError(
            f"timeout={timeout!r} must be a number of seconds above 0, a text such as '5m' or '2h', or None"
        )
    return None if seconds is None else float(min(seconds, _LONGEST))
