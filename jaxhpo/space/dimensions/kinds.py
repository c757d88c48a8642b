"""The type of all dimensions, and the place of a value in a dimension."""

from typing import Any

import numpy as np

from jaxhpo.space.dimensions.choice import Choice
from jaxhpo.space.dimensions.real import Float
from jaxhpo.space.dimensions.whole import Int

Dimension = Float | Int | Choice


def place(dimension: Dimension, unit: Any, xp: Any) -> Any:
    """Return the place of the value at a unit coordinate, int32: the value of an Int, else the index of the level."""
    return dimension.decode(unit, xp) if isinstance(dimension, Int) else dimension.to_level(unit, xp)


def place_of(dimension: Dimension, value: Any) -> int:
    """Return the place of a value; raise ValueError if the dimension does not have the value."""
    return int(place(dimension, np.float32(dimension.to_unit(value)), np))
