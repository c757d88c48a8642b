"""The plots of the speed benchmark."""

# pyright: reportMissingImports=false
# matplotlib comes with the extra "benchmarks"; types are checked without it as well.

from pathlib import Path
from typing import Any

SIDES = {
    "jaxhpo": "jaxhpo",
    "jaxhpo_without_compilation": "jaxhpo, compiled",
    "pytorch": "PyTorch",
    "flax_best": "Flax, at its best",
    "flax_usual": "Flax, usual",
}
_COLOURS = ("#1b6ca8", "#7fb3d5", "#d98a3d", "#8e8e8e", "#c4c4c4")


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw each model's seconds of a study above, and its throughput as lanes grow below; write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(results), figsize=(4.2 * len(results), 6.2), squeeze=False)
    for (top, bottom), result in zip(axes.T, results.values(), strict=True):
        seconds = [result["seconds"].get(side, float("nan")) for side in SIDES]
        bars = top.barh(list(SIDES.values()), seconds, color=_COLOURS)
        top.bar_label(bars, [f"{s:.3g} s" for s in seconds], padding=3, fontsize=8)
        top.invert_yaxis()
        top.set_xlim(0, max(seconds) * 1.2)  # room for the labels
        top.set_title(f"{result['title']}\n{result['trials']} trials", fontsize=10)
        top.set_xlabel("seconds of the study")
        rows = result["growth"]["lanes"]
        bottom.plot(
            [row["lanes"] for row in rows], [row["samples_per_second"] for row in rows], "o-", color=_COLOURS[0]
        )
        bottom.set_xscale("log", base=2)
        bottom.set_ylim(0, None)
        bottom.set_xticks([row["lanes"] for row in rows], [str(row["lanes"]) for row in rows])
        bottom.set_xlabel("lanes")
        bottom.set_ylabel("training examples a second")
    for top in axes[0, 1:]:
        top.set_yticklabels([])
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
