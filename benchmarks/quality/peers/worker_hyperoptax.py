"""hyperoptax: its Bayesian search as it is by default, over level indices; it has no categories.

`get_next_params` and `update_state` are pure functions and are compiled here, once for all studies of a space: left as
they are, every call would be.
"""

# pyright: reportMissingImports=false
# hyperoptax lies in an environment of its own.

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hyperoptax import BayesianSearch, DiscreteSpace
from protocol import serve


@cache
def made(sizes: tuple[tuple[str, int], ...], batch: int, evals: int) -> tuple[Any, Callable, Callable]:
    """Return the state of a new search and its two functions."""
    space = {name: DiscreteSpace(tuple(float(i) for i in range(size))) for name, size in sizes}
    state, optimizer = BayesianSearch.init(space, n_max=evals, n_parallel=batch, maximize=False)
    return state, jax.jit(optimizer.get_next_params), jax.jit(optimizer.update_state)


class Search:
    """One hyperoptax study."""

    def __init__(self, *, space: list[dict[str, Any]], seed: int, batch: int, evals: int, method: str):
        del method
        self.names = [each["name"] for each in space]
        sizes = tuple((each["name"], each["size"]) for each in space)
        self.state, self.next_params, self.update = made(sizes, batch, evals)
        self.key = jax.random.key(seed)
        self.asked: Any = None

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        self.key, key = jax.random.split(self.key)
        self.asked = self.next_params(self.state, key)
        columns = [np.asarray(self.asked[name]).reshape(-1)[:count] for name in self.names]
        return np.stack(columns, axis=1).round().astype(int).tolist()

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last; it has no word for a failure, which is told as the worst."""
        finite = [loss for loss in losses if loss is not None]
        worst = max(finite, default=0.0)
        results = jnp.array([worst if loss is None else loss for loss in losses], jnp.float32)
        self.key, key = jax.random.split(self.key)
        told = {name: jnp.asarray(self.asked[name]).reshape(-1)[: len(levels)] for name in self.names}
        self.state = self.update(self.state, key, results, told)


if __name__ == "__main__":
    serve(Search)
