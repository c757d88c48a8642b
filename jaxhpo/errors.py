"""One-line messages for the errors of other libraries."""

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
