"""What is read of reports of tests and of coverage; and what is compared of releases of JAX."""

import json

import pytest

from benchmarks import record, releases, testing

REPORT = """<testsuites><testsuite time="7.4">
<testcase classname="tests.test_a" name="test_dear[1]" time="2.5"/>
<testcase classname="tests.test_a" name="test_dear[2]" time="1.5"/>
<testcase classname="tests.test_a" name="test_cheap" time="3"/>
</testsuite></testsuites>"""


def test_runs_of_a_function_count_together(tmp_path):
    for tier in ("default", "rest"):
        (tmp_path / f"{tier}.xml").write_text(REPORT)
    found = testing.dearest(tmp_path)
    assert found["tests"] == 6
    assert found["seconds"] == {"default": 7, "rest": 7}
    assert found["dearest"] == [["tests.test_a.test_dear", 4, 8.0], ["tests.test_a.test_cheap", 2, 6.0]]


def test_the_share_of_the_lines_that_all_tests_execute(tmp_path):
    for tier, executed in {"default": [2, 3, 10], "whole": [1, 2, 3, 9]}.items():
        rows = {"executed_lines": executed, "missing_lines": sorted({*range(1, 11)} - {*executed})}
        (tmp_path / f"{tier}.json").write_text(json.dumps({"files": {"a.py": rows}}))
    assert testing.lines(tmp_path) == {"lines": 10, "whole": 4, "default": 3, "share_of_whole": 0.5}


def test_seconds_are_added_to_those_of_the_same_machine(monkeypatch):
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 27.0, 30.0, 31.0, 40.0, 49.0, 50.0, 53.0])
    monkeypatch.setattr(testing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(testing, "_pytest", lambda options: None)
    monkeypatch.setattr(testing, "forget", lambda: None)
    first = testing.tiers(False, None)
    assert first == {"seconds": {"first": [5.0], "again": [2.0]}, "medians": {"first": 5.0, "again": 2.0}}
    second = testing.tiers(False, first | {"measured_on": record.about()})
    assert second["seconds"] == {"first": [5.0, 7.0], "again": [2.0, 1.0]}
    assert second["medians"] == {"first": 6.0, "again": 1.5}
    third = testing.tiers(False, second | {"measured_on": record.about() | {"processor": "another"}})
    assert third["seconds"] == {"first": [9.0], "again": [3.0]}


@pytest.mark.parametrize(
    "arguments", [[], ["dearest"], ["dearest", "--reports", "nowhere"], ["lines", "--reports", "nowhere"], ["unknown"]]
)
def test_what_cannot_be_measured_is_refused(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["x", *arguments])
    with pytest.raises(SystemExit) as stopped:
        testing.main()
    assert stopped.value.code == 2
    assert "nowhere" in capsys.readouterr().err or arguments[-1:] != ["nowhere"]


def test_a_kept_run_is_compared_with_itself():
    found = releases.kept("random_search", quick=True)
    assert found["studies"] == found["same to four digits"] == 20
    assert found["mean regret kept"] == found["mean regret now"] > 0
    assert found["standard error of the difference"] == 0


def test_releases_are_compared_by_medians(monkeypatch, capsys):
    seconds = iter(range(100))

    def alone(python, part, name, as_it_is, quick):
        return f"{python}{', as it is' if as_it_is else ''}", {"train": next(seconds)}

    monkeypatch.setattr(releases, "alone", alone)
    monkeypatch.setattr("sys.argv", ["x", "studies", "/somewhere/python", "--no-save"])
    releases.main()
    out = capsys.readouterr().out
    found = json.loads(out)["studies"]
    assert list(found) == list(releases.STUDIES)
    assert found["mlp"]["/somewhere/python"]["train"] == 1 + 9  # of three
    assert "/somewhere" not in json.loads(out)["measured_on"]["command"]
