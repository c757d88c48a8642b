"""One-line messages: what other libraries' errors say, and what a terminal may be sent."""

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
