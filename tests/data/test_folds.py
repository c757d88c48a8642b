"""Folds: who holds out which examples, and what each fold's own training examples are scaled by."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxhpo.data import Dataset, from_arrays, load
from jaxhpo.data.folds import DEFAULT_FOLDS, MOST_EXAMPLES, Folds, deal, default_folds, make_folds

X = np.random.default_rng(0).normal(3, 2, (50, 3)).astype(np.float32)
LABELS = np.arange(50) % 3
TARGETS = X @ [1.0, -2.0, 0.5] + 7
SEQUENCES = [np.full((2 + i % 3, 2), i, np.float32) + [0, 100] for i in range(50)]
TEXTS = [f"film {i} is {('good', 'bad', 'long')[i % 3]}" for i in range(50)]

DATA = {
    "vectors": load((X, LABELS)),
    "images": load((np.random.default_rng(1).integers(0, 255, (50, 4, 4)).astype(np.uint8), LABELS)),
    "sequences": load((SEQUENCES, LABELS), kind="sequence"),
    "texts": load((TEXTS, LABELS)),
    "targets": load((X, TARGETS), task="regression"),
    "two targets": load((X, np.stack([TARGETS, TARGETS**2], 1)), task="regression"),
    "bare targets": load((X, TARGETS), task="regression", scale_targets=False),
}


def with_classes(counts):
    """Return data with so many examples of each class in the pool, one of them for validation."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    x = np.arange(len(y), dtype=np.float32)[:, None]
    held = np.arange(len(y)) == len(y) - 1
    test = np.zeros((1, 1), np.float32), np.zeros(1, np.int32)
    return Dataset("counted", x[~held], y[~held], x[held], y[held], *test, len(counts), split="made")


def held_out(folds):
    """Return the rows of the pool that each fold holds out."""
    return [folds.rows[start : start + size] for start, size in zip(folds.starts, folds.sizes, strict=True)]


# --- the deal ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "folds", "counts"),
    [
        ([0, 0, 1, 1, 1], 2, [[1, 1], [1, 2]]),  # dealt to folds 1 0 | 1 0 1
        ([0, 0, 0, 0, 1, 1, 1], 3, [[1, 1], [1, 1], [2, 1]]),  # 2 1 0 2 | 1 0 2
        ([2, 1, 0, 2, 1, 2, 2, 2], 3, [[0, 1, 1], [0, 1, 2], [1, 0, 2]]),  # 2 | 1 0 | 2 1 0 2 1
        ([0, 0, 1, 1], 4, [[0, 1], [0, 1], [1, 0], [1, 0]]),
    ],
)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_deal_by_hand(labels, folds, counts, seed):
    y = np.array(labels, np.int32)
    fold = deal(y, folds, seed)
    assert (fold.shape, fold.dtype) == (y.shape, np.int32)
    assert [np.bincount(y[fold == k], minlength=max(labels) + 1).tolist() for k in range(folds)] == counts


def test_a_deal_is_the_same_everywhere():
    assert np.random.default_rng(3).permutation(9).tolist() == [7, 0, 2, 1, 4, 6, 5, 3, 8]
    y = np.array([0, 1, 0, 1, 1, 0, 1, 0, 1], np.int32)
    # Class 0 comes as 7 0 2 5, to folds 1 0 1 0; and class 1 as 1 4 6 3 8, to folds 1 0 1 0 1.
    assert deal(y, 2, 3).tolist() == [0, 1, 1, 0, 0, 0, 1, 1, 1]
    for targets in (y.astype(np.float32), np.stack([y, y], 1).astype(np.float32)):  # as the permutation has them
        assert deal(targets, 2, 3).tolist() == [0, 0, 1, 0, 1, 1, 0, 1, 1]


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(2, 8), st.integers(0, 2**32 - 1), st.booleans()
)
def test_folds_are_alike_in_size_and_classes(labels, folds, seed, regression):
    y = np.array(labels, np.float32 if regression else np.int32)
    folds = min(folds, len(y))
    fold = deal(y, folds, seed)
    np.testing.assert_array_equal(fold, deal(y, folds, seed))
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.tolist() == sorted(sizes)  # the small ones first
    assert sizes[-1] - sizes[0] <= 1
    assert sizes.tolist() == [*Folds(folds, np.argsort(fold)).sizes]
    for label in () if regression else set(labels):
        each = np.bincount(fold[y == label], minlength=folds)
        assert each.max() - each.min() <= 1


