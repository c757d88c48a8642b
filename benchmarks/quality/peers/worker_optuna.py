"""Optuna: its samplers as they are by default, ordered dimensions as integers, the others as categories.

By default `TPESampler` of Optuna 5 is multivariate and penalises what is running, and `GPSampler` proposes batches by
q-logEI. `CmaEsSampler` draws categories at random.
"""

# pyright: reportMissingImports=false
# Optuna lies in an environment of its own.

from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState
from protocol import serve

optuna.logging.set_verbosity(optuna.logging.ERROR)
SAMPLERS = {"tpe": optuna.samplers.TPESampler, "gp": optuna.samplers.GPSampler, "cmaes": optuna.samplers.CmaEsSampler}


class Search:
    """One Optuna study, kept in memory."""

    def __init__(self, *, space: list[dict[str, Any]], seed: int, batch: int, evals: int, method: str):
        del batch, evals
        self.distributions = {
            each["name"]: IntDistribution(0, each["size"] - 1)
            if each["ordered"]
            else CategoricalDistribution(list(range(each["size"])))
            for each in space
        }
        self.study = optuna.create_study(direction="minimize", sampler=SAMPLERS[method](seed=seed))
        self.asked: list[optuna.trial.Trial] = []

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        self.asked = [self.study.ask(self.distributions) for _ in range(count)]
        return [[int(trial.params[name]) for name in self.distributions] for trial in self.asked]

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last."""
        del levels
        for trial, loss in zip(self.asked, losses, strict=True):
            if loss is None:
                self.study.tell(trial, state=TrialState.FAIL)
            else:
                self.study.tell(trial, loss)


if __name__ == "__main__":
    serve(Search)
