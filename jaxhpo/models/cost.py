"""The cost of a network, for plans and reports."""

import itertools
from typing import NamedTuple, Protocol


class Cost(NamedTuple):
    """Arithmetic and memory of one example, for the network's matrix products; elementwise operations are not counted.

    All counted products are part of the network: the implementation adds none.

    Attributes:
        forward: Floating-point operations of the forward pass.
        backward: Floating-point operations of the gradients of weights and of the inputs of all layers but the first.
        held: Numbers that the forward pass keeps for the backward pass.
        workspace: Largest number of further numbers that one layer needs in either pass.
        params: Number of parameters.
        launches: Number of consecutive operations in a training step, which dominate the time of a small network.
    """

    forward: int
    backward: int
    held: int
    workspace: int
    params: int
    launches: int


class Costed(Protocol):
    """A network with a known cost."""

    def cost(self, shape: tuple[int, ...]) -> Cost:
        """Return the cost on examples of a shape."""
        ...


def dense_cost(widths: tuple[int, ...]) -> tuple[int, int, int]:
    """Return forward and backward operations per example, and parameters, of dense layers without input gradient."""
    products = [2 * a * b for a, b in itertools.pairwise(widths)]
    params = sum((a + 1) * b for a, b in itertools.pairwise(widths))
    return sum(products), 2 * sum(products) - products[0], params
