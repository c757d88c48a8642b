"""One-line messages: what other libraries' errors say, and what a terminal may be sent."""

import os
import sysconfig
import traceback
from pathlib import Path
from typing import Any

import jax

UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""Errors that JAX raises if Python code needs the value of a traced array."""


def first_line(error: BaseException, most: int = 120) -> str:
    """Return the first line of an error's message, cut to `most` characters, or else the name of its type."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]


def printable(text: str) -> str:
    r"""Return a text in which characters that would steer a terminal are escaped, such as "\x1b" and "\n"."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def place_of(error: BaseException) -> str:
    """Return the last line of the user's own code that an error went through: " (net.py, line 12)", or ""."""
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    others = (str(Path(__file__).parent), *libraries)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(others)]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def check_path(name: str, value: Any) -> Path:
    """Return a path; raise ValueError if `value` is none."""
    if not isinstance(value, str | os.PathLike) or "\0" in os.fspath(value):
        raise ValueError(f"{name}={value!r} must be a path: a string without null characters, or a pathlib.Path")
    return Path(value)
