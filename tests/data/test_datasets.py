import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits

from jaxhpo.data import Dataset, from_arrays, listing, load, names


def rows_of(dataset):
    return [np.asarray(getattr(dataset, f"x_{split}")) for split in ("train", "valid", "test")]


def test_digits_are_whole_and_split_in_three():
    d = load("digits")
    assert (d.name, d.kind, d.shape, d.classes) == ("digits", "image", (8, 8, 1), 10)
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [1077, 360, 360]
    assert d.x_train.dtype == np.uint8
    assert d.y_train.dtype == np.int32
    ours = np.concatenate([x.reshape(len(x), -1) for x in rows_of(d)])
    labels = np.concatenate([d.y_train, d.y_valid, d.y_test])
    theirs, y = load_digits(return_X_y=True)
    ours, theirs = np.c_[ours, labels], np.c_[theirs, y]
    np.testing.assert_array_equal(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])


def test_splits_are_stratified_and_fixed():
    one, two = load("digits", seed=0), load("digits", seed=1)
    np.testing.assert_array_equal(one.x_valid, two.x_valid)  # studies of different seeds compare
    shares = np.stack([np.bincount(y) / len(y) for y in (one.y_train, one.y_valid, one.y_test)])
    assert np.ptp(shares, axis=0).max() < 0.005


def test_normalisation_is_fitted_on_training_data_alone():
    x = np.arange(40, dtype=np.float64).reshape(20, 2) ** 2
    d = from_arrays(x, [0, 1] * 10)
    np.testing.assert_allclose(d.offset, d.x_train.mean(0), rtol=1e-6)
    np.testing.assert_allclose(d.scale, 1 / d.x_train.std(0), rtol=1e-5)
    assert d.offset.dtype == d.scale.dtype == np.float32
    changed = Dataset(d.name, d.x_train, d.y_train, d.x_valid + 9, d.y_valid, d.x_test + 9, d.y_test, 2)
    np.testing.assert_array_equal(changed.offset, d.offset)


def test_hand_computed_normalisation():
    four = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0], [6.0, 5.0]], np.float32)
    y = np.array([0, 1, 0, 1], np.int32)
    d = Dataset("four", four, y, four, y, four, y, 2)
    np.testing.assert_allclose(d.offset, [3.0, 5.0])
    np.testing.assert_allclose(d.scale, [1 / np.sqrt(5), 1.0])  # a constant column is not divided by zero
    square = four.reshape(4, 2, 1, 1)
    images = Dataset("one", square, y, square, y, square, y, 2)
    assert images.offset.shape == (1, 1, 1)
    np.testing.assert_allclose(images.offset, 4.0)


def test_columns_of_marks_are_not_scaled():
    x = np.zeros((100, 4), np.float32)
    x[:, 0] = np.arange(100)  # a number
    x[0, 1] = x[::2, 2] = 1  # a rare category, and a common one; the last has no example
    y = np.arange(100, dtype=np.int32) % 2
    d = Dataset("marks", x, y, x + 0.5, y, x, y, 2)
    np.testing.assert_allclose(d.offset, [49.5, 0, 0, 0])
    np.testing.assert_allclose(d.scale, [1 / x[:, 0].std(), 1, 1, 1], rtol=1e-6)
    image = Dataset("image", x.reshape(100, 2, 2, 1), y, x.reshape(100, 2, 2, 1), y, x.reshape(100, 2, 2, 1), y, 2)
    np.testing.assert_allclose(image.offset, x.mean())  # of all pixels, whichever they are


def test_take_is_seeded_stratified_and_normalised_anew():
    d = load("digits")
    part = d.take(100)
    assert len(part.y_train) == 100
    assert set(np.bincount(part.y_train)) <= {9, 10, 11}
    np.testing.assert_array_equal(part.x_train, d.take(100).x_train)
    assert not np.array_equal(part.x_train, d.take(100, seed=1).x_train)
    np.testing.assert_array_equal(part.x_valid, d.x_valid)
    np.testing.assert_allclose(part.offset, part.x_train.mean(), rtol=1e-6)
    assert d.take(1077) is d
    assert len(d.take(3).y_train) == 3
    assert len(load("digits", train_examples=50).y_train) == 50


