"""Count the tests of each tier as they were run; fail where they are fewer than `tests/tiers.json` has, or kinds lack.

    python -m pytest --junitxml=default.xml
    python -m pytest -m "slow or peers or benchmarks" --junitxml=rest.xml
    python -m tests.tiers default.xml rest.xml

A test counts where it passed, or was skipped for want of a data set; one that is skipped for another reason is lost.
The default tier has to have every algorithm, network, engine and kind of data.
"""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from jaxhpo import algorithms

COMMITTED = Path(__file__).with_suffix(".json")

CONTRACT = {
    "legal points": "test_points_are_legal",
    "constant shapes": "test_shapes_are_constant_and_32_bits_wide",
    "replay": "test_replayed_tells_rebuild_the_state_bit_for_bit",
}
NEEDED = {
    **{
        f"{what} of {name}": rf"test_contract\.{test}\[\('{name}', 8\)-"
        for name in algorithms.names()
        for what, test in CONTRACT.items()
    },
    "MLP, side by side": r"test_lanes\.test_healthy_lanes_learn\[mlp-vmap",
    "CNN, in threads": r"test_lanes\.test_healthy_lanes_learn\[cnn-threads",
    "RNN, in threads": r"test_lanes\.test_healthy_lanes_learn\[rnn-threads",
    "DAN": r"test_dan\.test_a_lane_learns",
    "linen module, side by side": r"test_own\.test_a_diverged_lane_fails_alone\[linen-vmap",
    "nnx module, in threads": r"test_own\.test_a_diverged_lane_fails_alone\[nnx-threads",
    "traceable function": r"objectives\.test_traceable\.test_",
    "Python function": r"test_function\.test_a_study_runs",
    "two devices": r"test_chunks\.test_lanes_on_two_devices",
    "probe": r"test_chunks\.test_the_probe",
    "digits": r"test_tune\.test_the_summary_is_json",
    "table": r"test_front_door\.test_a_table_from_end_to_end",
    "images": r"test_front_door\.test_a_folder_of_images",
    "sequences": r"test_sequences\.test_an_own_model_sees",
    "texts": r"test_front_door\.test_texts",
    "prepared data set": r"test_prepared\.test_a_small_mnist",
}
"""What the default tier has to have, and a pattern of a test of it."""


def names(report: Path) -> list[str]:
    """Return the names of the tests of a JUnit report that count."""
    cases = ET.parse(report).getroot().iter("testcase")
    return [f"{case.get('classname')}.{case.get('name')}" for case in cases if _counts(case)]


def lacking(tests: list[str]) -> list[str]:
    """Return a line for each thing that the default tier has to have and has not."""
    return [
        f"default: no test of {what} ({pattern}); have one of its cases there"
        for what, pattern in NEEDED.items()
        if not any(re.search(pattern, test) for test in tests)
    ]


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
    tests = {Path(report).stem: names(Path(report)) for report in reports}
    found = {tier: len(cases) for tier, cases in tests.items()}
    for tier, number in found.items():
        print(f"{tier}: {number:,} tests ({committed.get(tier, 0):,} committed)")
    wrong = compare(found, committed) + (lacking(tests["default"]) if "default" in tests else [])
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong or set(found) - set(committed) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
