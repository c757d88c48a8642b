"""Three small studies to the last bit, to compare a tree with an earlier one on the same machine.

    python -m tests.golden record FILE
    python -m tests.golden compare FILE

Bits differ between machines and releases of JAX, hence no test.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxhpo as jh


def texts(count: int = 240) -> tuple[list[str], list[int]]:
    """Return made-up texts in which some words tell the label."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    told = rng.random((count, 12)) < 0.2
    words = np.where(told, labels[:, None], rng.integers(2, 40, (count, 12)))
    return [" ".join(f"word{number}" for number in row) for row in words], labels.tolist()


STUDIES = {
    "mlp": {"data": "digits", "model": "mlp", "trials": 24, "lanes": 8, "epochs": 3},
    "cnn": {
        "data": "digits",
        "model": "cnn",
        "trials": 12,
        "lanes": 4,
        "epochs": 3,
        "algorithm": "asha",
        "train_examples": 256,
    },
    "rnn": {"data": texts(), "trials": 8, "lanes": 4, "epochs": 2, "train_examples": 128},
}


def bits(value: Any) -> str:
    """Return a digest of the dtype, shape and bytes of an array."""
    array = np.asarray(value)
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest()[:16]


def study(data: Any, **options: Any) -> dict[str, Any]:
    """Return what a study did: of every trial its configuration, score and arrays, and of the winner its weights."""
    done = jh.tune(data, verbose=False, **{"folds": 1} | options)
    trials = [
        {
            "trial": [trial.trial, trial.budget, trial.source, trial.round, trial.lane],
            "point": bits(trial.point),
            "config": {name: str(value) for name, value in trial.config.items()},
            "score": bits(trial.score),
            "aux": {name: bits(value) for name, value in trial.aux.items()},
        }
        for trial in done.finished
    ]
    model = done.best_model()
    weights = {
        jax.tree_util.keystr(path): bits(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(model.params)
    }
    return {"trials": trials, "weights": weights, "test_score": repr(done.best.test_score)}


def main(arguments: list[str]) -> int:
    """Record or compare; return the exit code."""
    if len(arguments) != 2 or arguments[0] not in ("record", "compare"):
        print(__doc__, file=sys.stderr)
        return 2
    found = {name: study(**options) for name, options in STUDIES.items()}
    path = Path(arguments[1])
    if arguments[0] == "record":
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return 0
    kept = json.loads(path.read_text(encoding="utf-8"))
    different = [name for name in STUDIES if found[name] != kept[name]]
    print(f"different: {', '.join(different)}" if different else f"{len(STUDIES)} studies are the same to the last bit")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