@pytest.mark.parametrize("bad", [0, -5, 2.0, True, "10"])
def test_bad_takes(bad):
    with pytest.raises(ValueError, match=r"train_examples=.* must be an integer of at least 1"):
        load("digits").take(bad)


def test_take_more_than_there_are():
    with pytest.raises(ValueError, match="train_examples=2000 exceeds the 1077 of 'digits'; use at most 1077"):
        load("digits", train_examples=2000)


# --- the user's own arrays ------------------------------------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3


@pytest.mark.parametrize(
    ("x", "y", "kind", "shape"),
    [
        (X, Y, "vector", (4,)),
        (X.tolist(), Y.tolist(), "vector", (4,)),
        (pd.DataFrame(X), pd.Series(Y), "vector", (4,)),
        (pd.DataFrame({"a": X[:, 0], "b": Y, "c": Y > 1}), Y[:, None], "vector", (3,)),
        (X.reshape(60, 2, 2) / 9, Y.astype(float), "image", (2, 2, 1)),
        (X.reshape(60, 2, 2, 1), Y.astype(np.uint8), "image", (2, 2, 1)),
    ],
)
def test_what_arrays_may_be(x, y, kind, shape):
    d = load((x, y))
    assert (d.kind, d.shape, d.classes) == (kind, shape, 3)
    assert [len(part) for part in (d.y_train, d.y_valid, d.y_test)] == [36, 12, 12]
    assert d.x_train.dtype == np.float32


@pytest.mark.parametrize("counts", [(5, 5), (5, 6), (5, 400), (7, 5, 33), (5,) * 40])
def test_every_class_stands_in_every_split(counts):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.arange(len(y), dtype=np.float32)[:, None]
    for seed in range(10):
        d = from_arrays(x, y, seed=seed)
        for part in (d.y_train, d.y_valid, d.y_test):
            assert set(part.tolist()) == set(range(len(counts)))
        np.testing.assert_array_equal(np.sort(np.concatenate(rows_of(d)), axis=0), x)  # disjoint, and nothing lost


def test_the_seed_splits_arrays():
    assert np.array_equal(load((X, Y), seed=1).x_test, load((X, Y), seed=1).x_test)
    assert not np.array_equal(load((X, Y), seed=1).x_test, load((X, Y), seed=2).x_test)


def test_bytes_stay_bytes():
    d = from_arrays(np.full((60, 3, 3), 200, np.uint8), Y)
    assert d.x_train.dtype == np.uint8


