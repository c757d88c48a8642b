"""What the page of the plan says is so."""

import re

from jaxhpo.compilation import COMPILERS
from jaxhpo.training.planning import costs, planner
from jaxhpo.training.planning.plan import EARLY, HORIZONS, Bucket, Plan
from jaxhpo.training.planning.resources import Machine
from jaxhpo.training.run.usage import Account
from jaxhpo.training.step import stopping
from tests.docs import pages

PAGE = pages.read("docs/how_it_works/plan.md")
WORDS = " ".join(PAGE.split())


def keys(title):
    (table,) = re.findall(rf"^\| key of `{re.escape(title)}` \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]


def test_the_costs_are_the_source_s():
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if "|" in line]
    table = rows[rows.index(["", "cpu", "gpu", "tpu"]) + 2 :][:8]
    for column, name in enumerate(("cpu", "gpu", "tpu"), 1):
        known = costs._KNOWN[name]
        told = [row[column] for row in table]
        assert (told[0], int(told[1])) == (known.engine, known.lanes)
        seconds = [known.compiling, known.branching, known.launch * 1e6]
        numbers = [*seconds, known.rate / 1e9, known.weight * 1e9, known.cache / 2**20]
        assert [float(cell) for cell in told[2:]] == [round(number, 6) for number in numbers]


def test_the_constants_are_the_code_s():
    assert f"within {HORIZONS['short']} trainings" in WORDS
    assert f'within {HORIZONS["long"]:,} (`"long"`)' in WORDS
    assert Machine().horizon == "short"
    assert f"Up to {EARLY} buckets are compiled from the start" in WORDS
    assert f"{stopping._PATIENCES} times its [patience]" in WORDS
    assert COMPILERS == 2
    assert "in the background, two at a time" in WORDS
    assert f"less than {planner._USEFUL:.0%} of the arithmetic" in WORDS
    assert f"at most {planner._CLASSES} of each are candidates" in WORDS
    assert f"times {costs._SLACK}." in WORDS


def test_the_keys_of_the_summary_are_those_of_the_plan():
    assert sorted(keys('study.summary["plan"]')) == sorted([*Plan._fields, "programs"])
    (told,) = re.findall(r"cheapest first: ([^|]+) \|", PAGE)
    assert re.findall(r"`(\w+)`", told) == list(Bucket._fields)
    assert sorted(keys('study.summary["training"]')) == sorted(["seconds", "trials", "buckets", *Account().report(1.0)])
