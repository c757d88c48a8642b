"""What a network costs: the numbers that plans and reports are made of."""

import itertools
from typing import NamedTuple, Protocol


class Cost(NamedTuple):
    """Arithmetic and memory of one example, from the network's matrix products; elementwise work is not counted.

    All of the products are the network's own: the implementation adds none.
    """

    forward: int  # floating-point operations
    backward: int  # the gradients of weights and, where an earlier layer needs it, of inputs
    held: int  # numbers kept from the forward pass for the backward pass
    workspace: int  # the most numbers that one layer needs besides, in either pass
    params: int  # numbers
    launches: int  # operations one after the other in a training step: what a small network's time goes to


class Costed(Protocol):
    """A network whose cost is known."""

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return what it costs on examples of a shape."""
        ...


def dense_cost(widths: tuple[int, ...]) -> tuple[int, int, int]:
    """Return forward and backward operations an example and parameters of dense layers; the input needs no gradient."""
    products = [2 * a * b for a, b in itertools.pairwise(widths)]
    params = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    return sum(products), 2 * sum(products) - products[0], params
