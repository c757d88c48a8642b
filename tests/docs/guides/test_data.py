"""What the guide to data says is so."""

import re
from dataclasses import fields

import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.data import checks, image_folders, paths, splits
from jaxhpo.data.named.sources import SOURCES
from jaxhpo.data.tables import kinds, leaks, plan, targets
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.tuning import DEFAULTS
from tests.docs import pages

PAGE = pages.read("docs/guides/data.md")
WORDS = " ".join(PAGE.split())


def table(titles):
    """Return the rows of the table that has these titles."""
    lines = PAGE[PAGE.index(f"| {titles} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def test_the_options_of_tune_are_told_apart_from_those_of_load():
    (told,) = re.findall(r"`jh.tune` takes (.*?) itself", WORDS)
    assert all(name in DEFAULTS for name in re.findall(r"`(\w+)=`", told))
    assert not {"columns", "header", "kind", "channels", "scale_targets"} & set(DEFAULTS)


def test_the_files_are_those_that_are_read():
    rows = " ".join(first for first, _ in table("data | what it is"))
    assert [suffix for suffix in paths.SUFFIXES if f'{suffix}"' not in rows and f"`{suffix}`" not in rows] == []
    assert all(f'"{name}"' in rows for name in jh.data.names())


def test_the_splits():
    assert (splits.VALID, splits.TEST) == (0.2, 0.2)
    assert "split 60/20/20" in WORDS


def test_the_kinds_of_columns():
    (told,) = re.findall(r"`columns=` says what a column is: (.*?)\. `drop=`", WORDS)
    assert tuple(re.findall(r'"([\w ]+)"', told)) == kinds.KINDS
    assert [kind for kind, *_ in table("kind | which columns | what becomes of it")] == [
        "number",
        "date",
        "text",
        "identifier",
        "category",
    ]
    (told,) = re.findall(r"the only column called (.*?) is taken", WORDS)
    assert tuple(re.findall(r"`(\w+)`", told)) == targets._TARGETS


def test_the_thresholds_of_tables():
    assert f"of {kinds._IDENTIFIER_ROWS} rows or more" in WORDS
    assert kinds._TEXT_WORDS == 3  # three words or more
    assert f"where {kinds._MOSTLY:.0%} of the cells or more are numbers" in WORDS
    assert f"more than {kinds._FEW} do" in WORDS
    assert plan._RARE == 1000  # less than a thousandth
    rare = f"Of more than {plan._FEW} categories, those in fewer than {plan._RARE_ROWS} rows"
    assert rare in WORDS
    assert f"all but the {plan._MOST} most frequent" in WORDS
    assert f"an accuracy or R2 of {leaks._SURE} or more" in WORDS
    assert leaks._SECONDS == 2
    assert f"needs {leaks._LEAST} rows of training and validation data" in WORDS
    assert f"looks at {leaks._ROWS:,} of them at most" in WORDS


@pytest.mark.parametrize("word", ["1,200", "$3.50", "45 %"])
def test_words_that_are_numbers(word):
    from jaxhpo.data.tables.cells import POINT, read_number

    assert f'"{word}"' in WORDS
    assert read_number(word, POINT) is not None


@pytest.mark.parametrize(("word", "order"), [("2020-01-31", "year first"), ("31 Jan 2020", "month by name")])
def test_words_that_are_dates(word, order):
    from jaxhpo.data.tables.cells import read_date

    assert f'"{word}"' in WORDS
    assert read_date(word, order) == (np.datetime64("2020-01-31") - np.datetime64("1970-01-01")).astype(int)


def test_words_that_say_nothing():
    from jaxhpo.data.tables.cells import is_code, says_nothing

    (told,) = re.findall(r'- ("\?".*?) and the like are missing cells', PAGE)
    assert all(says_nothing(word) for word in re.findall(r'"(.*?)"', told))
    assert is_code("01234")


def test_the_options_of_texts():
    told = {name.strip("`"): default for name, _, default in table("option | what it says | default")}
    known = {field.name: field.default for field in fields(jh.TextOptions)}
    assert told == {
        name: f'"{default}"' if isinstance(default, str) else f"{default:,}" for name, default in known.items()
    }


def test_the_files_and_folders_of_images():
    (told,) = re.findall(r"- The files are (.*?)\. Hidden", PAGE)
    assert tuple(re.findall(r"`(\.\w+)`", told)) == image_folders._SUFFIXES
    (told,) = re.findall(r"- (`train`, `test` and `valid` folders.*?), in small", WORDS)
    assert set(re.findall(r"`(\w+)`", told)) == set(image_folders._SPLITS)


def test_when_numbers_are_amounts():
    assert f"more than {checks._MANY} numbers" in WORDS
    for numbers, rows, refused in ((10, 29, True), (10, 30, False), (21, 104, True), (21, 105, False)):
        y = np.arange(rows) % numbers
        if refused:
            with pytest.raises(ValueError, match="read as amounts"):
                checks.read_labels("y", y)
        else:
            checks.read_labels("y", y)


def test_the_metrics_are_the_code_s():
    told = {name.strip("`"): (task, better) for name, task, _, better in table("name | task | what it is | better")}
    better = {"maximize": "higher", "minimize": "lower"}
    assert told == {
        name: (known.task + " (default)" * (name in ("accuracy", "r2")), better[known.direction])
        for name, known in METRICS.items()
    }


def test_the_attributes_of_a_data_set():
    told = {name for names, _ in table("attribute | what it is") for name in re.findall(r"`(\w+)`", names)}
    assert {field.name for field in fields(jh.Dataset)} - {"name"} <= told
    arrays = [np.zeros((2, 3), np.float32), np.zeros(2, np.int32)] * 3
    assert all(hasattr(jh.Dataset("zeros", *arrays, classes=2), name) for name in told)


def test_the_named_data_sets():
    assert {source.valid for source in SOURCES.values()} == {5000}
    assert "5,000 of the training examples are validation data" in WORDS
    assert ", ".join(f"`{name}`" for name in list(SOURCES)[:2]) + f" and `{list(SOURCES)[2]}` are those of" in WORDS
