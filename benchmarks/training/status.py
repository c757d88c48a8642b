"""The two main jobs from the command line, over several seeds.

    python -m benchmarks.training.status [--seeds 5] [--data-dir DIR] [--quick] [--no-save]

Runs `jaxhpo tune digits` with the default algorithm, `tabular_q` and `random_search`; and, where a directory with a
prepared MNIST is given, `jaxhpo tune mnist --model cnn --train-examples 10000 --trials 32`. Each has processes of its
own, the first with a cold compilation cache.
The winner is picked by validation accuracy; its test accuracy is reported as it is.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import parser, save

_COMMAND = Path(sys.executable).parent / "jaxhpo"


def run(arguments: list[str], cache: str) -> dict:
    """Return what one `jaxhpo ... --json` printed, and its seconds from start to end of the process."""
    start = time.perf_counter()
    environment = os.environ | {"JAXHPO_CACHE_DIR": cache}
    done = subprocess.run(
        [str(_COMMAND), *arguments, "--json"], capture_output=True, text=True, check=True, env=environment
    )
    summary = json.loads(done.stdout)
    return {
        "seed": summary["seed"],
        "validation_accuracy": summary["best"]["score"],
        "test_accuracy": summary["best"]["test_score"],
        "trials": summary["trials"],
        "failed": summary["failed"],
        "process_seconds": round(time.perf_counter() - start, 2),
        "seconds": {name: round(value, 2) for name, value in summary["seconds"].items()},
        "compilations": summary["compilations"],
    }


def main() -> None:
    """Run the jobs and write `results/status.json`."""
    arguments = parser(__doc__)
    arguments.add_argument("--seeds", type=int, default=5, help="seeds 0 .. N - 1 for digits; MNIST runs seed 0 only")
    arguments.add_argument("--data-dir", help="where TFDS data sets lie")
    options = arguments.parse_args()
    short = ["--trials", "8", "--epochs", "1", "--model", "mlp"] if options.quick else []
    result = {}
    with tempfile.TemporaryDirectory() as cache:
        digits = ["tune", "digits", *short]
        for chosen in ([], ["--algorithm", "tabular_q"], ["--algorithm", "random_search"]):
            rows = [run([*digits, *chosen, "--seed", str(seed)], cache) for seed in range(options.seeds)]
            result[" ".join(["jaxhpo tune digits", *chosen])] = rows
        if options.data_dir:
            mnist = ["tune", "mnist", "--model", "cnn", "--train-examples", "10000", "--trials", "32"]
            row = run([*mnist, "--data-dir", options.data_dir, *short], cache)
            result["jaxhpo " + " ".join(mnist)] = [row]
    save("status", {"runs": result}, write=not options.no_save, module="training.status")


if __name__ == "__main__":
    main()
