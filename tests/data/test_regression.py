"""Regression, names of classes and features, and splits that the user gives."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from jaxhpo.data import Dataset, from_arrays, load

X = np.random.default_rng(0).normal(size=(50, 3))
Y = X @ [1.0, -2.0, 0.5] + 7


def test_targets_by_hand():
    x, y = np.zeros((4, 1), np.float32) + np.arange(4)[:, None], np.array([1, 3, 5, 7], np.float32)
    d = Dataset("four", x.astype(np.float32), y, x.astype(np.float32), y + 9, x.astype(np.float32), y, None)
    assert (d.task, d.outputs, d.classes, d.kind) == ("regression", 1, None, "vector")
    assert d.target_offset.shape == d.target_scale.shape == ()
    assert d.target_offset.dtype == d.target_scale.dtype == np.float32
    np.testing.assert_allclose(d.target_offset, 4.0)  # of the training targets alone
    np.testing.assert_allclose(d.target_scale, np.sqrt(5))
    assert repr(d) == "Dataset('four', vector (1,), regression, 4/4/4 train/valid/test)"


def test_several_targets():
    y = np.stack([Y, 100 * Y, Y**2], 1)
    d = load((X, y), task="regression")
    assert (d.outputs, d.y_train.shape, d.y_test.shape) == (3, (30, 3), (10, 3))
    assert d.y_train.dtype == np.float32
    np.testing.assert_allclose(d.target_offset, d.y_train.mean(0), rtol=1e-5)
    np.testing.assert_allclose(d.target_scale, d.y_train.std(0), rtol=1e-5)
    flat = dataclasses.replace(
        d,
        y_train=np.stack([d.y_train[:, 0], np.full(30, 2, np.float32)], 1).copy(),
        y_valid=d.y_valid[:, :2],
        y_test=d.y_test[:, :2],
    )
    assert flat.target_scale[1] == 1.0


def test_classification_has_no_offset():
    d = load((X, np.arange(50) % 2))
    assert (d.task, d.outputs, float(d.target_offset), float(d.target_scale)) == ("classification", 2, 0.0, 1.0)


@pytest.mark.parametrize("y", [Y, Y.tolist(), pd.Series(Y), Y[:, None], pd.DataFrame({"price": Y})])
def test_one_target(y):
    d = from_arrays(X, y, task="regression", seed=3)
    assert (d.y_train.shape, d.y_valid.shape, d.y_test.shape) == ((30,), (10,), (10,))
    rows = np.concatenate([d.x_train, d.x_valid, d.x_test]), np.concatenate([d.y_train, d.y_valid, d.y_test])
    np.testing.assert_allclose(rows[0] @ [1.0, -2.0, 0.5] + 7, rows[1], rtol=1e-4)  # pairs stay together
    np.testing.assert_array_equal(np.sort(rows[1]), np.sort(Y.astype(np.float32)))  # and nothing is lost


def test_the_seed_splits_targets():
    one, same, other = (from_arrays(X, Y, task="regression", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.x_test, same.x_test)
    assert not np.array_equal(one.x_test, other.x_test)


def test_a_part_of_the_training_examples():
    d = load((X, Y), task="regression", train_examples=10)
    assert (len(d.y_train), len(d.y_valid), d.task) == (10, 10, "regression")
    np.testing.assert_allclose(d.target_offset, d.y_train.mean(), rtol=1e-5)
    np.testing.assert_array_equal(d.y_train, load((X, Y), task="regression", train_examples=10).y_train)


def test_texts_can_have_targets():
    d = load(([f"word{i % 3} and more" for i in range(20)], np.arange(20.0)), task="regression")
    assert (d.kind, d.task, d.outputs) == ("text", "regression", 1)


def test_five_examples_are_enough():
    d = from_arrays(X[:5], Y[:5], task="regression")
    assert [len(d.y_train), len(d.y_valid), len(d.y_test)] == [3, 1, 1]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, np.full(50, 3.0), "y holds the same number 3.0 in every row; there is nothing to learn"),
        (X, np.stack([Y, Y * 0], 1), "y[:, 1] holds the same number 0.0 in every row"),
        (X, Y + 1e9, "y holds numbers of about 1e+09 that differ too little for float32; subtract their mean"),
        (X[:4], Y[:4], "y has 4 examples; a split in three needs at least 5"),
        (X, Y[:49], "x has 50 examples and y 49; give one target an example"),
        (X, np.where(np.arange(50) == 7, np.nan, Y), "y holds nan first in row 7; fill or drop such rows"),
        (X, np.where(np.arange(50) == 7, 1e300, Y), "y holds a number beyond float32 first in row 7"),
        (X, Y[:, None, None], "y has shape (50, 1, 1); give one number an example, [N], or K of them, [N, K]"),
        (X, ["cheap"] * 50, "not numbers; encode text and categories first"),
    ],
)
def test_bad_targets(x, y, message):
    with pytest.raises(ValueError) as error:
        load((x, y), task="regression")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_targets_that_differ_in_test_examples_alone():
    y, varied = np.zeros(50), from_arrays(X, np.arange(50.0), task="regression")
    y[int(varied.y_test[0])] = 1.0
    with pytest.raises(ValueError, match=r"y holds the same number 0.0 in every training row"):
        from_arrays(X, y, task="regression")


def test_numbers_in_place_of_labels_name_regression():
    with pytest.raises(ValueError, match=r"y holds .* in row 0, not a whole number; .*or task='regression'"):
        load((X, Y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": np.zeros(4)}, "y_test must be float32 targets [4] or [4, K], one or more, alike in all splits"),
        ({"y_test": np.zeros((4, 2), np.float32)}, "not float32 (4, 2)"),
        ({"y_test": np.zeros(3, np.float32)}, "not float32 (3,)"),
        ({"y_train": np.zeros((4, 1, 1), np.float32)}, "y_train must be float32 targets"),
        ({"y_valid": np.full(4, np.nan, np.float32)}, "y_valid holds nan or infinite values"),
        ({"columns": ("a",)}, "columns=('a',) must be those that a table was loaded with, or None"),
        ({"class_names": ("a", "b")}, "class_names holds 2 names, but 'mine' has no classes"),
        ({"feature_names": ("a",)}, "feature_names holds 1 names, but 'mine' has 2 features"),
        ({"feature_names": ["a", "b"]}, "feature_names=['a', 'b'] must be a tuple of strings, or None"),
    ],
)
def test_a_dataset_made_by_hand_is_checked(change, message):
    x, y = np.zeros((4, 2), np.float32), np.arange(4, dtype=np.float32)
    splits = {f"x_{s}": x for s in ("train", "valid", "test")} | {f"y_{s}": y for s in ("train", "valid", "test")}
    assert Dataset("mine", **splits, classes=None, feature_names=("a", "b")).feature_names == ("a", "b")
    with pytest.raises(ValueError) as error:
        Dataset("mine", **(splits | {"classes": None} | change))
    assert message in str(error.value)


# --- names of classes ------------------------------------------------------------------------------------------------

WORDS = [("dog", "cat", "bird")[i % 3] for i in range(30)]


@pytest.mark.parametrize(
    "y",
    [
        WORDS,
        tuple(WORDS),
        np.array(WORDS),
        np.array(WORDS, object),
        pd.Series(WORDS),
        np.array(WORDS)[:, None],
        pd.Series(WORDS, dtype="category"),
        [w.encode() for w in WORDS],
    ],
)
def test_labels_that_are_texts(y):
    d = load((np.arange(30.0)[:, None], y))
    assert d.class_names == ("bird", "cat", "dog")
    assert d.classes == 3
    names = [("dog", "cat", "bird")[int(row) % 3] for row in d.x_test[:, 0]]
    assert [d.class_names[label] for label in d.y_test] == names
    assert d.take(9).class_names == d.class_names


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["cat"] * 30, "y holds the single class 'cat'; give at least two"),
        ([*WORDS[:29], 3], "y holds 3 in row 29, not a text; fill or drop such rows, or give numbers alone"),
        ([*WORDS[:29], None], "y holds None in row 29, not a text"),
        ([*WORDS[:29], ""], "y holds an empty label in row 29; fill or drop such rows"),
        (["cat"] * 28 + ["fish"] * 2, "y: only class 'cat' has 3 examples or more; a split in three needs two such"),
    ],
)
def test_bad_labels_that_are_texts(y, message):
    with pytest.raises(ValueError) as error:
        load((np.arange(30.0)[:, None], y))
    assert message in str(error.value)


def test_a_dataset_counts_its_class_names():
    with pytest.raises(ValueError, match="class_names holds 1 names, but 'arrays' has 3 classes"):
        dataclasses.replace(load((np.arange(30.0)[:, None], WORDS)), class_names=("a",))


# --- splits that the user gives --------------------------------------------------------------------------------------


def test_a_test_split_is_kept_and_a_fifth_held_out():
    x, y = np.arange(40.0)[:, None], np.arange(40) % 2
    d = from_arrays(x[:30], y[:30], test=(x[30:], y[30:]))
    np.testing.assert_array_equal(d.x_test[:, 0], np.arange(30, 40))
    np.testing.assert_array_equal(d.y_test, y[30:])
    assert np.bincount(d.y_train).tolist() == [12, 12]
    assert np.bincount(d.y_valid).tolist() == [3, 3]
    assert sorted([*d.x_train[:, 0], *d.x_valid[:, 0]]) == list(range(30))


def test_all_splits_are_kept():
    x, words = np.arange(30.0)[:, None], np.array(WORDS)
    d = from_arrays(x[:20], words[:20], valid=(x[20:24], words[20:24]), test=(x[24:], words[24:]))
    assert (d.class_names, len(d.y_train)) == (("bird", "cat", "dog"), 20)
    np.testing.assert_array_equal(d.x_valid[:, 0], np.arange(20, 24))
    np.testing.assert_array_equal(d.y_test, [2, 1, 0, 2, 1, 0])


def test_bytes_beside_floats_become_floats():
    x, y = np.arange(20)[:, None], np.arange(20) % 2
    d = from_arrays(x.astype(np.uint8), y, test=(x + 0.5, y))
    assert d.x_train.dtype == d.x_valid.dtype == d.x_test.dtype == np.float32
    assert d.x_test.max() == 19.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"valid": (X, Y)}, "valid= goes with test="),
        ({"test": (X[:, :2], np.arange(50) % 2)}, "x_test has shape (50, 2)"),
        ({"test": (X, np.arange(50) % 3)}, "y_test holds the label 2 in row 2, which no training example has"),
        ({"test": (X, ["a"] * 50)}, "y_test holds texts and the training labels are numbers"),
        ({"test": (["a"] * 50, np.arange(50) % 2)}, "x_test holds texts and x_train numbers"),
        ({"test": (X, np.arange(49) % 2)}, "x_test has 50 examples and y_test 49"),
        ({"test": X}, "test of type ndarray must be a tuple (x, y)"),
        ({"task": "clustering"}, "task='clustering' is unknown; use one of classification, regression"),
    ],
)
def test_bad_splits(options, message):
    with pytest.raises(ValueError) as error:
        from_arrays(X, np.arange(50) % 2, **options)
    assert message in str(error.value)


def test_too_few_to_hold_out():
    with pytest.raises(ValueError, match=r"y_train: only class 0 has 2 examples or more; holding out a fifth need"):
        from_arrays(X[:20], np.arange(20) // 19, test=(X, np.arange(50) % 2))


def test_a_label_that_training_lacks():
    with pytest.raises(ValueError, match="y_test holds the label 'fish' in row 1, which no training example has"):
        from_arrays(np.arange(30.0)[:, None], WORDS, test=([[1.0], [2.0]], ["cat", "fish"]))


@pytest.mark.parametrize("option", [{"target": "y"}, {"task": "regression"}])
def test_options_that_make_no_sense(option):
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}='.*' is for your own data, and 'digits' has its own; leave it out"):
        load("digits", **option)
    with pytest.raises(ValueError, match=f"{name}='.*' is for your own data, and 'arrays' has its own; leave it out"):
        load(from_arrays(X, np.arange(50) % 2), **option)


def test_arrays_have_no_columns():
    with pytest.raises(ValueError, match=r"target='y' names a column of a table, and data is a tuple \(x, y\)"):
        load((X, Y), target="y", task="regression")
