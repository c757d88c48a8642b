"""Search methods: each a factory that returns an Algorithm of three pure functions."""

from jaxhpo.algorithms.grid_search import grid_search
from jaxhpo.algorithms.random_search import random_search
from jaxhpo.algorithms.registry import make, names, options, summary, use
from jaxhpo.algorithms.tabular_q import tabular_q

__all__ = ["grid_search", "make", "names", "options", "random_search", "summary", "tabular_q", "use"]
