"""Labels of any kind: the codes that a network learns, and that they come back as they were given."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo.data import from_arrays, load
from jaxhpo.training.trained.data_spec import DataSpec

ROWS = 30
CODES = np.arange(ROWS) % 3
X = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
X[:, 0] = np.arange(ROWS)  # the row
INTEGERS = np.array([3, 7, 9])


def kept(data):
    """Return the labels of all rows, in their order, as predictions give them back."""
    codes = np.empty(len(X), np.int32)
    for split in ("train", "valid", "test"):
        codes[getattr(data, f"x_{split}")[:, 0].astype(int)] = getattr(data, f"y_{split}")
    spec = DataSpec.of_json(json.loads(json.dumps(DataSpec.of(data).to_json())))  # as a saved model keeps it
    return spec.labels(codes)


GIVEN = {
    "1 and up": (CODES + 1, (1, 2, 3)),
    "far apart": (INTEGERS[CODES], (3, 7, 9)),
    "0 and up": (CODES, None),
    "a sign": (np.where(CODES == 0, -1, 1), (-1, 1)),
    "bytes of size": (INTEGERS[CODES].astype(np.int8), (3, 7, 9)),
    "unsigned, 0 and up": (CODES.astype(np.uint8), None),
    "large": (np.array([0, 1, 2**63], np.uint64)[CODES], (0, 1, 2**63)),
    "floats": ((CODES + 1).astype(np.float32), (1.0, 2.0, 3.0)),
    "floats, 0 and up": (CODES.astype(float), None),
    "bools": (CODES > 0, (False, True)),
    "words": (np.array(["dog", "cat", "emu"])[CODES], ("cat", "dog", "emu")),
    "byte strings": (np.array([b"dog", b"cat", b"emu"])[CODES], ("cat", "dog", "emu")),
}


@pytest.mark.parametrize("name", GIVEN)
def test_labels_come_back_as_they_were_given(name):
    y, names = GIVEN[name]
    data = load((X, y))
    assert data.class_names == names
    assert (data.y_train.dtype, data.y_train.max()) == (np.int32, len(set(y.tolist())) - 1)
    found = kept(data)
    assert found.dtype == y.dtype
    np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize(
    "shape",
    [
        lambda y: y.tolist(),
        lambda y: tuple(y.tolist()),
        lambda y: y[:, None],
        lambda y: y[:, None].tolist(),
        lambda y: y.astype(object),
        lambda y: y.astype(object)[:, None],
        pd.Series,
        lambda y: pd.Series(y, index=np.arange(ROWS)[::-1]),
        lambda y: pd.DataFrame({"label": y}),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Categorical(y),
        lambda y: pd.Series(y).convert_dtypes(),
    ],
)
@pytest.mark.parametrize("name", ["far apart", "bools", "words", "floats, 0 and up"])
def test_labels_in_any_shape(name, shape):
    y, names = GIVEN[name]
    given = shape(y)
    data = load((X, given))
    assert data.class_names == names
    np.testing.assert_array_equal(kept(data), y)
    if name != "floats, 0 and up":  # which pandas makes whole numbers of
        assert kept(data).dtype == y.dtype


@pytest.mark.parametrize("name", ["1 and up", "bools", "words", "floats"])
def test_labels_of_a_table_and_of_a_frame_beside_its_labels(name, tmp_path):
    y, names = GIVEN[name]
    frame = pd.DataFrame({"row": X[:, 0], "other": X[:, 1]})
    whole = frame.assign(kind=y)
    whole.to_csv(tmp_path / "t.csv", index=False)
    together, apart, read = load(whole, target="kind"), load((frame, y)), load(str(tmp_path / "t.csv"), target="kind")
    for data in (together, apart, read):
        assert (data.class_names, data.feature_names) == (names, ("row", "other"))
        np.testing.assert_array_equal(kept(data), y)
    assert kept(apart).dtype == kept(together).dtype == y.dtype
    for split in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(apart, split), getattr(together, split))


def test_categories_of_numbers_stay_numbers():
    data = load(pd.DataFrame({"row": X[:, 0], "kind": pd.Categorical(INTEGERS[CODES])}), target="kind")
    assert data.class_names == (3, 7, 9)
    np.testing.assert_array_equal(kept(data), INTEGERS[CODES])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(3)[CODES], "y has shape (30, 3), one-hot rows; give the class of each row: y.argmax(1)"),
        (np.eye(3, dtype=bool)[CODES], "y has shape (30, 3), one-hot rows; give the class of each row: y.argmax(1)"),
        (np.ones((30, 2)), "y has shape (30, 2); give one label an example, [N]"),
        (np.full((30, 2), "a"), "y has shape (30, 2); give one label an example, [N]"),
        ([["a", "b"]] * 30, "y has shape (30, 2); give one label an example, [N]"),
        ([1, 2, None] * 10, "y holds None first in row 2; fill or drop such rows"),
        (pd.Series([1, 2, None] * 10, dtype="Int64"), "first in row 2; fill or drop such rows"),
        (pd.Series(["a", "b", None] * 10), "in row 2, not a text; fill or drop such rows, or give numbers alone"),
        (np.arange(30), "y holds 30 different numbers in 30 rows, which read as amounts: task='regression'; if they"),
        (np.arange(30) // 2.0, "y holds 15 different numbers in 30 rows, which read as amounts"),
        (
            CODES + 0.5,
            "y holds 0.5 in row 0, not a whole number; give labels that are whole numbers or texts",
        ),
        ([[1], [2, 3]] * 15, "y has rows of different lengths"),
        (pd.to_datetime(["2020-01-01", "2021-01-01"] * 15), "y has dtype datetime64"),
    ],
)
@pytest.mark.parametrize("frame", [False, True])
def test_what_are_no_labels(y, message, frame):
    if frame and "lengths" in message:
        message = "y of type list is no column of labels or targets; give [N]"
    elif frame and "in row 2" in message:  # left out, and said
        assert load((pd.DataFrame(X), y)).notes[0] == "10 rows without a value of 'y' are left out"
        return
    elif frame and not message.startswith("y has shape"):  # a table has words of its own
        message = ""
    with pytest.raises(ValueError) as error:
        load((pd.DataFrame(X) if frame else X, y))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_many_numbers_are_said_to_be_classes():
    y = np.repeat(np.arange(18, 43), 6)
    (note,) = load((np.zeros((len(y), 2)) + y[:, None], y)).notes
    assert note == "the 25 different numbers in y are taken for classes; task='regression' predicts amounts"
    assert load((np.zeros((len(y), 2)) + y[:, None], [f"age {age}" for age in y])).notes == ()


# --- classes of few examples -----------------------------------------------------------------------------------------


def counts(data):
    return [np.bincount(y, minlength=data.classes).tolist() for y in (data.y_train, data.y_valid, data.y_test)]


@pytest.mark.parametrize(
    ("few", "parts", "said"),
    [
        (5, (3, 1, 1), False),
        (4, (2, 1, 1), False),
        (3, (1, 1, 1), False),
        (2, (2, 0, 0), True),
        (1, (1, 0, 0), True),
    ],
)
def test_a_class_of_few_examples(few, parts, said):
    y = np.array(["many"] * 20 + ["rare"] * few + ["some"] * 10)
    x = np.arange(len(y), dtype=np.float32)[:, None]
    for seed in range(5):
        data = load((x, y), seed=seed)
        assert counts(data) == [[12, parts[0], 6], [4, parts[1], 2], [4, parts[2], 2]]
        rows = np.concatenate([data.x_train, data.x_valid, data.x_test])[:, 0]
        assert sorted(rows.tolist()) == x[:, 0].tolist()
        labels = np.concatenate([data.y_train, data.y_valid, data.y_test])
        np.testing.assert_array_equal(np.array(data.class_names)[labels], y[rows.astype(int)])
    note = "class 'rare' has fewer than 3 examples, which are training examples: no score sees them"
    assert data.notes == ((note,) if said else ())
    assert load(pd.DataFrame({"x": x[:, 0], "y": y})).notes == data.notes


def test_all_classes_are_small():
    data = load((np.arange(6.0)[:, None], [0, 0, 0, 1, 1, 1]))
    assert counts(data) == [[1, 1], [1, 1], [1, 1]]


def test_the_rest_is_split_as_without_a_rare_class():
    y = np.arange(40) % 2
    x = np.arange(43.0)[:, None]
    plain, rare = load((x[:40], y)), load((x, np.concatenate([y, [2] * 3])))
    for split in ("train", "valid", "test"):
        found = getattr(rare, f"x_{split}")
        np.testing.assert_array_equal(found[found < 40], getattr(plain, f"x_{split}")[:, 0])


def test_a_part_of_the_training_examples_beside_a_single_one():
    y = np.array([0] * 60 + [1] * 30 + [2])
    for seed in range(5):
        part = load((np.arange(91.0)[:, None], y), train_examples=18, seed=seed)
        found = np.bincount(part.y_train, minlength=3)
        assert found.sum() == 18
        assert abs(found[1] - 6) <= 1  # in proportion
        assert part.classes == 3


def test_several_rare_classes_are_named():
    y = ["a"] * 9 + ["b"] * 9 + [f"c{i}" for i in range(7)]
    (note,) = load((np.arange(25.0)[:, None], y)).notes
    assert note.startswith("the classes 'c0', 'c1', 'c2', 'c3', 'c4' and 2 more have fewer than 3 examples, which are")


def test_a_rare_class_beside_a_test_split():
    y = np.array([0] * 10 + [1] * 10 + [2] * 2 + [3])
    data = from_arrays(np.arange(23.0)[:, None], y, test=(np.zeros((2, 1)), [0, 3]))
    assert counts(data)[:2] == [[8, 8, 1, 1], [2, 2, 1, 0]]
    assert data.notes == ("class 3 has fewer than 2 examples, which are training examples: no score sees them",)


# --- other splits, and frames beside their labels --------------------------------------------------------------------


def test_labels_of_other_splits():
    data = from_arrays(X, INTEGERS[CODES], test=(X[:4], [9, 3, 7, 9]), valid=(X[:1], [7.0]))
    assert (data.y_test.tolist(), data.y_valid.tolist()) == ([2, 0, 1, 2], [1])
    with pytest.raises(ValueError, match="y_test holds the label 8 in row 1, which no training example has"):
        from_arrays(X, INTEGERS[CODES], test=(X[:2], [9, 8]))


def test_a_frame_beside_its_targets():
    frame = pd.DataFrame({"row": X[:, 0], "y": X[:, 1], 5: ["a", "b", "c"] * 10})
    targets = X @ [[1.0, 2.0], [3.0, -1.0]]
    for given in (targets, targets.tolist(), pd.DataFrame(targets, columns=["y", "up"])):
        data = load((frame, given), task="regression", drop="5")
        assert (data.outputs, data.feature_names) == (2, ("row", "y"))
        np.testing.assert_allclose(data.y_train, data.x_train @ [[1.0, 2.0], [3.0, -1.0]], rtol=1e-4, atol=1e-5)


def test_rows_are_paired_by_their_order():
    frame = pd.DataFrame({"row": X[:, 0]}, index=np.arange(ROWS) + 100)
    np.testing.assert_array_equal(kept(load((frame, pd.Series(CODES)))), CODES)  # another index: by order
    with pytest.raises(ValueError, match=r"x and y have the same rows in another order, by their index; give y"):
        load((frame, pd.Series(CODES, index=frame.index).sample(frac=1, random_state=0)))
    with pytest.raises(ValueError, match="column 'y' holds mixed-integer values"):
        load((frame, [1, "a"] * 15))
    with pytest.raises(ValueError, match="x has 30 examples and y 29; give one label or target an example"):
        load((frame, CODES[:29]))
    with pytest.raises(ValueError, match=r"target='y' names a column of a table, and data is a tuple \(x, y\)"):
        load((frame, CODES), target="y")


def test_class_names_are_checked():
    data = load((X, INTEGERS[CODES]))
    with pytest.raises(ValueError, match="class_names holds 2 names, but 'arrays' has 3 classes"):
        dataclasses.replace(data, class_names=(1, 2))
    with pytest.raises(ValueError, match=r"class_names=\(1, 2, None\) must be a tuple of strings, bools or numbers"):
        dataclasses.replace(data, class_names=(1, 2, None))
    with pytest.raises(ValueError, match=r"label_dtype='word' is no dtype"):
        dataclasses.replace(data, label_dtype="word")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a sign", "bools", "unsigned, 0 and up", "byte strings"])
def test_a_saved_model_predicts_labels_as_they_were_given(name, tmp_path):
    y, _ = GIVEN[name]
    space = jh.Space({"learning_rate": jh.Choice((0.1,)), "batch_size": jh.Choice((8,)), "units": jh.Choice((64,))})
    data = from_arrays(X, y, test=(X, y), valid=(X, y))
    study = jh.tune(data, space=space, trials=1, epochs=5, algorithm="random_search", cache=False, verbose=False)
    model = study.best_model()
    predicted = model.predict(X)
    assert predicted.dtype == y.dtype
    assert set(predicted.tolist()) <= set(y.tolist())
    assert np.mean(predicted == y) == pytest.approx(study.best.test_score)
    model.save(tmp_path / "model")
    again = jh.load_model(tmp_path / "model").predict(X)
    assert again.dtype == y.dtype
    np.testing.assert_array_equal(again, predicted)
