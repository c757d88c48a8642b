"""What is read of reports of tests and of coverage; and what is compared of releases of JAX."""

import json

import pytest

from benchmarks import releases, testing

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


def test_the_share_of_the_lines_that_all_tests_execute(tmp_path, monkeypatch):
    def covered(report, options):
        executed = [1, 2, 3, 9] if "-m" in options else [2, 3]
        files = {"a.py": {"executed_lines": executed, "missing_lines": sorted({*range(1, 11)} - {*executed})}}
        report.write_text(json.dumps({"files": files}))

    monkeypatch.setattr(testing, "_covered", covered)
    wanted = {"lines": 10, "whole": 4, "default": 2, "share_of_whole": 0.5}
    assert testing.lines(False, None) == wanted
    covered(tmp_path / "whole.json", ["-m", ""])
    monkeypatch.setattr(testing, "_covered", lambda report, options: "-m" in options or covered(report, options))
    assert testing.lines(False, tmp_path / "whole.json") == wanted


@pytest.mark.parametrize("arguments", [[], ["dearest"], ["dearest", "--reports", "nowhere"], ["unknown"]])
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
    assert found["mlp"]["/somewhere/python"]["train"] == 1 + 9 * 2  # the third of five, each after eight others
    assert "/somewhere" not in json.loads(out)["measured_on"]["command"]
