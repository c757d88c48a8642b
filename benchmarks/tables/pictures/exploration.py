"""The picture of how `q_learning` explores."""

# pyright: reportMissingImports=false
# matplotlib comes with the extra "benchmarks"; types are checked without it as well.

from pathlib import Path
from typing import Any

from benchmarks.exploration import RULES, without_variance

_READINGS = {
    "high_var_slower": "high_var_slower: k = k₀ / (1 + λV)",
    "high_var_faster": "high_var_faster: k = k₀ + λV",
}
_COLOURS = {"high_var_slower": "#0072b2", "high_var_faster": "#d55e00"}  # of Okabe and Ito: no eye mixes them up
_GREY = "#777777"


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
