"""What the tests take: seconds of the default tier, its share of the lines, the dearest tests; and importing jaxhpo.

    python -m benchmarks.testing [imports] [tiers] [lines] [--no-save]
    REPORTS=DIR bash .ci/run; python -m benchmarks.testing dearest --reports DIR

Each part writes a file of its own. `tiers` runs the default tier three times with an empty cache, each time followed by
a run with a full one. `lines` runs all tests, unless `--whole FILE` has what coverage.py wrote (`--cov=jaxhpo
--cov-report=json:FILE`) of a run of them. `dearest` reads the JUnit reports of every tier. Run nothing beside it.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from benchmarks.record import parser, save

ROOT = Path(__file__).parent.parent
IMPORTS = {"jax, flax.linen": "import jax, flax.linen", "jaxhpo": "import jaxhpo"}
DEAREST = 30
_REPEATS = 3


def imports(quick: bool) -> dict[str, Any]:
    """Return the seconds of imports, in processes of their own, in turns: medians, and the ratio of the medians."""
    seconds: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(1 if quick else 11):
        for name, code in IMPORTS.items():
            timed = f"import time; start = time.perf_counter(); {code}; print(time.perf_counter() - start)"
            done = subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True, cwd=ROOT)
            seconds[name].append(float(done.stdout))
    medians = {name: round(statistics.median(rows), 3) for name, rows in seconds.items()}
    return {"seconds": medians, "ratio": round(medians["jaxhpo"] / medians["jax, flax.linen"], 3)}


def tiers(quick: bool) -> dict[str, Any]:
    """Return the seconds of the default tier, as whole processes, with an empty cache and with a full one."""
    seconds: dict[str, list[float]] = {"first": [], "again": []}
    for _ in range(1 if quick else _REPEATS):
        forget()
        for which in seconds:
            start = time.perf_counter()
            _pytest(["tests/test_space.py"] if quick else [])
            seconds[which].append(round(time.perf_counter() - start, 1))
    return {"seconds": seconds, "medians": {which: statistics.median(rows) for which, rows in seconds.items()}}


def lines(quick: bool, whole: Path | None) -> dict[str, Any]:
    """Return how many lines of `jaxhpo/` the default tier executes, of those that all tests do."""
    few = ["tests/test_space.py"] if quick else []
    with tempfile.TemporaryDirectory() as directory:
        default, made = Path(directory, "default.json"), Path(directory, "whole.json")
        _covered(default, few)
        if whole is None:
            _covered(made, [*few, "-m", ""])
        executed, _ = _read_lines(default)
        all_executed, missing = _read_lines(whole or made)
    return {
        "lines": len(all_executed | missing),
        "whole": len(all_executed),
        "default": len(executed),
        "share_of_whole": round(len(executed & all_executed) / len(all_executed), 4),
    }


def _covered(report: Path, options: list[str]) -> None:
    # The one with little cost, where Python has it.
    core = {"COVERAGE_CORE": "sysmon"} if sys.version_info >= (3, 12) else {}
    _pytest([*options, "--cov=jaxhpo", f"--cov-report=json:{report}", "--cov-report="], core)


def _read_lines(report: Path) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """Return the lines, as file and number, that were executed, and those that were not."""
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    executed, missing = (
        {(file, line) for file, rows in files.items() for line in rows[which]}
        for which in ("executed_lines", "missing_lines")
    )
    return executed, missing


def dearest(reports: Path) -> dict[str, Any]:
    """Return the dearest tests of the JUnit reports in a directory, the runs of a function together; and the totals."""
    functions: dict[str, list[float]] = {}
    seconds = {}
    for report in sorted(reports.glob("*.xml")):
        root = ET.parse(report).getroot()
        seconds[report.stem] = round(sum(float(suite.get("time", 0)) for suite in root.iter("testsuite")))
        for case in root.iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}".partition("[")[0]
            functions.setdefault(name, []).append(float(case.get("time", 0)))
    rows = sorted(((name, len(times), round(sum(times), 1)) for name, times in functions.items()), key=lambda r: -r[2])
    total = sum(map(len, functions.values()))
    return {"tests": total, "seconds": seconds, "dearest": [list(row) for row in rows[:DEAREST]]}


def forget() -> None:
    """Remove what tests have compiled."""
    shutil.rmtree(ROOT / ".pytest_cache" / "d", ignore_errors=True)


def _pytest(options: list[str], environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pytest", "-q", *options]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | (environment or {}), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} fails:\n{done.stdout[-3000:]}")


def main() -> None:
    """Measure the parts that are asked for; each writes its own file, as all of them take long."""
    arguments = parser(__doc__)
    arguments.add_argument("parts", nargs="+", choices=["imports", "tiers", "lines", "dearest"])
    arguments.add_argument("--reports", type=Path, help="directory of JUnit reports, for `dearest`")
    arguments.add_argument("--whole", type=Path, help="coverage of all tests, for `lines`")
    options = arguments.parse_args()
    if "dearest" in options.parts and not (options.reports and list(options.reports.glob("*.xml"))):
        arguments.error(f"--reports {options.reports} must be a directory that has JUnit reports (*.xml)")
    parts = {
        "imports": lambda: imports(options.quick),
        "tiers": lambda: tiers(options.quick),
        "lines": lambda: lines(options.quick, options.whole),
        "dearest": lambda: dearest(options.reports),
    }
    for part in options.parts:
        save(f"testing/{part}", parts[part](), write=not options.no_save, module="testing")


if __name__ == "__main__":
    main()
