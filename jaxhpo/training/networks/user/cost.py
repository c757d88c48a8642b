"""What a user's network costs, read off its traced program."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.extend import core

from jaxhpo.models import Cost


def products(jaxpr: core.Jaxpr) -> float:
    """Return the floating-point operations of a program's matrix products and convolutions; of a branch the dearest.

    A loop whose number of rounds is not known counts once.
    """
    total = 0.0
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name == "dot_general":
            ((contracted, _), _) = parameters["dimension_numbers"]
            out, left = _shape(equation.outvars[0]), _shape(equation.invars[0])
            total += 2.0 * math.prod(out) * math.prod(left[axis] for axis in contracted)
        elif name == "conv_general_dilated":
            out, kernel = _shape(equation.outvars[0]), _shape(equation.invars[1])
            total += 2.0 * math.prod(out) * math.prod(kernel) / kernel[parameters["dimension_numbers"].rhs_spec[0]]
        elif name == "cond":
            total += max(products(branch.jaxpr) for branch in parameters["branches"])
        else:
            rounds = parameters["length"] if name == "scan" else 1
            total += rounds * sum(products(inner) for inner in inner_programs(parameters))
    return total


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def inner_programs(parameters: dict[str, Any]) -> list[core.Jaxpr]:
    """Return the programs in the parameters of an operation, such as a loop's body."""
    found = []
    for value in parameters.values():
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, core.ClosedJaxpr):
                found.append(part.jaxpr)
            elif isinstance(part, core.Jaxpr):
                found.append(part)
    return found


def cost_of(loss: Callable[[Any, Any], Any], params: Any, x: Any, n: int) -> Cost:
    """Return what an example costs in a network.

    Args:
        loss: Weights and a batch -> [], traceable.
        params: The weights, or their shapes.
        x: A batch of n examples, or its shape.
        n: How many those are.
    """
    forward = products(jax.make_jaxpr(loss)(params, x).jaxpr)
    both = products(jax.make_jaxpr(jax.grad(loss))(params, x).jaxpr)
    kept = jax.eval_shape(lambda p, x: jax.vjp(lambda p: loss(p, x), p)[1], params, x)
    weights = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    # What the backward pass keeps holds the weights themselves too.
    held = max(sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(kept)) - weights, 0)
    each = int(np.ceil(held / n))
    return Cost(round(forward / n), round(max(both - forward, 0) / n), each, each, weights, 0)
