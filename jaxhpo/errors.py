"""Errors of others, as jaxhpo tells of them: in one line."""

import jax

UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises where Python needs the value of a traced array."""


def first_line(error: BaseException, most: int = 120) -> str:
    """Return the beginning of an error's message, at most so many characters, or its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]
