"""What a dimension is, and what the values of one are counted by."""

from typing import Any

import numpy as np

from jaxhpo.space.dimensions.choice import Choice
from jaxhpo.space.dimensions.real import Float
from jaxhpo.space.dimensions.whole import Int

Dimension = Float | Int | Choice


def place(dimension: Dimension, unit: Any, xp: Any) -> Any:
    """Return the number of the value at a unit coordinate, int32: a whole number is its own, others have levels."""
    return dimension.decode(unit, xp) if isinstance(dimension, Int) else dimension.to_level(unit, xp)


def place_of(dimension: Dimension, value: Any) -> int:
    """Return `place` of a value; raise ValueError where the dimension cannot take it."""
    return int(place(dimension, np.float32(dimension.to_unit(value)), np))
