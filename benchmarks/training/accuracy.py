"""What one good configuration reaches on real data, and how long a study of texts takes.

    python -m benchmarks.training.accuracy [mnist cifar10 imdb study] --data-dir DIR [--quick] [--no-save]

Each configuration trains once, in a process of its own with a cold compilation cache, on the training examples but the
5,000 that are held out for validation; the test examples are scored once, after the last epoch. The configurations are
usual ones of the field, and the first that were tried. `study` is 16 configurations of IMDB from the command line.
Each writes a file of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jaxhpo as jh
from benchmarks.record import parser, save

_CNN = {
    "growth": 2,
    "norm": "group",
    "optimizer": "adamw",
    "learning_rate": 0.004,
    "weight_decay": 0.05,
    "schedule": "one_cycle",
    "batch_size": 128,
    "units": 32,
}
TASKS: dict[str, dict[str, Any]] = {
    "mnist": {"model": "cnn", "epochs": 15, "config": _CNN | {"layers": 3, "dropout": 0.3, "crop": 2}},
    "cifar10": {"model": "cnn", "epochs": 25, "config": _CNN | {"layers": 4, "dropout": 0.2, "crop": 4, "flip": 0.5}},
    "imdb": {
        "model": "rnn",
        "epochs": 6,
        "text": {"words": 20_000, "length": 300, "keep": "last"},
        "config": {
            "cell": "gru",
            "bidirectional": True,
            "layers": 1,
            "units": 64,
            "dropout": 0.3,
            "embedding_dropout": 0.3,
            "optimizer": "adamw",
            "learning_rate": 0.003,
            "weight_decay": 0.01,
            "schedule": "one_cycle",
            "clip": 1.0,
            "batch_size": 64,
        },
    },
}
STUDY = "tune imdb --train-examples 5000 --length 200 --epochs 2 --trials 16"


def train(name: str, data_dir: str, quick: bool) -> dict[str, Any]:
    """Train the configuration of a task; return what it reached."""
    task = TASKS[name]
    small: dict[str, Any] = {"epochs": 1, "train_examples": 1000} if quick else {"epochs": task["epochs"]}
    text = jh.TextOptions(**task["text"] | ({"length": 20} if quick else {})) if "text" in task else None
    config = task["config"] | ({"units": 8} if quick else {})
    space = jh.Space({key: jh.Choice((value,)) for key, value in config.items()})
    study = jh.tune(
        name,
        model=task["model"],
        space=space,
        algorithm="random_search",
        trials=1,
        lanes=1,
        data_dir=data_dir,
        text=text,
        checkpoint="last",
        **small,
    )
    seconds = study.summary["seconds"]
    return {
        "test_accuracy": study.best.test_score,
        "validation_accuracy": study.best.score,
        "curve": [round(value, 4) for value in study.finished[0].aux["curve"].tolist()],
        "train_examples": study.summary["train_examples"],
        "gflop_per_second": study.summary["training"]["gflop_per_second"],
        "seconds": {part: round(seconds[part], 1) for part in ("total", "compile", "train")},
    }


def alone(arguments: list[str], *, quick: bool) -> tuple[dict[str, Any], float]:
    """Return what a command prints as JSON in a process, and its seconds from start to end; its cache is cold.

    A quick one takes the user's cache, where images may lie decoded.
    """
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        environment = os.environ | ({} if quick else {"JAXHPO_CACHE_DIR": cache})
        done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        return json.loads(done.stdout), round(time.perf_counter() - start, 1)


def run(name: str, data_dir: str, quick: bool) -> dict[str, Any]:
    """Return what a task's configuration reaches in a process of its own."""
    module = [sys.executable, "-m", "benchmarks.training.accuracy", "--task", name, "--data-dir", data_dir]
    result, seconds = alone([*module, *(["--quick"] if quick else [])], quick=quick)
    return {"config": TASKS[name]["config"], "epochs": TASKS[name]["epochs"], "process_seconds": seconds} | result


def study(data_dir: str, quick: bool) -> dict[str, Any]:
    """Return what the study of texts finds in a process of its own."""
    small = ["--trials", "2", "--epochs", "1", "--length", "20"] if quick else []
    command = [str(Path(sys.executable).parent / "jaxhpo"), *STUDY.split(), *small, "--data-dir", data_dir, "--json"]
    summary, seconds = alone(command, quick=quick)
    best = {"config": summary["best"]["config"], "validation_accuracy": summary["best"]["score"]}
    best["test_accuracy"] = summary["best"]["test_score"]
    return {"command": f"jaxhpo {STUDY}", "process_seconds": seconds, "trials": summary["trials"], "best": best}


def main() -> None:
    """Train each task's configuration and run the study; write `results/accuracy_*.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("parts", nargs="*", help=f"some of {', '.join((*TASKS, 'study'))}; unless given all")
    arguments.add_argument("--data-dir", required=True, help="where TFDS data sets lie")
    arguments.add_argument("--task", choices=TASKS, help="train this one here, and print it")
    options = arguments.parse_args()
    if options.task:
        print(json.dumps(train(options.task, options.data_dir, options.quick)))
        return
    if unknown := set(options.parts) - {*TASKS, "study"}:
        arguments.error(f"unknown {', '.join(unknown)}; use some of {', '.join((*TASKS, 'study'))}")
    for name in options.parts or (*TASKS, "study"):
        found = (
            study(options.data_dir, options.quick) if name == "study" else run(name, options.data_dir, options.quick)
        )
        save(f"accuracy_{name}", found, write=not options.no_save, module="training.accuracy")


if __name__ == "__main__":
    main()
