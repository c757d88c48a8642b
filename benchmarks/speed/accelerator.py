"""What a GPU does, in the five minutes of one that is lent by the minute.

    python -m benchmarks.speed.accelerator [--data-dir DIR] [--quick] [--no-save]

The study of 64 trials that `python -m benchmarks.speed` compares, of each model, with an empty compilation cache; one
CNN configuration trained three times, by PyTorch and by plain Flax at its best; steps of an MLP as its lanes grow; and
what asking and telling takes once 96 trials are told. Every part is written to `accelerator.json`, of a GPU in
`results/gpu`, as soon as it is there. `python -m benchmarks.speed` itself compares more and takes far longer.
"""

import os
import tempfile
from typing import Any

from benchmarks import algorithms
from benchmarks.record import parser, save
from benchmarks.speed import tasks
from benchmarks.speed.process import call, spare_memory

CONFIG: dict[str, Any] = {"layers": 2, "units": 32, "batch_size": 64, "learning_rate": 1e-3, "optimizer": "adam"}
"""What PyTorch and Flax train."""

_PENALTIES = {"l1": 0.0, "l2": 0.0, "dropout": 0.1}
_TIMES = 3
_LANES = [1, 64, 1024]
_METHODS, _TOLD, _ROUNDS = ("q_learning", "gp", "tabular_q"), 96, 20


def fresh(function: str, **arguments: Any) -> Any:
    """Return what a function returns in a process of its own, with an empty compilation cache."""
    with tempfile.TemporaryDirectory() as cache:
        return call(function, cache=cache, **arguments)


def main() -> None:
    """Measure and write `accelerator.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("--data-dir", default=os.environ.get("TFDS_DATA_DIR"), help="where the prepared MNIST lies")
    options = arguments.parse_args()
    spare_memory()
    common = {"data_dir": options.data_dir, "quick": options.quick}
    trials, lanes, rounds = (4, [1, 4], 2) if options.quick else (tasks.TRIALS, _LANES, _ROUNDS)
    result: dict[str, Any] = {"trials": trials, "studies": {}, "asking": {}}

    def keep() -> None:
        save("accelerator", result, write=not options.no_save, module="speed.accelerator", show=lambda _: "")

    for name, title in tasks.TITLES.items():
        done = fresh("ours:study", name=name, trials=trials, **common)
        result["studies"][name] = {"title": title} | {key: done[key] for key in done if key != "configs"}
        keep()
    peers = {"name": "cnn", "configs": [CONFIG | _PENALTIES] * _TIMES} | common
    result["one_configuration"] = {
        "config": CONFIG | _PENALTIES,
        "pytorch_seconds": fresh("torch_peer:run", **peers),
        "flax_seconds": fresh("flax_peer:run", best=True, **peers),
    }
    keep()
    result["lanes"] = fresh("growth:measure", name="mlp", lanes=lanes, epochs=[], units=[], **common)["lanes"]
    keep()
    result["told"] = _TOLD
    for name in _METHODS:
        result["asking"][name] = algorithms.measure(name, 8, rounds, _TOLD)
    save("accelerator", result, write=not options.no_save, module="speed.accelerator")


if __name__ == "__main__":
    main()
