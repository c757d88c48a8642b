"""What the tests take: seconds of the default tier, its share of the lines, the dearest tests; and importing jaxhpo.

    python -m benchmarks.testing [imports] [tiers] [--no-save]
    python -m pytest --cov=jaxhpo --cov-report=json:default.json
    python -m pytest -m "" --cov=jaxhpo --cov-report=json:whole.json
    python -m benchmarks.testing lines --reports DIR
    REPORTS=DIR bash .ci/run; python -m benchmarks.testing dearest --reports DIR

Each part writes a file of its own. `tiers` runs the default tier with an empty cache and again with a full one. It adds
the seconds to those that were kept on the same processor with the same versions; run it three times. `lines` reads
`default.json` and `whole.json`, what coverage.py wrote. `dearest` reads the JUnit reports of every tier. Run nothing
beside them.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from benchmarks.record import about, parser, results, save

ROOT = Path(__file__).parent.parent
# They compare the pages with what is measured here, which is written between two runs.
_PAGES = "tests/docs/test_benchmark_pages.py"
IMPORTS = {"jax, flax.linen": "import jax, flax.linen", "jaxhpo": "import jaxhpo"}
DEAREST = 30


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


def tiers(quick: bool, kept: dict[str, Any] | None) -> dict[str, Any]:
    """Return the seconds of the default tier, as whole processes, with an empty cache and again with a full one.

    Args:
        quick: run one file.
        kept: what was measured before, to which the seconds are added where it was on the same machine.
    """
    seconds: dict[str, list[float]] = {"first": [], "again": []}
    if kept and all(kept["measured_on"][name] == value for name, value in about().items()):
        seconds = kept["seconds"]
    forget()
    for which in seconds:
        start = time.perf_counter()
        _pytest(["tests/test_space.py"] if quick else ["--deselect", _PAGES])
        seconds[which].append(round(time.perf_counter() - start, 1))
    return {"seconds": seconds, "medians": {which: statistics.median(rows) for which, rows in seconds.items()}}


def lines(reports: Path) -> dict[str, Any]:
    """Return how many lines of `jaxhpo/` the default tier executes, of those that all tests do."""
    executed, _ = _read_lines(reports / "default.json")
    all_executed, missing = _read_lines(reports / "whole.json")
    return {
        "lines": len(all_executed | missing),
        "whole": len(all_executed),
        "default": len(executed),
        "share_of_whole": round(len(executed & all_executed) / len(all_executed), 4),
    }


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
    """Remove what earlier runs of the tests have compiled."""
    shutil.rmtree(ROOT / ".pytest_cache" / "d", ignore_errors=True)
    for directory in (ROOT / "tests").rglob("__pycache__"):
        shutil.rmtree(directory)


def _pytest(options: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} fails:\n{done.stdout[-3000:]}")


def main() -> None:
    """Measure the parts that are asked for; each writes its own file, as all of them take long."""
    arguments = parser(__doc__)
    arguments.add_argument("parts", nargs="+", choices=["imports", "tiers", "lines", "dearest"])
    arguments.add_argument("--reports", type=Path, help="directory of reports, for `lines` and `dearest`")
    options = arguments.parse_args()
    for part, needed in {"lines": ("default.json", "whole.json"), "dearest": ("*.xml",)}.items():
        for name in needed if part in options.parts else ():
            if options.reports is None or not list(options.reports.glob(name)):
                arguments.error(f"--reports {options.reports} must be a directory that has {name}, for {part}")
    before = results() / "testing" / "tiers.json"
    kept = json.loads(before.read_text(encoding="utf-8")) if before.exists() and not options.quick else None
    parts = {
        "imports": lambda: imports(options.quick),
        "tiers": lambda: tiers(options.quick, kept),
        "lines": lambda: lines(options.reports),
        "dearest": lambda: dearest(options.reports),
    }
    for part in options.parts:
        save(f"testing/{part}", parts[part](), write=not options.no_save, module="testing")


if __name__ == "__main__":
    main()