def test_the_seed_deals():
    one, other = (make_folds(DATA["vectors"], 5, seed).rows for seed in (0, 1))
    assert not np.array_equal(one, other)


# --- the folds of a data set ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATA)
def test_each_example_is_held_out_once_and_trains_the_other_folds(name):
    data = DATA[name]
    folds = make_folds(data, 3, 0)
    assert (folds.count, folds.sizes, folds.starts) == (3, (13, 13, 14), (0, 13, 26))
    assert folds.rows.dtype == np.int64
    np.testing.assert_array_equal(np.sort(folds.rows), np.arange(40))
    x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
    for got, wanted in zip(folds.pool(data), (x, y), strict=True):
        np.testing.assert_array_equal(got, wanted[folds.rows])
    for k, rows in enumerate(held_out(folds)):
        part, others = folds.dataset(data, k), folds.rows[~np.isin(folds.rows, rows)]
        np.testing.assert_array_equal(part.x_valid, x[rows])
        np.testing.assert_array_equal(part.y_valid, y[rows])
        np.testing.assert_array_equal(part.x_train, x[others])
        np.testing.assert_array_equal(part.y_train, y[others])
        assert part.x_test is data.x_test
        assert (part.x_train.dtype, part.words, part.scale_targets) == (
            data.x_train.dtype,
            data.words,
            data.scale_targets,
        )
        if data.classes:
            assert set(part.y_train.tolist()) == {0, 1, 2}


def moments_by_hand(name, x, y):
    """Return offset, scale, and what targets are scaled by, in float64."""
    if name == "texts":
        return [np.zeros(1), np.ones(1), 0, 1]
    if name == "images":
        return [np.full((1, 1, 1), x.mean(dtype=np.float64)), np.full((1, 1, 1), 1 / x.std(dtype=np.float64)), 0, 1]
    if name == "sequences":
        steps = np.concatenate([row[~np.isnan(row[:, 0])] for row in x]).astype(np.float64)
        return [steps.mean(0)[None], 1 / steps.std(0)[None], 0, 1]
    targets = [y.mean(0), y.std(0)] if name.endswith(" targets") or name == "targets" else [0, 1]
    targets = [np.zeros(y.shape[1:]), np.ones(y.shape[1:])] if name == "bare targets" else targets
    x = x.astype(np.float64)
    return [x.mean(0), 1 / x.std(0), *targets]


@pytest.mark.parametrize("name", DATA)
def test_moments_are_those_of_each_folds_own_training_examples(name):
    data = DATA[name]
    folds = make_folds(data, 3, 0)
    names = ["offset", "scale"] + (["target_offset", "target_scale"] if data.classes is None else [])
    x, y = folds.pool(data)
    by_hand = []
    for start, size in zip(folds.starts, folds.sizes, strict=True):
        own = np.r_[:start, start + size : 40]
        by_hand.append(moments_by_hand(name, x[own], y[own].astype(np.float64)))
    found = folds.moments(data)
    assert [*found] == names
    for moment, values in zip(names, zip(*by_hand, strict=True), strict=False):
        assert found[moment].dtype == np.float32
        np.testing.assert_allclose(found[moment], np.stack(values), rtol=2e-5, err_msg=moment)
    if name == "vectors":  # not those of all
        assert np.ptp(found["offset"], axis=0).min() > 0.01


