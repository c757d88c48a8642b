"""How long a small study with folds takes from the start of a process, and what folds cost.

    python -m benchmarks.speed.folds [--quick] [--no-save]

The data are 1,000 of scikit-learn's digits as a table of 32 numbers. A study has 16 trials, two at a time, each of five
folds; everything else is at its default. Every study runs in a process of its own.

- `cold`: `q_learning` with an empty compilation cache. Seconds are from the start of the process until `tune` returns.
- `cost`: `random_search`, which trains the same configurations with five folds and with one training a trial, in turns,
  with programs from the cache. The ratio is of the seconds in which trials train.
"""

import statistics
import tempfile
from typing import Any

from benchmarks.record import parser, save
from benchmarks.speed.process import call

FOLDS = 5
_TRIALS, _REPEATS = 16, 3


def _study(cache: str, *, folds: int, algorithm: str, quick: bool) -> dict[str, Any]:
    trials, epochs = (2, 1) if quick else (_TRIALS, None)
    return call("ours:small_study", cache=cache, folds=folds, algorithm=algorithm, trials=trials, epochs=epochs)


def cold(*, quick: bool) -> dict[str, Any]:
    """Return what a study takes with an empty cache: medians."""
    runs = []
    for _ in range(1 if quick else _REPEATS):
        with tempfile.TemporaryDirectory() as cache:
            runs.append(_study(cache, folds=FOLDS, algorithm="q_learning", quick=quick))
    names = ("seconds_from_process_start", "train", "compile")
    median = {name: statistics.median(run[name] for run in runs) for name in names}
    every = sorted(run["seconds_from_process_start"] for run in runs)
    return {"trials": len(runs[0]["configs"]), **median, "smallest": every[0], "largest": every[-1]}


def cost(*, quick: bool) -> dict[str, Any]:
    """Return how many times as long trials train with folds, and how much more arithmetic they do."""
    seconds: dict[int, list[float]] = {1: [], FOLDS: []}
    last: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(2 if quick else 1 + _REPEATS):
            for folds, each in seconds.items():
                last[folds] = _study(cache, folds=folds, algorithm="random_search", quick=quick)
                if turn:  # the first compiles
                    each.append(last[folds]["train"])
    if last[1]["configs"] != last[FOLDS]["configs"]:
        raise RuntimeError("random_search trained other configurations with folds than without")
    ratios = sorted(several / one for one, several in zip(*seconds.values(), strict=True))
    return {
        "seconds": {str(folds): statistics.median(each) for folds, each in seconds.items()},
        "ratio": statistics.median(ratios),
        "smallest": ratios[0],
        "largest": ratios[-1],
        "arithmetic": last[FOLDS]["total_gflop"] / last[1]["total_gflop"],
    }


def main() -> None:
    """Measure both, and write `results/folds.json`."""
    options = parser(__doc__).parse_args()
    result = {"cold": cold(quick=options.quick), "cost": cost(quick=options.quick)}
    save("folds", result, write=not (options.no_save or options.quick), module="speed.folds")


if __name__ == "__main__":
    main()
