"""Scores, losses, paired differences and tables against numbers computed by hand."""

import math

import numpy as np
import pytest

from benchmarks.value import report
from benchmarks.value.comparison import LEAST, check_outputs, compare, loss_of, score_of, sign

LETTERS = np.array(["a", "b"])


def line(problem, split, method, score, loss, **more):
    """Return a line of a small table."""
    what = {"problem": problem, "split": split, "method": method, "seconds": 60.0, "kind": "table", "rows": 150}
    return what | {"half": "tuning", "score": score, "loss": loss, "wall": 10.0, "trials": None} | more


def failed(problem, split, method):
    made = line(problem, split, method, 0, 0)
    return {name: made[name] for name in made if name not in ("score", "loss", "wall")} | {"error": "ValueError: no"}


LINES = [
    line("iris", 0, "hand_written", 0.8, 0.5),
    line("iris", 1, "hand_written", 0.9, 0.4),
    line("iris", 0, "q_learning", 0.9, 0.4, wall=20.0),
    line("iris", 1, "q_learning", 1.0, 0.1, wall=30.0),
    line("news", 0, "hand_written", 0.5, 1.0, kind="text", rows=3000),
    line("news", 0, "q_learning", 0.4, 1.0, kind="text", rows=3000, wall=40.0),
    line("news", 1, "hand_written", 0.5, 1.0, kind="text", rows=3000),
    failed("news", 1, "q_learning") | {"kind": "text", "rows": 3000},
]


def test_accuracy_and_log_loss():
    outputs = np.array([[0.8, 0.2], [0.5, 0.5], [1.0, 0.0]])
    y = np.array(["a", "a", "b"])
    assert score_of(outputs, y, LETTERS) == pytest.approx(2 / 3)
    assert loss_of(outputs[:2], y[:2], LETTERS, 1.0) == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    assert loss_of(outputs[2:], y[2:], LETTERS, 1.0) == pytest.approx(-math.log(LEAST))  # not infinite


def test_a_label_that_training_lacks_is_wrong():
    outputs = np.array([[0.1, 0.9]])
    assert score_of(outputs, np.array(["c"]), LETTERS) == 0
    assert loss_of(outputs, np.array(["c"]), LETTERS, 1.0) == pytest.approx(-math.log(LEAST))


def test_r2_and_the_log_of_the_rmse():
    y = np.array([0.0, 2.0, 4.0])
    outputs = np.array([0.0, 2.0, 1.0])
    assert score_of(outputs, y, None) == pytest.approx(1 - 9 / 8)
    assert loss_of(outputs, y, None, 2.0) == pytest.approx(math.log(math.sqrt(3) / 2))
    assert math.isfinite(loss_of(y, y, None, 2.0))


def test_outputs_are_checked():
    check_outputs(np.ones((3, 2)), 3, LETTERS)
    with pytest.raises(ValueError, match=r"shape \(3,\), not \(3, 2\)"):
        check_outputs(np.ones(3), 3, LETTERS)
    with pytest.raises(ValueError, match="not finite in 1 of 2 places"):
        check_outputs(np.array([1.0, np.nan]), 2, None)


def test_a_problem_is_level_within_one_standard_error():
    assert sign(np.array([0.1, 0.3])) == 1  # 0.2 +- 0.1
    assert sign(np.array([0.1, -0.05])) == 0  # 0.025 +- 0.075
    assert sign(np.array([-0.1, -0.1, -0.1])) == -1  # -0.1 +- 0
    assert [sign(np.array([value])) for value in (0.01, 0.0, -0.01)] == [1, 0, -1]


def test_every_problem_weighs_the_same():
    made = compare([[0.1, 0.3], [-0.1, -0.1, -0.1], [], [0.1, -0.05]], higher=True)
    assert made.mean is not None
    assert made.mean.value == pytest.approx((0.2 - 0.1 + 0.025) / 3)
    assert made.mean.low < made.mean.value < made.mean.high
    assert made[1:] == (1, 1, 1)
    assert compare([[0.1, 0.3]], higher=False)[1:] == (0, 0, 1)
    assert compare([[]], higher=True) == (None, 0, 0, 0)


def test_an_interval_of_equal_differences_has_no_width():
    assert compare([[0.1, 0.1], [0.1, 0.1]], higher=True).mean == pytest.approx((0.1, 0.1, 0.1))


def test_differences_are_of_the_splits_that_both_have_done():
    found = report.differences(LINES, "q_learning", "hand_written", "score")
    assert {name: pytest.approx(row) for name, row in found.items()} == {"iris": [0.1, 0.1], "news": [-0.1]}
    assert report.differences(LINES, "hand_written", "q_learning", "loss")["iris"] == pytest.approx([0.1, 0.3])


def test_methods_beside_the_baseline():
    rows = report.against(LINES, "hand_written").splitlines()
    assert rows[2] == "| hand_written | 0 |  | 0 |  | 2 | 10.0 |  |"
    cells = [cell.strip() for cell in rows[3].split("|")[1:-1]]
    assert cells[0] == "q_learning"
    assert cells[1].startswith("+0.0000 (-0.1000 to +0.1000)")
    assert cells[2] == "1 / 0 / 1"
    assert cells[3].startswith("-0.1000 (")  # the mean of -0.2 and 0
    assert cells[4:] == ["1 / 1 / 0", "2", "30.0", "1"]


def test_problem_by_problem_shows_what_failed():
    rows = report.by_problem(LINES, "score").splitlines()
    assert rows[2:] == ["| iris | 150 | 0.8500 | 0.9500 |", "| news | 3,000 | 0.5000 | 0.4000, 1 failed |"]
    only = report.by_problem([failed("iris", 0, "q_learning")], "score").splitlines()
    assert only[2] == "| iris | 150 | 1 failed |"


def test_what_a_study_says_beside_its_test_score():
    def said(problem, split, score, corrected, test):
        return line(problem, split, "gp", test, 0.0, said={"score": score, "corrected_score": corrected})

    lines = [*LINES, said("iris", 0, 0.9, 0.8, 0.8), said("iris", 1, 0.9, 0.7, 0.8), said("wine", 0, 1.0, None, 0.7)]
    rows = report.honesty(lines).splitlines()
    assert rows[0] == "| method | as it is | corrected for choosing | studies |"
    (row,) = rows[2:]
    # Each problem weighs the same: (.1 + .3) / 2, and of iris alone (0 - .1) / 2.
    assert row.startswith("| gp | +0.2000 (")
    assert "| -0.0500 (" in row
    assert row.endswith("| 2 |")
    page = report.tables(lines, "hand_written")
    assert page.index("### Validation score minus test score") < page.index(report.NOTE_OF_SAID)


def test_the_page_has_each_kind_and_each_number_of_seconds():
    page = report.tables([*LINES, line("iris", 0, "hand_written", 1.0, 0.0) | {"seconds": 240.0}], "hand_written")
    titles = [row for row in page.splitlines() if row.startswith("#")]
    assert titles[:4] == [
        "## 60 seconds, differences from hand_written",
        "### All (2 problems, 2 splits)",
        "### Tables up to 2,000 rows (1 problem, 2 splits)",
        "### Texts (1 problem, 2 splits)",
    ]
    assert "## 240 seconds, differences from hand_written" in titles
