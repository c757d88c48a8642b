"""The search space: named dimensions, the conditions under which each is active, and constraints."""

from jaxhpo.space.dimensions import Choice, Dimension, Float, Int
from jaxhpo.space.space import Space, describe

__all__ = ["Choice", "Dimension", "Float", "Int", "Space", "describe"]
