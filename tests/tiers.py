"""Count the tests of each tier as they were run, and fail where they are fewer than `tests/tiers.json` has.

    python -m pytest --junitxml=default.xml
    python -m pytest -m "slow or benchmarks" --junitxml=rest.xml
    python -m tests.tiers default.xml rest.xml

A test counts where it passed, or was skipped for want of a data set; one that is skipped for another reason is lost.
"""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

COMMITTED = Path(__file__).with_suffix(".json")


def count(report: Path) -> int:
    """Return how many tests of a JUnit report count."""
    return sum(_counts(case) for case in ET.parse(report).getroot().iter("testcase"))


def _counts(case: ET.Element) -> bool:
    outcome = next((part for part in case if part.tag in ("skipped", "failure", "error")), None)
    return outcome is None or (outcome.tag == "skipped" and "_DIR to " in outcome.get("message", ""))


def compare(found: dict[str, int], committed: dict[str, int]) -> list[str]:
    """Return a line for each tier that has fewer tests than were committed."""
    return [
        f"{tier}: {found[tier]} tests, {committed[tier]} were committed; mend them, or say in the commit why they go"
        for tier in committed
        if tier in found and found[tier] < committed[tier]
    ]


def main(reports: list[str]) -> int:
    """Print the counts of some reports, each named after its tier; return the exit code."""
    if not reports:
        print(__doc__, file=sys.stderr)
        return 2
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    found = {Path(report).stem: count(Path(report)) for report in reports}
    for tier, number in found.items():
        print(f"{tier}: {number:,} tests ({committed.get(tier, 0):,} committed)")
    fewer = compare(found, committed)
    print(*fewer, sep="\n", file=sys.stderr, end="\n" if fewer else "")
    return 1 if fewer or set(found) - set(committed) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
