"""What a traced function gets of each hyperparameter: a traced scalar, or a Python value."""

import math
from collections.abc import Iterable

import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Array

MOST_COMBINATIONS = 16
"""How many programs a function may compile for hyperparameters that its user has not named as static."""


def static_names(space: Space, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hyperparameters that arrive as Python values: the named ones, and each Choice that is no number.

    Args:
        space: Search space.
        named: Names that the user gave as static.

    Raises:
        ValueError: if a name is not in the space or is that of a Float; if hyperparameters are static without being
            named, and there are more than 16 combinations.
    """
    for name in named:
        if name not in space:
            raise ValueError(f"static names {name!r}, which is not in the space; it has {', '.join(space)}")
        if isinstance(space[name], Float):
            raise ValueError(
                f"static names {name!r}, a Float, each value of which would be compiled; use a Choice of numbers"
            )
    others = tuple(name for name in space if name not in named and not _is_traced(space, name))
    count = combinations(space, (*named, *others))
    if others and count > MOST_COMBINATIONS:
        raise ValueError(
            f"space has {count} combinations of options that cannot be traced, of {', '.join(others)}, and a program "
            f"is compiled for each; name them in static={(*named, *others)!r} to have as many, or use fewer options"
        )
    return (*named, *others)


def traced_values(space: Space, point: Array) -> dict[str, Array]:
    """Return the traced scalars by name: [D] float32 -> [] each. Those of static hyperparameters have no meaning."""
    decoded = space.decode(point)
    for name, dimension in space.items():
        if isinstance(dimension, Choice) and _is_bools(dimension):
            decoded[name] = jnp.asarray(np.array(dimension.options, bool))[decoded[name]]
    return decoded


def combinations(space: Space, names: Iterable[str]) -> int:
    """Return how many combinations of values some hyperparameters have; none of them is a Float."""
    return math.prod(
        len(dimension.level_values) or (len(dimension.values) if isinstance(dimension, Int) else 1)
        for dimension in map(space.__getitem__, names)
    )


def _is_traced(space: Space, name: str) -> bool:
    dimension = space[name]
    return not isinstance(dimension, Choice) or dimension.numeric or _is_bools(dimension)


def _is_bools(choice: Choice) -> bool:
    return all(isinstance(option, bool) for option in choice.options)
