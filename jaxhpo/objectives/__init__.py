"""A user's own objective: a traceable function that trains in lanes, or any Python function, called in processes."""

from jaxhpo.objectives.called import Function, function
from jaxhpo.objectives.traced import Traceable, traceable

__all__ = ["Function", "Traceable", "function", "traceable"]
