"""Every problem of `benchmarks.value` whose data are here: their sizes and types, and that no column is the target."""

import os

import numpy as np
import pandas as pd
import pytest

from benchmarks.value.data import texts
from benchmarks.value.problems import PROBLEMS, parts

PREPARED = ("mnist", "cifar10", "imdb")
TABLES = [name for name, problem in PROBLEMS.items() if problem.kind == "table"]


def load(name):
    if name in PREPARED and not os.environ.get("TFDS_DATA_DIR"):
        pytest.skip(f"set TFDS_DATA_DIR to a directory with a prepared {name} to run this")
    try:
        return PROBLEMS[name].load()
    except ModuleNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_sizes_are_those_that_are_listed(name):
    problem, (x, y) = PROBLEMS[name], load(name)
    assert len(x) == len(y) == problem.rows
    assert y.ndim == 1
    if problem.task == "regression":
        assert y.dtype == np.float64
        assert np.isfinite(y).all()
        assert len(np.unique(y)) > 50
        assert problem.classes == 0
    else:
        assert y.dtype.kind in "iU"
        labels, counts = np.unique(y, return_counts=True)
        assert len(labels) == problem.classes
        assert counts.min() >= 20
        assert counts.max() < 0.85 * len(y)  # or nearly every label is the same


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_examples_are_of_their_kind_and_none_is_there_twice(name):
    problem, (x, y) = PROBLEMS[name], load(name)
    if problem.kind == "table":
        assert isinstance(x, pd.DataFrame)
        assert x.shape[1] == problem.columns
        assert list(x.index) == list(range(len(x)))
        assert not x.assign(**{"the target": y}).duplicated().any()
        assert x.notna().any().all()
        assert {kind.kind for kind in x.dtypes} <= set("ifO")
    elif problem.kind == "image":
        assert x.dtype == np.uint8
        assert x.ndim in (3, 4)
        assert np.prod(x.shape[1:]) == problem.columns
        assert len(np.unique(x.reshape(len(x), -1), axis=0)) == len(x)
    else:
        assert isinstance(x, list)
        assert {type(text) for text in x} == {str}
        assert len(set(x)) == len(x)


@pytest.mark.parametrize("name", TABLES)
def test_no_column_is_the_target_or_a_number_of_the_row(name):
    x, y = load(name)
    for column in x:
        values = x[column]
        if PROBLEMS[name].task == "regression" and values.dtype.kind in "if" and values.nunique() > 1:
            assert abs(np.corrcoef(values.fillna(values.mean()), y)[0, 1]) < 0.98, column
        elif PROBLEMS[name].task == "classification" and values.nunique() < 0.05 * len(x):
            most = pd.crosstab(values.astype(str), y).max(axis=1).sum()
            assert most < 0.97 * len(x), column
        if values.dtype.kind == "i":
            assert not (values.diff().iloc[1:] == 1).all(), column
        if values.dtype == object:  # a name of a single thing
            assert values.nunique() < 0.5 * len(x), column


def test_known_rows():
    x, y = load("cars")
    assert y[0] == 18.0
    assert x.iloc[0].tolist() == [8, 307.0, 130, 3504, 12.0, 70, 1]  # a Chevrolet Chevelle Malibu of 1970
    assert load("concrete")[1][0] == 79.99
    assert set(load("cells")[1]) == {"PS", "WS"}
    assert load("birds")[0]["height"].isna().any()  # missing values stay


def test_known_texts():
    x, y = load("headlines")
    assert y[x.index("US duo in first spam conviction")] == "tech"
    x, y = load("food_reviews")
    assert y[x.index("this stuff is  not stuffing  its  not good at all  save your money")] == "other"
    load("tweets")
    x, y = texts.tweets(37_000)  # nearly all
    assert y[x.index("you'll never get me in an autonomous vehicle. Ever. Never. #nope")] == "negative"


def test_a_part_of_a_large_set_is_the_same_on_each_call():
    (x, y), (again, labels) = load("diamonds"), load("diamonds")
    pd.testing.assert_frame_equal(x, again)
    np.testing.assert_array_equal(y, labels)
    assert set(x["cut"]) == {"Fair", "Good", "Very Good", "Premium", "Ideal"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_split_has_every_class_in_both_parts(name):
    load(name)
    made = parts(PROBLEMS[name], 0)
    assert len(made.y_test) == min(PROBLEMS[name].rows // 4, 10_000)
    assert len(made.x_train) == len(made.y_train) == PROBLEMS[name].rows - len(made.y_test)
    if PROBLEMS[name].task == "classification":
        np.testing.assert_array_equal(np.unique(made.y_train), np.unique(made.y_test))
