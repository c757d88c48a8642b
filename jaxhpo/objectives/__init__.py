"""A user's own objective: any traceable function, trained in lanes, or any Python function, called in processes."""

from jaxhpo.objectives.called import Function, function
from jaxhpo.objectives.traced import Traceable, traceable

__all__ = ["Function", "Traceable", "function", "traceable"]
