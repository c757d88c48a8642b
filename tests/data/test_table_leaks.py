"""Columns that give the answer away: one warning names them, and others are not suspected."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from jaxhpo.data import load
from jaxhpo.data.tables import leaks
from jaxhpo.data.tables.leaks import find_leaks
from jaxhpo.data.tables.plan import Column

ROWS = 200
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(size=(ROWS, 3)).round(3)
LABEL = np.where(NOISE.sum(1) > 0, "yes", "no")
FRAME = pd.DataFrame(NOISE, columns=["a", "b", "c"]).assign(label=LABEL)

SAME = {
    "a word for it": np.where(LABEL == "yes", "paid", "open"),
    "a number for it": (LABEL == "yes") + 0,
    "an amount that is 0 without it": np.where(LABEL == "yes", RANDOM.uniform(1, 9, ROWS), 0),
    "missing without it": np.where(LABEL == "yes", RANDOM.uniform(1, 9, ROWS), np.nan),
    "finer classes": LABEL.astype(object) + RANDOM.choice(["1", "2", "3"], ROWS),
}


@pytest.mark.parametrize("name", SAME)
def test_a_column_that_tells_the_class(name):
    said = (
        "column 'leak' alone gives the target away, on rows not fitted; if it is not known before the target is, leave"
    )
    with pytest.warns(RuntimeWarning, match=said) as warned:
        data = load(FRAME.assign(leak=SAME[name]))
    assert [warning.filename for warning in warned] == [__file__]
    assert any(name.startswith("leak") for name in data.feature_names)  # a warning, no more


def test_columns_that_tell_a_number():
    y = NOISE.sum(1)
    frame = FRAME.drop(columns="label").assign(y=y, cents=100 * y + 7, near=y + 0.01 * NOISE[:, 0])
    with pytest.warns(RuntimeWarning, match=r"each of the columns cents, near gives .*: drop=\['cents', 'near'\]"):
        load(frame, task="regression")
    with pytest.warns(RuntimeWarning, match="each of the columns b, cents, near gives"):  # of one of two targets
        load(frame.assign(z=NOISE[:, 1] * 3), target=["y", "z"], task="regression")
    bent = np.arange(ROWS * 10.0) % 997
    with pytest.warns(RuntimeWarning, match="column 'bent' alone"):  # a tree sees what a line does not
        load(pd.DataFrame({"bent": bent, "other": np.cos(bent * 7.3), "y": np.sin(bent / 200)}), task="regression")


def test_what_is_not_suspected():
    wrong = np.where(np.arange(ROWS) % 50 == 0, "other", LABEL)  # 98% right
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(FRAME.assign(good=wrong))
        load(FRAME.assign(leak=LABEL)[:60])  # 48 rows are too few to tell
        load(FRAME.assign(label=["rare"] * 3 + ["usual"] * 197))
        load(FRAME.assign(label=[f"class {i % 60}" for i in range(ROWS)], a=np.arange(ROWS) % 60))  # too many classes
        load(FRAME.assign(label=np.exp(NOISE.sum(1))), task="regression")


def test_classes_of_one_row_do_not_hide_a_leak():
    y = np.repeat(np.arange(12), [30] * 6 + [1] * 6)
    assert find_leaks([Column("it", "number", parts=("value",))], y[:, None].astype(np.float32), y) == ["it"]


def test_it_ends_in_time(monkeypatch):
    monkeypatch.setattr(leaks, "_SECONDS", 0.1)
    y = RANDOM.integers(0, 2, 2000)
    x = RANDOM.normal(size=(2000, 5000)).astype(np.float32)
    columns = [Column(str(i), "number", parts=("value",)) for i in range(5000)]
    x[:, 1] = y
    begun = time.perf_counter()
    assert find_leaks(columns, x, y) == ["1"]
    assert time.perf_counter() - begun < 5
