"""Folds as lanes see them: their rows, the order and the batches of an epoch, the outputs for the rows held out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.data import Dataset
from jaxhpo.data.folds import Folds
from jaxhpo.training.run.placement import training_data, validation_targets
from jaxhpo.training.step.examples import Part, Split, data_of, fold_batches, group_texts, outputs_of
from jaxhpo.training.step.folds import FoldSizes
from tests.training import folded


def slices_of(sizes):
    """Return the rows of each fold, as the data have them."""
    return list(Folds.in_order(sizes.count, sizes.examples).slices)


# --- sizes, and which rows -----------------------------------------------------------------------------------------


def test_sizes_by_hand():
    sizes = FoldSizes(11, 3)
    assert (sizes.small, sizes.large, sizes.alike) == (3, 4, False)
    assert slices_of(sizes) == [slice(0, 3), slice(3, 7), slice(7, 11)]
    assert [int(sizes.size(jnp.int32(fold))) for fold in range(3)] == [3, 4, 4]
    assert [int(sizes.start(jnp.int32(fold))) for fold in range(3)] == [0, 3, 7]
    even = FoldSizes(12, 3)
    assert (even.small, even.large, even.alike) == (4, 4, True)
    assert slices_of(even) == [slice(0, 4), slice(4, 8), slice(8, 12)]


@settings(deadline=None, max_examples=50)
@given(count=st.integers(2, 64), more=st.integers(0, 300))
def test_folds_are_the_pool_in_order_and_the_small_ones_first(count, more):
    sizes = FoldSizes(count + more, count)
    slices = slices_of(sizes)
    assert [row for own in slices for row in range(own.start, own.stop)] == list(range(count + more))
    each = [own.stop - own.start for own in slices]
    assert len(slices) == count
    assert each == sorted(each)
    assert set(each) == {sizes.small, sizes.large}
    assert sizes.alike == (len(set(each)) == 1)
    for fold in {0, (count - 1) // 2, count - 1 - (count + more) % count, count - 1}:
        assert sizes.size(np.int32(fold)) == each[fold]
        assert sizes.start(np.int32(fold)) == slices[fold].start


def orders(sizes, number, keys):
    """Return the training order of each key and fold: [keys, folds, number]."""
    each = jax.vmap(sizes.training_order, (None, 0, None))

    @jax.jit
    def of(seeds):
        return jax.vmap(lambda seed: each(jax.random.key(seed), jnp.arange(sizes.count, dtype=jnp.int32), number))(
            seeds
        )

    return np.asarray(of(jnp.arange(keys, dtype=jnp.uint32)))


@pytest.mark.parametrize("examples", [11, 12])
def test_an_order_has_every_row_outside_the_fold_once(examples):
    sizes = FoldSizes(examples, 3)
    number = examples - sizes.large
    found = orders(sizes, number, 50)
    assert found.dtype == np.int32
    left_out = set()
    for fold, own in enumerate(slices_of(sizes)):
        outside = set(range(examples)) - set(range(own.start, own.stop))
        for order in found[:, fold].tolist():
            assert len(set(order)) == number
            assert set(order) <= outside
            if fold == 2:  # the last one is large
                assert set(order) == outside
            left_out |= outside - set(order)
    # Outside a small fold there is one row more, which is another one each time.
    assert left_out == (set() if examples == 12 else set(range(3, 11)))
    assert len({tuple(order) for order in found[:, 2].tolist()}) > 45
    if examples == 11:  # fewer rows are the first ones of the same order
        np.testing.assert_array_equal(orders(sizes, 5, 50), found[..., :5])


def test_all_orders_are_equally_likely():
    """Of 4 rows outside the small fold, and of 3 outside each large one, in 4,800 draws: within 5 deviations."""
    sizes, draws = FoldSizes(5, 3), 4800
    found = orders(sizes, 2, draws)
    for fold, outside in enumerate((4, 3, 3)):
        _, counts = np.unique(found[:, fold], axis=0, return_counts=True)
        pairs = outside * (outside - 1)
        assert len(counts) == pairs
        deviation = np.sqrt(draws / pairs * (1 - 1 / pairs))
        assert np.abs(counts - draws / pairs).max() < 5 * deviation


@pytest.mark.parametrize(("examples", "count"), [(11, 3), (9, 3), (7, 2)])
def test_what_is_computed_of_a_fold_is_of_its_rows_alone(examples, count):
    sizes, rows = FoldSizes(examples, count), np.random.default_rng(0).normal(size=(examples + 1, 2)).astype(np.float32)
    asked = []

    def compute(tree):
        asked.append(tree["x"].shape[0])
        return {"mean": jnp.mean(tree["x"], 0), "n": jnp.int32(tree["x"].shape[0]), "last": tree["x"][-1]}

    for fold, own in enumerate(slices_of(sizes)):
        there = {"x": rows[own.start : own.start + sizes.large]}
        found = sizes.of_fold(jnp.int32(fold), compute, there)
        np.testing.assert_allclose(found["mean"], rows[own].mean(0), rtol=1e-5, atol=1e-6)
        assert found["n"] == own.stop - own.start
        np.testing.assert_array_equal(found["last"], rows[own][-1])
    assert set(asked) == {sizes.small, sizes.large}


def test_a_fold_has_the_scales_of_its_own_training_rows():
    data = folded.vectors(targets=2)
    sizes = FoldSizes(100, 3)
    placed = training_data(data, (), Folds.in_order(3, 100))
    x, y = folded.pool_of(data)
    np.testing.assert_array_equal(placed.train.x, x)
    np.testing.assert_array_equal(validation_targets(placed), y)
    assert placed.valid is None
    assert placed.offset.shape == (3, 6)
    assert placed.target_scale.shape == (3, 2)
    for fold, own in enumerate(slices_of(sizes)):
        rest = np.r_[0 : own.start, own.stop : 100]
        found = data_of(placed, jnp.int32(fold))
        np.testing.assert_allclose(found.offset, x[rest].mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.scale, 1 / x[rest].std(0), rtol=1e-5)
        np.testing.assert_allclose(found.target_offset, y[rest].mean(0), rtol=1e-5)
        np.testing.assert_allclose(found.target_scale, y[rest].std(0), rtol=1e-5)
        assert found.train is placed.train
    assert data_of(placed, None) is placed
    classes = training_data(folded.vectors(), (), Folds.in_order(3, 100))
    assert data_of(classes, jnp.int32(1)).target_scale is None


# --- batches and outputs -------------------------------------------------------------------------------------------

LENGTHS = (8, 16, 40)


@pytest.fixture(scope="module")
def texts():
    """50 texts in 3 folds of 16, 17 and 17: few are long, and no two folds have as many of a length."""
    random = np.random.default_rng(5)
    share = np.where(np.arange(70) < 20, 0.9, 0.5)
    short, middle = random.integers(1, 9, 70), random.integers(9, 17, 70)
    lengths = np.where(random.random(70) < share, short, np.where(random.random(70) < 0.6, middle, 40))
    x = random.integers(1, 20, (70, 40)).astype(np.int32)
    x[np.arange(40)[None] >= lengths[:, None]] = 0
    y = (x.sum(1) % 2).astype(np.int32)
    parts = [x[:40], y[:40], x[40:50], y[40:50], x[50:], y[50:]]
    return folded.with_folds(Dataset("texts", *parts, classes=2, vocabulary=20), 3)


SIZES = FoldSizes(50, 3)


@pytest.fixture(scope="module")
def pool(texts):
    return training_data(texts, LENGTHS, Folds.in_order(3, 50)).train


def test_the_texts_of_each_fold_are_in_the_order_of_their_groups(texts, pool):
    x, y = folded.pool_of(texts)
    group, mixed = group_texts(x, LENGTHS), np.asarray(pool.group)
    counts = set()
    for own in slices_of(SIZES):
        rows = np.argsort(group[own], kind="stable") + own.start
        np.testing.assert_array_equal(pool.x[own], x[rows])
        np.testing.assert_array_equal(pool.y[own], y[rows])
        assert mixed[own].tolist() == sorted(mixed[own].tolist())
        counts.add(tuple(np.bincount(mixed[own], minlength=3).tolist()))
    assert len(counts) == 3


@pytest.fixture(scope="module")
def batches(pool):
    """Rows [epochs, folds, steps, 5], groups [epochs, folds, steps]."""
    each = jax.vmap(fold_batches, (None, None, None, None, None, 0))
    folds, key = jnp.arange(3, dtype=jnp.int32), jax.random.key(4)
    of = jax.jit(jax.vmap(lambda epoch: each(key, epoch, pool, 5, SIZES, folds)))
    return jax.tree.map(np.asarray, of(jnp.arange(20, dtype=jnp.int32)))


def test_the_batches_of_a_step_have_one_group_that_holds_their_texts(pool, batches):
    rows, groups = batches
    assert rows.shape == (20, 3, 6, 5)  # of 33, the fewest that a fold trains on
    assert (groups == groups[:, :1]).all()
    own = np.asarray(pool.group)[rows].max(-1)
    np.testing.assert_array_equal(own.max(1), groups[:, 0])  # and none is longer than it has to be
    assert (own != groups).any()  # some folds are ahead of others
    assert set(groups.ravel().tolist()) == {0, 1, 2}
    unsorted = [epoch.tolist() != sorted(epoch.tolist()) for epoch in groups[:, 0]]
    assert np.mean(unsorted) > 0.7  # of chance, one in twelve is sorted


def test_a_lane_s_batches_are_of_the_other_folds_and_have_no_row_twice(pool, batches):
    key = jax.random.key(4)
    for fold, own in enumerate(slices_of(SIZES)):
        for epoch, rows in enumerate(batches[0][:, fold].reshape(20, -1)):
            assert len(set(rows.tolist())) == 30
            assert ((rows < own.start) | (rows >= own.stop)).all()
            # The same examples as without groups, so that no group loses more of its own than another.
            if epoch < 2:
                plain, none = fold_batches(key, jnp.int32(epoch), pool._replace(group=None), 5, SIZES, jnp.int32(fold))
                assert none is None
                assert set(rows.tolist()) == set(np.ravel(plain).tolist())
                order = SIZES.training_order(jax.random.fold_in(key, epoch), jnp.int32(fold), 30)
                np.testing.assert_array_equal(plain, order.reshape(6, 5))


@pytest.mark.parametrize("batch", [1, 5, 16, 512])
def test_outputs_are_those_of_the_fold_s_rows(pool, batch):
    """For tokens with groups: a text that was cut, or the row of another fold, would have other ones."""
    shapes = []

    def apply(x):
        shapes.append(x.shape)
        return {"sum": jnp.sum(x, 1), "ends": jnp.stack([x[:, 0], jnp.max(x, 1)], 1)}

    of = jax.jit(jax.vmap(lambda fold: outputs_of(apply, pool, batch, LENGTHS, Part(SIZES, fold))))
    found = of(jnp.arange(3, dtype=jnp.int32))
    assert {shape[1] for shape in shapes} == set(LENGTHS)
    assert {shape[0] for shape in shapes} == {min(batch, 17)}
    assert found["sum"].shape == (3, 17)
    x = np.asarray(pool.x)
    for fold, own in enumerate(slices_of(SIZES)):
        number = own.stop - own.start
        np.testing.assert_array_equal(found["sum"][fold, :number], x[own].sum(1))
        np.testing.assert_array_equal(found["ends"][fold, :number], np.stack([x[own][:, 0], x[own].max(1)], 1))


@pytest.mark.parametrize(
    "lengths", [[1, 1, 1, 1, 1, 3, 1, 1, 2], [1, 3, 1, 1, 1, 1, 1, 2]], ids=["alike", "a small one"]
)
def test_a_long_text_at_the_end_of_one_fold_alone_is_whole(lengths):
    """The group of a batch is that of the longest text among all folds at that place, and none of another fold."""
    x = np.where(np.arange(3)[None] < np.array(lengths)[:, None], 7, 0).astype(np.int32)
    sizes, groups = FoldSizes(len(lengths), 3), (1, 2, 3)
    pool = jax.device_put(Split(x, np.zeros(len(lengths), np.int32), group_texts(x, groups)))
    for batch in (2, 3):
        each = jax.vmap(lambda fold, b=batch: outputs_of(lambda x: x.sum(1), pool, b, groups, Part(sizes, fold)))
        found = np.asarray(jax.jit(each)(jnp.arange(3, dtype=jnp.int32)))
        for fold, own in enumerate(slices_of(sizes)):
            assert found[fold, : own.stop - own.start].tolist() == [7 * length for length in lengths[own]]
