"""How `q_learning` explores: epsilon and the variance that decides how fast it decays, by both readings of the rule.

    python -m benchmarks.exploration [--quick] [--no-save]

Studies of MLPs of the default space on scikit-learn's digits, 96 trials of 5 epochs in 8 lanes, that differ in the rule
and in whether they begin with the shipped prior. Every round: epsilon of its decision, the variance V of Q before it
learns, the rate k that follows from V, and the best validation accuracy after it. Written to `exploration.json`, drawn
in `exploration.png`, where dashed lines are what epsilon does without the variance (lambda = 0).
"""

# pyright: reportMissingImports=false
# matplotlib comes with the extra "benchmarks"; types are checked without it as well.

import math
from pathlib import Path
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
_READINGS = {
    "high_var_slower": "high_var_slower: k = k₀ / (1 + λV)",
    "high_var_faster": "high_var_faster: k = k₀ + λV",
}
_COLOURS = {"high_var_slower": "#0072b2", "high_var_faster": "#d55e00"}  # of Okabe and Ito: no eye mixes them up
_GREY = "#777777"


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
    trainer = Trainer(jh.data.load("digits"), "mlp", _SMALL if quick else None, epochs=epochs, lanes=_LANES)
    priors = {"none": None} if quick else PRIORS
    studies = {prior: {rule: run(trainer, rule, given, trials) for rule in RULES} for prior, given in priors.items()}
    defaults = algorithms.options("q_learning")
    constants = {name: defaults[name] for name in ("eps_min", "eps_max", "k_0", "lam")}
    return {"trials": trials, "epochs": epochs, "lanes": _LANES, "seed": _SEED, **constants, "studies": studies}


def without_variance(result: dict[str, Any], told: int) -> float:
    """Return epsilon after so many trials where the variance has no weight: a plain exponential decay."""
    low, high = result["eps_min"], result["eps_max"]
    return low + (high - low) * math.exp(-result["k_0"] * told)


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw epsilon and the variance of each decision against the trials told before it; write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.0))
    told = range(result["trials"])
    plain = [without_variance(result, each) for each in told]
    left.plot(told, plain, color=_GREY, linewidth=1.2, linestyle=(0, (5, 3)), label="without the variance: k = k₀")
    for rule in RULES:
        style = {"color": _COLOURS[rule], "marker": "o", "markersize": 3.5, "linewidth": 1.6, "clip_on": False}
        for prior, studies in result["studies"].items():
            rows, line = studies[rule], "-" if prior == "none" else ":"
            if prior == "none":
                left.plot(rows["trials"], rows["epsilon"], linestyle=line, label=_READINGS[rule], **style)
            name = f"{rule}, {'no' if prior == 'none' else prior} prior"
            right.plot(rows["trials"], rows["q_variance"], linestyle=line, label=name, **style)
    left.set_ylim(0, None)
    left.yaxis.set_major_locator(MaxNLocator(5))
    left.set_title("epsilon, no prior", fontsize=10)
    right.set_yscale("log")
    right.set_yticks([0.03, 0.1, 0.3, 1], ["0.03", "0.1", "0.3", "1"])
    right.minorticks_off()
    right.set_title("variance V of Q, as a part of the prior's", fontsize=10)
    for axis in (left, right):
        axis.set_xlim(0, result["trials"])
        axis.set_xlabel("trials told before the decision", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(axis="y", color="#eeeeee", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, and write `results/exploration.json` and `results/exploration.png`."""
    options = parser(__doc__).parse_args()
    result = measure(quick=options.quick)
    save("exploration", result, write=not options.no_save)
    if not options.no_save:
        plot(result, results() / "exploration.png")


if __name__ == "__main__":
    main()
