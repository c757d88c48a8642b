"""Which arguments of a traced function have an influence on which of its outputs."""

from collections.abc import Callable
from typing import Any

import jax
from jax.interpreters import partial_eval


class Dependence:
    """A function traced for shapes alone.

    Args:
        function: Function of trees of arrays.
        arguments: Arrays or their shapes.

    Attributes:
        outputs: Shapes of what the function returns.
        program: Its operations.
        constants: Arrays that it has of its own.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        closed, self.outputs = jax.make_jaxpr(function, return_shape=True)(*arguments)
        self.constants = closed.consts
        self.program, self._arguments = closed.jaxpr, jax.tree.structure(arguments)

    def of(self, wanted: Any) -> tuple[Any, ...]:
        """Return for each leaf of the arguments whether it has an influence on a part of the outputs.

        Args:
            wanted: Whether each leaf of `outputs` is in that part.
        """
        _, used = partial_eval.dce_jaxpr(self.program, jax.tree.leaves(wanted))
        return jax.tree.unflatten(self._arguments, used)
