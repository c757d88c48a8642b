"""What keeps a release of JAX right costs, and whether figures that were computed without it stand.

    python -m benchmarks.releases studies [PYTHON ...] [--quick] [--no-save]
    python -m benchmarks.releases kept [PYTHON ...]

Each PYTHON is an interpreter with another release of JAX, and jaxhpo. `studies` trains networks with this interpreter's
release as it is, with jaxhpo's options, and with the others. Every study is a process of its own, in turns, with none
beside it; figures are medians. Scores show whether a release computes these networks wrongly. `kept` searches once more
what `benchmarks.quality` has kept of some methods on some tasks of every family, and compares the regrets.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.record import parser, save

ROOT = Path(__file__).parent.parent
STUDIES = {"mlp": "MLP, digits", "cnn": "CNN, digits", "gru": "GRU, made-up text"}
METHODS = ("random_search", "tpe", "ucb", "cmaes", "gp", "q_learning")
TASKS = (
    *("branin", "hartmann6", "digits_mlp", "hpolib_naval_propulsion"),
    *("nasbench201_cifar10", "digits_conv", "spirals"),
)
AS_IT_IS = "AS_IT_IS"  # in the environment: without the options
_REPEATS = 3


def study(name: str, quick: bool) -> dict[str, Any]:
    """Return what a study took in this process, and how good it was."""
    import jaxhpo as jh
    from benchmarks.speed import tasks

    made = tasks.make("mlp" if name == "cnn" else name, data_dir=None, quick=quick)
    epochs = {"mlp": 20, "cnn": 2, "gru": 2}[name]
    found = jh.tune(
        made.data,
        model="cnn" if name == "cnn" else made.model,
        space=tasks.SPACE,
        trials=4 if quick else 32,
        epochs=1 if quick else epochs,
        cache=False,
        verbose=False,
    )
    scores = found.trials["score"]
    return {
        "compile": found.seconds.compile,
        "train": found.seconds.train,
        "algorithm": found.seconds.algorithm,
        "best": float(scores.max()),
        "mean": float(scores.mean()),
    }


def kept(name: str, quick: bool) -> dict[str, Any]:
    """Return how the regrets of a method's kept runs compare with those that this process computes."""
    import numpy as np

    from benchmarks.quality import ours, store
    from benchmarks.quality.settings import COMPARED_AT, SEQUENTIAL

    (method,) = [method for method in ours.methods() if method.who == name]
    chosen = set(TASKS[:1] if quick else TASKS)
    was = {run.task: run for run in store.load(who=name, lanes=SEQUENTIAL.lanes, task=chosen)}
    now = list(ours.run(was, [SEQUENTIAL], chosen=[method], root=None))
    before, after = (
        np.array([run.regret([COMPARED_AT])[:, 0] for run in runs]) for runs in ([was[r.task] for r in now], now)
    )
    same = sum(a == b for run in now for a, b in zip(run.curves, was[run.task].curves, strict=True))
    return {
        "studies": int(before.size),
        "same to four digits": same,
        "mean regret kept": float(before.mean()),
        "mean regret now": float(after.mean()),
        "standard error of the difference": float((after - before).std(ddof=1) / before.size**0.5),
    }


def alone(python: str, part: str, name: str, as_it_is: bool, quick: bool) -> tuple[str, dict[str, Any]]:
    """Return with which release a part was computed in a process of its own, and what it found."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({AS_IT_IS: "1"} if as_it_is else {})
    command = [python, "-c", f"from benchmarks.releases import tell; tell({part!r}, {name!r}, {quick})"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{python} failed: {done.stderr[-2000:]}")
    release, found = json.loads(done.stdout.splitlines()[-1])
    return release, found


def tell(part: str, name: str, quick: bool) -> None:
    """Print what `alone` reads."""
    import jax

    from jaxhpo import compilation

    if AS_IT_IS in os.environ:
        compilation.FAULTY.clear()
    release = f"jax {jax.__version__}" + (", with options" if compilation.xla_options() else "")
    print(json.dumps([release, {"studies": study, "kept": kept}[part](name, quick)]))


def main() -> None:
    """Measure one part with every release and write `results/releases/PART.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("part", choices=["studies", "kept"])
    arguments.add_argument("pythons", nargs="*", metavar="PYTHON")
    options = arguments.parse_args()
    sides = [(sys.executable, False), *((python, False) for python in options.pythons)]
    if options.part == "studies":
        sides.append((sys.executable, True))
    rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for _ in range(_REPEATS if options.part == "studies" and not options.quick else 1):
        for name in STUDIES if options.part == "studies" else METHODS:
            for python, as_it_is in sides:
                release, row = alone(python, options.part, name, as_it_is, options.quick)
                rows.setdefault(name, {}).setdefault(release, []).append(row)
                print(name, release, row, file=sys.stderr, flush=True)
    sys.argv[1:] = ["PYTHON" if argument in options.pythons else argument for argument in sys.argv[1:]]
    found = {
        name: {
            release: {key: round(statistics.median(run[key] for run in runs), 6) for key in runs[0]}
            for release, runs in releases.items()
        }
        for name, releases in rows.items()
    }
    save(f"releases/{options.part}", {options.part: found}, write=not options.no_save, module="releases")


if __name__ == "__main__":
    main()
