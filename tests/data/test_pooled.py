"""Where a split comes from; and what encodes texts and tables: training examples alone, or validation examples too."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from jaxhpo.data import Dataset, TextOptions, from_arrays, from_npz, load
from jaxhpo.data.folds import make_folds
from jaxhpo.data.splits import three_way, two_way

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
TRAIN, VALID, TEST = three_way(Y.astype(np.int32), 0)
ONES = tuple(part[0] for part in (TRAIN, VALID, TEST))
"""A training, a validation and a test row."""

DAYS = pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(20) * 40, "D")


def table(**columns):
    """Return a table of twenty rows, whose split depends on the labels alone."""
    return pd.DataFrame({"size": np.arange(20) % 7, **columns, "label": Y})


def where(rows, value, other):
    """Return a column with a value in some rows, and another one elsewhere."""
    return [value if i in rows else other for i in range(20)]


# --- where a split comes from -----------------------------------------------------------------------------------------


def folder_of_images(root, splits):
    for split in splits:
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for k in range(5):
                Image.fromarray(np.full((4, 3), 9 * k, np.uint8)).save(root / split / name / f"{k}.png")
    return root


def test_loaders_say_that_they_made_the_split(tmp_path):
    np.savez(tmp_path / "whole.npz", x=X, y=Y)
    np.savez(tmp_path / "parts.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    made = [
        load((X, Y)),
        load((X, Y), train_examples=6),
        load((X, Y * 1.5), task="regression", scale_targets=False),
        from_arrays(X, Y, test=(X, Y)),
        from_npz(tmp_path / "whole.npz"),
        load(tmp_path / "parts.npz"),
        load(table()),
        load((table().drop(columns="label"), Y)),
        load(([f"film {i}" for i in range(20)], Y)),
        load(folder_of_images(tmp_path / "whole", [""])),
        load(folder_of_images(tmp_path / "parts", ["train", "test"])),
    ]
    assert [data.split for data in made] == ["made"] * len(made)
    assert dataclasses.replace(made[0], name="mine").split == "made"


def test_a_split_that_the_user_gave_is_given(tmp_path):
    parts = {f"{what}_{part}": a for part in ("train", "valid", "test") for what, a in (("x", X), ("y", Y))}
    np.savez(tmp_path / "parts.npz", **parts)
    by_hand = {name: a.astype(np.float32 if name[0] == "x" else np.int32) for name, a in parts.items()}
    given = [
        from_arrays(X, Y, test=(X, Y), valid=(X, Y)),
        load(tmp_path / "parts.npz"),
        load(folder_of_images(tmp_path / "parts", ["train", "valid", "test"])),
        Dataset("mine", **by_hand, classes=2),
        load(Dataset("mine", **by_hand, classes=2), train_examples=6),
    ]
    assert [data.split for data in given] == ["given"] * len(given)


def test_a_named_data_set_has_a_fixed_split():
    assert load("digits").split == load("digits", train_examples=100).split == "fixed"
    with pytest.raises(ValueError, match="split='mine'") as error:
        dataclasses.replace(load("digits"), split="mine")
    assert str(error.value) == "split='mine' is unknown; use one of given, fixed, made"


# --- tables -----------------------------------------------------------------------------------------------------------


def test_a_category_of_validation_rows_has_a_feature_when_pooled_and_one_of_test_rows_never():
    colours = ["red" if i % 3 else "blue" for i in range(20)]
    colours[ONES[1]], colours[ONES[2]] = "gold", "silver"
    data = load(table(colour=colours))
    assert data.feature_names == ("size", "colour=blue", "colour=red")
    pooled = data.pooled()
    assert pooled.feature_names == ("size", "colour=blue", "colour=gold", "colour=red")
    assert [column.features for column in pooled.columns] == [("size",), pooled.feature_names[1:]]
    for x, rows in ((pooled.x_train, TRAIN), (pooled.x_valid, VALID), (pooled.x_test, TEST)):
        wanted = [[i % 7, *(colours[i] == c for c in ("blue", "gold", "red"))] for i in rows]
        np.testing.assert_array_equal(x, wanted)
    assert (pooled.split, pooled.name, pooled.classes) == ("made", "table", 2)
    for part in ("train", "valid", "test"):
        assert getattr(pooled, f"y_{part}") is getattr(data, f"y_{part}")


def test_medians_marks_constants_and_first_dates_are_those_of_the_pool():
    far = np.arange(20.0)
    far[VALID] = 1000
    gaps = np.where(np.isin(np.arange(20), [*ONES[1:]]), np.nan, far)
    dates = [*DAYS]
    dates[ONES[1]], dates[ONES[2]] = pd.Timestamp(2019, 1, 1), pd.Timestamp(2018, 1, 1)
    frame = table(gap=gaps, day=dates, valid_only=where(VALID, 1, 0), test_only=where(TEST, 1, 0))
    data, pooled = load(frame), load(frame).pooled()
    of, of_pooled = ({column.name: column for column in each.columns} for each in (data, pooled))
    assert not of["gap"].missing
    assert of_pooled["gap"].fill == (np.nanmedian(gaps[np.r_[TRAIN, VALID]]),)
    assert of_pooled["gap"].features == ("gap", "gap is missing")
    assert "valid_only" not in of
    assert of_pooled["valid_only"].features == ("valid_only",)
    assert "test_only" not in {*of, *of_pooled}
    first = {
        name: pd.Timestamp(1970, 1, 1) + pd.to_timedelta(c["day"].first, "D")
        for name, c in {"training": of, "pooled": of_pooled}.items()
    }
    assert first == {"training": DAYS[min(TRAIN)], "pooled": pd.Timestamp(2019, 1, 1)}
    assert "column 'test_only' is left out: the same value in every training and validation row" in pooled.notes
    filled = (
        "column 'gap' is filled by the training and validation median where cells are missing, which a feature marks"
    )
    assert filled in pooled.notes
    assert "columns 'valid_only', 'test_only' are left out: the same value in every training row" in data.notes
    assert not any("gap" in note for note in data.notes)
    assert not any("in every training row" in note for note in pooled.notes)


def test_rare_categories_are_counted_in_the_pool():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    train, valid, _ = three_way(y.astype(np.int32), 0)
    words = np.array([f"w{i % 60}" for i in range(600)], dtype=object)
    words[:] = "w0"
    for k in range(1, 60):
        words[rng.choice(600, 8, replace=False)] = f"w{k}"
    frame = pd.DataFrame({"word": words, "label": y})
    data = load(frame)
    counts = pd.Series(words[np.r_[train, valid]]).value_counts()
    kept = sorted(word for word, n in counts.items() if n >= 5)
    assert data.pooled().feature_names == (*(f"word={word}" for word in kept), "word is another")
    note = f"column 'word': of its {len(counts)} words in training and validation the {len(kept)} most frequent have a"
    assert any(line.startswith(note) for line in data.pooled().notes)
    assert len(data.feature_names) < len(kept)


# --- texts ------------------------------------------------------------------------------------------------------------


def texts():
    """Return texts with a long one, and words of their own, in a validation and a test row."""
    found = [f"a film {('good', 'bad')[i % 2]}" for i in range(20)]
    found[ONES[1]], found[ONES[2]] = "a film quite fine indeed", "an epic of six or seven words"
    return found


@pytest.mark.parametrize("door", ["arrays", "table"])
def test_the_vocabulary_is_that_of_the_pool(door):
    frame = pd.DataFrame({"review": texts(), "label": Y})
    data = load((texts(), Y)) if door == "arrays" else load(frame, columns={"review": "text"})
    assert (sorted(data.words.words), data.shape) == (["a", "bad", "film", "good"], (3,))
    pooled = data.pooled()
    assert sorted(pooled.words.words) == ["a", "bad", "film", "fine", "good", "indeed", "quite"]
    assert (pooled.shape, pooled.vocabulary, pooled.notes) == ((5,), 9, data.notes)
    spoken = ["", "unknown", *pooled.words.words]
    for x, rows in ((pooled.x_train, TRAIN), (pooled.x_valid, VALID)):
        assert [" ".join(spoken[token] for token in row if token) for row in x] == [texts()[i] for i in rows]
    assert np.sum(pooled.x_test == 1) == 5  # "an epic of six or": a test example brings no words


def test_texts_with_a_test_split_of_their_own_are_pooled_without_it():
    held = two_way(Y.astype(np.int32), 0)[1]
    said = ["a good film" if i != held[0] else "a fine film" for i in range(20)]
    data = from_arrays(said, Y, test=(["an epic"], [0]))
    assert sorted(data.words.words) == ["a", "film", "good"]
    assert sorted(data.pooled().words.words) == ["a", "film", "fine", "good"]


def test_options_of_texts_hold_for_the_pool():
    pooled = load((texts(), Y), text=TextOptions(words=2, length=4, keep="last")).pooled()
    assert (pooled.words.words, pooled.words.keep, pooled.shape) == (("a", "film"), "last", (4,))


# --- what becomes of it -----------------------------------------------------------------------------------------------


def test_some_of_the_training_examples_are_the_same_ones_when_pooled():
    colours = where(ONES[1:2], "gold", "red")
    data = load(table(colour=colours, row=np.arange(20) * 1.5), train_examples=6, seed=0)
    whole = load(table(colour=colours, row=np.arange(20) * 1.5))
    pooled = data.pooled()
    place = pooled.feature_names.index("row")
    np.testing.assert_array_equal(pooled.x_train[:, place], data.x_train[:, data.feature_names.index("row")])
    assert pooled.y_train is data.y_train
    np.testing.assert_array_equal(pooled.x_valid, whole.pooled().x_valid)
    np.testing.assert_array_equal(data.take(3, seed=1).pooled().x_train, pooled.take(3, seed=1).x_train)


def test_what_load_was_told_of_targets_stays():
    valid = three_way(Y.astype(np.float32), 0)[1]
    frame = table(colour=where(valid, "gold", "red")).assign(label=np.arange(20) * 1.5)
    data = load(frame, task="regression", scale_targets=False)
    assert data.feature_names == ("size",)
    assert data.pooled().feature_names == ("size", "colour=gold", "colour=red")
    assert data.pooled().scale_targets is False


def test_other_data_stay_as_they_are():
    for data in (load((X, Y)), load("digits"), from_arrays(texts(), Y, test=(texts(), Y), valid=(texts(), Y))):
        pooled = data.pooled()
        for part in ("train", "valid", "test"):
            assert getattr(pooled, f"x_{part}") is getattr(data, f"x_{part}")
        assert (pooled.words, pooled.notes, pooled.split) == (data.words, data.notes, data.split)


def test_arrays_of_ones_own_are_not_replaced():
    data = load((texts(), Y))
    other = dataclasses.replace(data, x_valid=data.x_valid[:1], y_valid=data.y_valid[:1])
    assert other.pooled().x_valid is other.x_valid
    assert data.pooled()._pooled is None  # nor is what was there before encoding held any longer


def test_a_data_set_goes_to_another_process_with_it():
    for data in (load(table(colour=where(ONES[1:2], "gold", "red"))), load((texts(), Y))):
        there = pickle.loads(pickle.dumps(data))
        np.testing.assert_array_equal(there.pooled().x_valid, data.pooled().x_valid)


def test_folds_hold_out_what_was_pooled():
    pooled = load((texts(), Y)).pooled()
    part = make_folds(pooled, 2, 0).dataset(pooled, 0)
    assert (part.words, part.shape) == (pooled.words, (5,))
