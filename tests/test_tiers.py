"""The tests' own tools: the cache of compiled programs stays small, and no test is lost unseen."""

import argparse
import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from tests import compiled, tiers
from tests.conftest import part, the_other_parts

ROOT = Path(__file__).parent.parent
REPORT = """<testsuites><testsuite>
<testcase classname="a" name="passed" time="1"/>
<testcase classname="a" name="said" time="1"><system-out>something</system-out></testcase>
<testcase classname="a" name="no data"><skipped message="set TFDS_DATA_DIR to a prepared mnist"/></testcase>
<testcase classname="a" name="lost"><skipped message="no such package"/></testcase>
<testcase classname="a" name="failed"><failure message="wrong"/></testcase>
<testcase classname="a" name="broken"><error message="wrong"/></testcase>
</testsuite></testsuites>"""


def test_what_passed_or_lacks_data_counts(tmp_path):
    report = tmp_path / "default.xml"
    report.write_text(REPORT)
    assert tiers.names(report) == ["a.passed", "a.said", "a.no data"]


@pytest.mark.parametrize(("committed", "code"), [({"default": 3, "rest": 9}, 0), ({"default": 4}, 1), ({"rest": 1}, 1)])
def test_fewer_tests_than_were_committed_fail(committed, code, tmp_path, monkeypatch, capsys):
    (tmp_path / "default.xml").write_text(REPORT)
    (tmp_path / "tiers.json").write_text(json.dumps(committed))
    monkeypatch.setattr(tiers, "COMMITTED", tmp_path / "tiers.json")
    monkeypatch.setattr(tiers, "NEEDED", {"what passes": r"a\.passed"})
    assert tiers.main([str(tmp_path / "default.xml")]) == code
    said = capsys.readouterr()
    assert "default: 3 tests" in said.out
    assert ("default: 3 tests, 4 were committed" in said.err) == (committed.get("default") == 4)


def test_a_kind_without_a_test_in_the_default_tier_fails(tmp_path, monkeypatch, capsys):
    (tmp_path / "default.xml").write_text(REPORT)
    (tmp_path / "tiers.json").write_text('{"default": 3}')
    monkeypatch.setattr(tiers, "COMMITTED", tmp_path / "tiers.json")
    monkeypatch.setattr(tiers, "NEEDED", {"what passes": r"a\.passed", "what fails": r"a\.failed"})
    assert tiers.main([str(tmp_path / "default.xml")]) == 1
    assert capsys.readouterr().err == "default: no test of what fails (a\\.failed); have one of its cases there\n"


@pytest.mark.parametrize("what", ["replay of q_learning", "legal points of gp", "two devices", "texts"])
def test_every_kind_is_needed(what):
    assert any(f"no test of {what} (" in line for line in tiers.lacking([]))


def test_without_a_report_the_usage_is_shown(capsys):
    assert tiers.main([]) == 2
    assert "python -m tests.tiers" in capsys.readouterr().err


def test_every_tier_that_is_counted_is_run_by_ci():
    assert set(json.loads(tiers.COMMITTED.read_text())) == {"default", "rest"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    apart = {re.match(r"\w+", marker)[0] for marker in settings["markers"]} - {"optimized", "sampled", "slow_but_for"}
    ci = (ROOT / ".ci" / "run").read_text()
    assert f'-m "{" or ".join(sorted(apart, reverse=True))}"' in ci
    for marker in apart:
        assert f"not {marker}" in settings["addopts"]


def test_the_programs_that_were_used_last_are_kept(tmp_path):
    for place, (name, size) in enumerate({"old/a": 40, "new/b": 40, "new/c": 40, "old/d": 40}.items()):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(size))
        os.utime(file, (place, place))
    compiled.prune(tmp_path, largest=100)
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == ["c", "d"]
    compiled.prune(tmp_path, largest=0)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_programs_of_another_release_python_or_processor_lie_elsewhere(tmp_path, monkeypatch):
    here = compiled.directory(tmp_path)
    assert here == compiled.directory(tmp_path)
    assert here.parent == tmp_path
    monkeypatch.setattr(compiled, "_processor", lambda: "another")
    assert compiled.directory(tmp_path) != here


class Item:
    """As much of pytest's as a sample needs."""

    def __init__(self, nodeid, *marks):
        self.nodeid, self.marks = nodeid, marks

    def get_closest_marker(self, name):
        return name in self.marks or None


def test_the_parts_of_a_sample_are_the_whole():
    sampled = [Item(f"a.py::test_a[{n}]", "slow", "sampled") for n in range(5)]
    quick, others = Item("a.py::test_a[q]", "sampled"), Item("a.py::test_b[0]", "slow")
    more = [Item(f"a.py::test_c[{n}]", "slow", "sampled") for n in range(2)]
    items = [quick, *sampled, others, *more]
    left_out = [{item.nodeid for item in the_other_parts(items, number, 3)} for number in range(3)]
    assert left_out[0] == {"a.py::test_a[1]", "a.py::test_a[2]", "a.py::test_a[4]", "a.py::test_c[1]"}
    chosen = [{item.nodeid for item in items} - each for each in left_out]
    assert set.intersection(*chosen) == {quick.nodeid, others.nodeid}
    assert set.union(*chosen) == {item.nodeid for item in items}
    assert sum(map(len, chosen)) == 3 * 2 + len(sampled) + len(more)


def test_a_part_is_read():
    assert part("3/4") == (3, 4)
    for wrong in ("4/4", "1", "-1/2", "a/b"):
        with pytest.raises(argparse.ArgumentTypeError, match="must be K/N, such as 0/4, with K below N"):
            part(wrong)