def with_value(array, value, row=7):
    array = np.array(array, dtype=object if isinstance(value, str) else np.float64)
    array[row] = value
    return array


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:50], Y, "x has 50 examples and y 60; give one label an example"),
        (X[:0], Y[:0], "x is empty, of shape (0, 4)"),
        (X[:, 0], Y, "x has shape (60,); give [N, features]"),
        (X[:, :, None, None, None], Y, "x has shape (60, 4, 1, 1, 1)"),
        (with_value(X, np.nan), Y, "x holds nan first in row 7; fill or drop such rows"),
        (with_value(X, -np.inf), Y, "x holds -inf first in row 7"),
        (with_value(X, 1e300), Y, "x holds a number beyond float32 first in row 7"),
        (with_value(X, "red"), Y, "x has dtype object, not numbers; encode text and categories first"),
        (X.astype(str), Y, "not numbers"),
        (X.astype(complex), Y, "x has dtype complex128, not numbers"),
        ([[1.0], [1.0, 2.0]], Y, "x has rows of different lengths"),
        (X, Y + 0.5, "y holds 0.5 in row 0, not a whole number"),
        (X, with_value(Y, np.nan), "y holds nan first in row 7"),
        (X, with_value(Y, "cat"), "y holds 0 in row 0, not a text; fill or drop such rows, or give numbers alone"),
        (None, Y, "x of type NoneType is not an array; give a dense array, a list or a table"),
        (X, None, "y of type NoneType is not an array"),
        (csr_matrix(X), Y, "x of type csr_matrix is not an array; give a dense array"),
        (X, Y * 0, "y holds the single class 0; give at least two"),
        (X, np.eye(3)[Y], "y has shape (60, 3), one-hot rows; give the class of each row: y.argmax(1)"),
        (X, with_value(Y * 0, 1), "y: only class 0 has 3 examples or more; a split in three needs two such"),
    ],
)
def test_bad_arrays(x, y, message):
    with pytest.raises(ValueError) as error:
        load((x, y))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("digit", "dataset 'digit' is unknown; did you mean 'digits'? known are digits, mnist"),
        ("MNIST", "dataset 'MNIST' is unknown; did you mean 'mnist'?"),
        ("nothing like it", "dataset 'nothing like it' is unknown; known are"),
        (X, "data of type ndarray must be a name, a file or folder, a tuple (x, y), a DataFrame, or a Dataset"),
        ((X,), "data of type tuple must be"),
        (None, "data of type NoneType must be"),
    ],
)
def test_bad_data(data, message):
    with pytest.raises(ValueError) as error:
        load(data)
    assert message in str(error.value)


def test_the_listing_names_every_data_set():
    columns, rows = listing()
    assert [row[0] for row in rows] == names() == ["digits", "mnist", "cifar10", "imdb"]
    assert all(len(row) == len(columns) for row in rows)


def test_repr():
    assert repr(load("digits")) == ("Dataset('digits', image (8, 8, 1), 10 classes, 1077/360/360 train/valid/test)")


@pytest.mark.slow
def test_loading_digits_does_not_import_tfds():
    code = "import sys; from jaxhpo.data import load; load('digits'); print('tensorflow_datasets' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_valid": np.zeros((4, 3), np.float32)}, "x_valid has shape (4, 3); give [N, features]"),
        ({"x_train": np.zeros((4, 2, 2), np.float32)}, "x_valid has shape (4, 2); give [N, features], [N, steps, feat"),
        ({"x_train": np.zeros((4, 2, 2, 2, 2), np.float32)}, "x_train has shape (4, 2, 2, 2, 2); give [N, features]"),
        ({"y_test": np.zeros(3, np.int32)}, "y_test must be int32 labels [4], one or more, not int32 (3,)"),
        ({"y_test": np.zeros(4)}, "y_test must be int32 labels [4], one or more, not float64 (4,)"),
        ({"y_train": np.array([0, 1, 2, 1], np.int32)}, "y_train has labels 0 .. 2, outside 0 .. 1"),
        ({"x_train": [[0.0, 0.0]] * 4}, "x_train is list; give a numpy array of numbers, or use from_arrays"),
        ({"x_test": np.array([["a", "b"]] * 4)}, "x_test is <U1; give a numpy array of numbers"),
        ({"y_valid": None}, "y_valid is NoneType; give a numpy array of numbers"),
        ({"x_valid": np.full((4, 2), np.inf)}, "x_valid holds nan or infinite values; fill or drop such rows"),
        ({"classes": 1}, "classes=1 must be an integer of at least 2"),
        ({"classes": 2.0}, "classes=2.0 must be an integer of at least 2"),
    ],
)
def test_a_dataset_made_by_hand_is_checked(change, message):
    x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1], np.int32)
    splits = {f"x_{s}": x for s in ("train", "valid", "test")} | {f"y_{s}": y for s in ("train", "valid", "test")}
    splits["classes"] = 2
    assert Dataset("mine", **splits).kind == "vector"
    with pytest.raises(ValueError) as error:
        Dataset("mine", **(splits | change))
    assert message in str(error.value)
