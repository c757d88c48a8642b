"""Open Source Vizier: the designer behind its algorithm DEFAULT, a Gaussian process with UCB and pure exploration.

Ordered dimensions are integers, the others categories. Every suggestion compiles its programs again; trials are padded
to powers of two and programs cached on disk, so that most of them are found.
"""

# pyright: reportMissingImports=false
# Vizier lies in an environment of its own.

from typing import Any

import jax
from protocol import serve
from vizier import algorithms as vza
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit
from vizier.pyvizier.converters import padding

jax.config.update("jax_compilation_cache_dir", "programs")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class Search:
    """One Vizier study, without its service."""

    def __init__(self, *, space: list[dict[str, Any]], seed: int, batch: int, evals: int, method: str):
        del batch, evals, method
        self.sizes = {each["name"]: each["size"] for each in space}
        problem = vz.ProblemStatement()
        root = problem.search_space.root
        for each in space:
            if each["ordered"]:
                root.add_int_param(each["name"], 0, each["size"] - 1)
            else:
                root.add_categorical_param(each["name"], [str(i) for i in range(each["size"])])
        problem.metric_information.append(vz.MetricInformation("loss", goal=vz.ObjectiveMetricGoal.MINIMIZE))
        padded = padding.PaddingSchedule(num_trials=padding.PaddingType.POWERS_OF_2)
        self.designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(seed), padding_schedule=padded)
        self.asked: list[vz.Trial] = []
        self.told = 0

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        found = self.designer.suggest(count)
        self.asked = [each.to_trial(self.told + i + 1) for i, each in enumerate(found)]
        return [[int(trial.parameters.get_value(name)) for name in self.sizes] for trial in self.asked]

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last."""
        for trial, loss in zip(self.asked, losses, strict=True):
            if loss is None:
                trial.complete(vz.Measurement(), infeasibility_reason="failed")
            else:
                trial.complete(vz.Measurement(metrics={"loss": loss}))
        self.told += len(levels)
        self.designer.update(vza.CompletedTrials(self.asked), vza.ActiveTrials())


if __name__ == "__main__":
    serve(Search)
