"""Which hyperparameters have an effect: what a traced function computes from each."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.interpreters import partial_eval

from jaxhpo.objectives.static_groups import Shapes
from jaxhpo.space import Space

Fixed = Mapping[str, Any]
"""Static values by name."""


class Traced(NamedTuple):
    """A traced function.

    Attributes:
        aux: Shapes of the results of one lane other than the score.
        used: Hyperparameters from which the score or aux is computed, those that are traced.
        uses_budget: Whether either is computed from the budget.
        jaxpr: The computation of both, without what does not reach them.
        constants: The arrays in it.
    """

    aux: Shapes
    used: frozenset[str]
    uses_budget: bool
    jaxpr: Any
    constants: Sequence[Any]


def trace(lanes: Callable[..., Any], first: tuple[Any, Any, Any], values: Mapping[str, Any]) -> Traced:
    """Trace a function with shapes only.

    Args:
        lanes: Function of key, trials, budgets and the values of hyperparameters, in their order -> scores, aux;
            [1, ...] each, but for the key.
        first: Shapes and dtypes of key, trials and budgets.
        values: Those of the hyperparameters by name.
    """
    closed, (_, aux) = jax.make_jaxpr(lanes, return_shape=True)(*first, *values.values())
    jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
    shapes = {name: jax.ShapeDtypeStruct(value.shape[1:], value.dtype) for name, value in aux.items()}
    names = frozenset(name for name, reaches in zip(values, used[len(first) :], strict=True) if reaches)
    return Traced(shapes, names, used[2], jaxpr, closed.consts)


def without_effect(space: Space, static: Sequence[str], traces: Sequence[tuple[Fixed, Traced]]) -> list[str]:
    """Return the hyperparameters that change nothing in any of the traced combinations of static values.

    A static one changes something where two combinations that differ in nothing else give different computations.

    Args:
        space: Search space.
        static: Hyperparameters that the function gets as Python values.
        traces: Combinations of static values, and what was traced with them.
    """
    idle = []
    for name, dimension in space.items():
        if len(dimension.level_values) == 1:  # a constant
            continue
        if name not in static:
            if not any(name in traced.used for _, traced in traces):
                idle.append(name)
            continue
        alike: dict[str, list[Traced]] = {}
        for fixed, traced in traces:
            alike.setdefault(repr([fixed[other] for other in static if other != name]), []).append(traced)
        if all(_equal(one, other) for group in alike.values() for one, other in itertools.pairwise(group)):
            idle.append(name)
    return idle


def all_combinations(space: Space, static: Sequence[str], most: int) -> list[dict[str, Any]] | None:
    """Return all combinations of static values; None if there are more than `most`."""
    values = [space[name].level_values for name in static]
    if not all(values) or math.prod(map(len, values)) > most:
        return None
    return [dict(zip(static, combination, strict=True)) for combination in itertools.product(*values)]


def _equal(one: Traced, other: Traced) -> bool:
    if len(one.constants) != len(other.constants) or str(one.jaxpr) != str(other.jaxpr):
        return False
    return all(_equal_arrays(a, b) for a, b in zip(one.constants, other.constants, strict=True))


def _equal_arrays(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return one.dtype == other.dtype and np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)
    except (AttributeError, TypeError):  # random keys: taken for different, so that nothing is said
        return False
