"""How `q_learning` explores: epsilon and the variance that decides how fast it decays, by both readings of the rule.

    python -m benchmarks.exploration [--quick] [--no-save]

Studies of MLPs of the default space on scikit-learn's digits, 96 trials of 5 epochs in 8 lanes, that differ in the rule
and in whether they begin with the shipped prior. Every round: epsilon of its decision, the variance V of Q before it
learns, the rate k that follows from V, and the best validation accuracy after it. Written to `exploration.json`, drawn
in `exploration.png`, where dashed lines are what epsilon does without the variance (lambda = 0).
"""

import math
from typing import Any

import jaxhpo as jh
from benchmarks.record import parser, results, save
from jaxhpo import algorithms
from jaxhpo.algorithms.common.epsilon import VarianceRule
from jaxhpo.study import Study
from jaxhpo.training import Trainer

RULES: tuple[VarianceRule, ...] = ("high_var_slower", "high_var_faster")
PRIORS = {"none": None, "shipped": "shipped"}
_SMALL = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True), "dropout": jh.Float(0.0, 0.5)})
_LANES, _EPOCHS, _TRIALS, _SEED = 8, 5, 96, 0


def run(trainer: Trainer, rule: VarianceRule, prior: str | None, trials: int) -> dict[str, list[float]]:
    """Run a study; return a column for each of what its rounds say, `trials` being those told before the decision."""
    chosen: dict[str, Any] = {"variance_rule": rule, "prior": prior}
    algorithm = algorithms.make("q_learning", trainer.space, lanes=_LANES, budget=trainer.epochs, **chosen)
    study = Study(trainer.space, algorithm, trainer.objective, seed=_SEED).run(trials)
    rounds, best = study.metrics, study.incumbent["score"]
    after = [int(told) for told in rounds["trials"]]
    return {
        "trials": [0, *after[:-1]],
        **{name: [float(f"{value:.6g}") for value in rounds[name]] for name in ("epsilon", "k", "q_variance")},
        "incumbent": [round(float(best[told - 1]), 4) for told in after],
    }


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Return the constants of the schedule, and the rounds of each study by prior and rule."""
    trials, epochs = (2 * _LANES, 1) if quick else (_TRIALS, _EPOCHS)
    trainer = Trainer(
        jh.data.load("digits"), "mlp", _SMALL if quick else None, epochs=epochs, lanes=_LANES, checkpoint="last"
    )
    priors = {"none": None} if quick else PRIORS
    studies = {prior: {rule: run(trainer, rule, given, trials) for rule in RULES} for prior, given in priors.items()}
    defaults = algorithms.options("q_learning")
    constants = {name: defaults[name] for name in ("eps_min", "eps_max", "k_0", "lam")}
    return {"trials": trials, "epochs": epochs, "lanes": _LANES, "seed": _SEED, **constants, "studies": studies}


def without_variance(result: dict[str, Any], told: int) -> float:
    """Return epsilon after so many trials where the variance has no weight: a plain exponential decay."""
    low, high = result["eps_min"], result["eps_max"]
    return low + (high - low) * math.exp(-result["k_0"] * told)


def main() -> None:
    """Measure, and write `results/exploration.json` and `results/exploration.png`."""
    options = parser(__doc__).parse_args()
    result = measure(quick=options.quick)
    save("exploration", result, write=not options.no_save)
    if not options.no_save:
        from benchmarks.tables.pictures.exploration import plot

        plot(result, results() / "exploration.png")


if __name__ == "__main__":
    main()
