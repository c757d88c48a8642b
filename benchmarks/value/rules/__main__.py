"""Which rule for the winner and for the ensemble is better on test examples, over recorded studies.

    python -m benchmarks.value.rules [FILE.jsonl] [--baseline RULE] [--no-save]

Reads the lines of studies of the tuning half, and the records of what their trials said, which lie in a folder beside
the file. Nothing is trained. `results/value/rules.json` has the mean differences from the baseline, study by study
paired, with 95% intervals over problems, for each method by itself.

The lines and records come from, for example:

    python -m benchmarks.value --half tuning --methods q_learning:trials=16 --seconds 1200 --output FILE.jsonl
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.record import RESULTS, parser, save
from benchmarks.value.methods import training_of
from benchmarks.value.recorded import read
from benchmarks.value.rules.choosing import rules
from benchmarks.value.rules.pool import figures_of, pool_of
from benchmarks.value.rules.variants import compared, shown
from benchmarks.value.run import Line, record_name, records
from benchmarks.value.run import read as read_lines

HALF = "tuning"


def recorded_lines(file: Path) -> list[Line]:
    """Return the lines of studies that did not fail; raise ValueError where none is, or one is of the other half."""
    lines = [line for line in read_lines(file) if training_of(line["method"]) == line["method"]]
    found = [line for line in lines if "error" not in line and (records(file) / record_name(line)).exists()]
    if other := [line["problem"] for line in found if line["half"] != HALF]:
        raise ValueError(f"problem {other[0]!r} is not of the half {HALF!r}, by which rules are chosen; leave it out")
    if not found:
        raise ValueError(f"{file} has no line of a study with a record in {records(file)}; run the studies first")
    return found


def figures(lines: Iterable[Line], folder: Path) -> list[Line]:
    """Return a line of each rule on each study: `rule`, the study's method, and the test score and loss.

    Args:
        lines: of studies.
        folder: of their records.
    """
    found = []
    for line in lines:
        pool = pool_of(read(folder / record_name(line)))
        for name, rule in rules().items():
            weights = rule(pool)
            score, loss = figures_of(pool, weights)
            what = {field: line[field] for field in ("problem", "split")} | {"study": line["method"], "method": name}
            found.append(what | {"score": score, "loss": loss, "trials": int(np.count_nonzero(weights))})
    return found


def main() -> None:
    """Compare the rules on what is recorded."""
    arguments = parser(__doc__)
    default = RESULTS / "value" / "rules.jsonl"
    arguments.add_argument("file", nargs="?", type=Path, default=default, metavar="FILE.jsonl", help="lines of studies")
    arguments.add_argument("--baseline", default="winner", metavar="RULE", help="the rule that others differ from")
    options = arguments.parse_args()
    if options.baseline not in rules():
        arguments.error(f"rule {options.baseline!r} is unknown; known are {', '.join(map(repr, rules()))}")
    try:
        lines = recorded_lines(options.file)
    except ValueError as error:
        arguments.error(str(error))
    lines = lines[:1] if options.quick else lines
    found = figures(lines, records(options.file))
    result = {"baseline": options.baseline, "compared": compared(found, options.baseline)}
    write = not (options.no_save or options.quick)
    save("value/rules", result, write=write, module="value.rules", show=partial(shown, "rule"))


if __name__ == "__main__":
    main()
