"""HEBO as it is by default: ordered dimensions as integers, the others as categories."""

# pyright: reportMissingImports=false
# HEBO lies in an environment of its own.

from typing import Any

import numpy as np
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO
from protocol import serve

torch.set_num_threads(1)


class Search:
    """One HEBO study."""

    def __init__(self, *, space: list[dict[str, Any]], seed: int, batch: int, evals: int, method: str):
        del batch, evals, method
        np.random.seed(seed)  # noqa: NPY002 HEBO draws from it
        torch.manual_seed(seed)
        self.names = [each["name"] for each in space]
        dimensions = [
            {"name": each["name"], "type": "int", "lb": 0, "ub": each["size"] - 1}
            if each["ordered"]
            else {"name": each["name"], "type": "cat", "categories": list(range(each["size"]))}
            for each in space
        ]
        self.optimizer = HEBO(DesignSpace().parse(dimensions), scramble_seed=seed)
        self.asked: Any = None

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        self.asked = self.optimizer.suggest(n_suggestions=count)
        return self.asked[self.names].to_numpy().astype(int).tolist()

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last; HEBO leaves out what is not finite."""
        del levels
        self.optimizer.observe(self.asked, np.array(losses, np.float64).reshape(-1, 1))


if __name__ == "__main__":
    serve(Search)
