"""SMAC3: its facade for hyperparameter optimisation by ask and tell, ordered dimensions as integers.

As in its example of ask and tell, the target is said to be deterministic: no configuration is tried again.
"""

# pyright: reportMissingImports=false
# SMAC3 lies in an environment of its own.

from typing import Any

from ConfigSpace import Categorical, ConfigurationSpace, Integer
from protocol import serve
from smac import HyperparameterOptimizationFacade, Scenario
from smac.runhistory import StatusType, TrialInfo, TrialValue


class Search:
    """One SMAC3 study; it writes its files where the process is."""

    def __init__(self, *, space: list[dict[str, Any]], seed: int, batch: int, evals: int, method: str):
        del batch, method
        made = ConfigurationSpace(seed=seed)
        for each in space:
            bounds, options = (0, each["size"] - 1), list(range(each["size"]))
            made.add(Integer(each["name"], bounds) if each["ordered"] else Categorical(each["name"], options))
        self.names = [each["name"] for each in space]
        scenario = Scenario(made, deterministic=True, n_trials=evals, seed=seed)
        self.smac = HyperparameterOptimizationFacade(scenario, lambda config, seed=0: 0.0, overwrite=True)
        self.asked: list[TrialInfo] = []

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        self.asked = [self.smac.ask() for _ in range(count)]
        return [[int(info.config[name]) for name in self.names] for info in self.asked]

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last."""
        del levels
        for info, loss in zip(self.asked, losses, strict=True):
            failed = TrialValue(cost=float("inf"), status=StatusType.CRASHED)
            self.smac.tell(info, failed if loss is None else TrialValue(cost=loss))


if __name__ == "__main__":
    serve(Search)