@pytest.mark.parametrize("name", DATA)
def test_the_last_fold_with_the_folds_as_its_own(name):
    data = DATA[name]
    folds = make_folds(data, 3, 0)
    part = folds.last(data)
    own = Folds.in_order(3, 40)
    assert (len(part.y_train), len(part.y_valid)) == (26, 14)
    np.testing.assert_array_equal(part.x_valid, folds.dataset(data, 2).x_valid)
    assert (own.count, own.sizes, own.rows.tolist()) == (3, folds.sizes, [*range(40)])
    for got, wanted in zip(own.pool(part), folds.pool(data), strict=True):
        np.testing.assert_array_equal(got, wanted)
    for moment, values in folds.moments(data).items():
        np.testing.assert_array_equal(own.moments(part)[moment], values)
    for k in range(3):
        np.testing.assert_array_equal(own.dataset(part, k).x_train, folds.dataset(data, k).x_train)


def test_folds_of_other_data_are_refused():
    with pytest.raises(ValueError, match="data='counted' has 6 training and validation examples, not 40") as error:
        make_folds(DATA["vectors"], 2, 0).pool(with_classes([3, 3]))
    assert "\n" not in str(error.value)


# --- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "folds"),
    [
        ([5, 5], 5),
        ([20, 30], 5),
        ([20, 4], 4),
        ([2, 20], 1),  # two folds would train on half of them
        ([1, 20], 1),
        ([20, 0, 20], 5),  # a class that only test examples have
        ([0, 3, 20], 3),
        ([4000, 4000], 5),
        ([4000, 4001], 1),
    ],
)
def test_the_default_follows_from_the_rarest_class_and_the_size(counts, folds):
    data = with_classes(counts)
    assert default_folds(data) == folds
    assert default_folds(dataclasses.replace(data, split="fixed")) == 1
    assert default_folds(dataclasses.replace(data, split="given")) == 1
    if folds > 1:
        assert make_folds(data, folds, 0).count == folds
    assert (DEFAULT_FOLDS, MOST_EXAMPLES) == (5, 8000)


def test_the_default_of_targets_follows_from_their_number():
    assert default_folds(DATA["targets"]) == 5
    few = from_arrays(X[:5], TARGETS[:5], task="regression")
    assert default_folds(few) == 4  # one is a test example
    assert make_folds(few, 4, 0).sizes == (1, 1, 1, 1)


NAMED = from_arrays(np.arange(9.0)[:, None], ["ant", "bee", "cat"] * 3)


@pytest.mark.parametrize(
    ("data", "folds", "message"),
    [
        (NAMED, 1, "folds=1 must be an integer of at least 2"),
        (NAMED, 2.0, "folds=2.0 must be an integer of at least 2"),
        (NAMED, True, "folds=True must be an integer of at least 2"),
        (NAMED, "3", "folds='3' must be an integer of at least 2"),
        (NAMED, 3, "folds=3 exceeds the 2 training and validation examples of class 'ant'; use at most 2"),
        (
            with_classes([9, 0, 1]),
            2,
            "folds=2 exceeds the 1 training and validation example of class 2; use folds=1, or merge rare classes",
        ),
        (DATA["targets"], 41, "folds=41 exceeds the 40 training and validation examples; use at most 40"),
        (
            dataclasses.replace(NAMED, split="given"),
            2,
            "folds=2 deals validation examples out anew, and those of 'arrays' were given; use folds=1, or give none",
        ),
    ],
)
def test_what_cannot_be_folded_is_refused_in_one_line(data, folds, message):
    with pytest.raises(ValueError) as error:
        make_folds(data, folds, 0)
    assert str(error.value) == message


@pytest.mark.parametrize("seed", [-1, 2**32, True, 1.0])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed=") as error:
        make_folds(NAMED, 2, seed)
    assert str(error.value) == f"seed={seed!r} must be an integer in [0, 2**32)"
