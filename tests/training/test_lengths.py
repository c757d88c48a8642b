"""Texts in groups of about one length: less padding is computed, and every network is the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.data import Dataset
from jaxhpo.models import RNN
from jaxhpo.space import Choice, Float, Space
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.step.examples import (
    Split,
    TrainingData,
    epoch_batches,
    epoch_order,
    group_texts,
    length_groups,
    outputs_of,
    text_lengths,
)
from jaxhpo.training.step.lane import evaluate
from jaxhpo.training.step.lane_state import Lane, TrainSpec
from jaxhpo.training.step.learner import Batch, Masked
from jaxhpo.training.step.stopping import Stopping
from jaxhpo.types import Proposal

BATCH, EPOCHS, LANES = 16, 2, 4
SPACE = Space(
    {
        "learning_rate": Float(1e-3, 1e-1, log=True),
        "batch_size": Choice((BATCH, 32)),
        "units": Choice((4, 8)),
        "cell": Choice(("lstm",)),
        "bidirectional": Choice((True,)),
    }
)
CONFIGS = [
    dict(zip(SPACE, values, strict=True))
    for values in [
        (0.05, 16, 4, "lstm", True),
        (0.02, 32, 8, "lstm", True),
        (0.02, 16, 8, "lstm", True),
        (0.05, 32, 4, "lstm", True),
    ]
]


def texts(lengths, longest, seed=0):
    """Return tokens [N, longest] of texts of some lengths, with a padding token inside of some."""
    random = np.random.default_rng(seed)
    x = random.integers(1, 20, (len(lengths), longest)).astype(np.int32)
    x[np.arange(longest)[None] >= np.asarray(lengths)[:, None]] = 0
    return x


@pytest.fixture(scope="module")
def mixed():
    """166 training texts of up to 8 tokens or of 33 to 40, which no number of batches holds evenly."""
    random = np.random.default_rng(1)
    n = 166 + 40 + 40
    lengths = np.where(random.random(n) < 0.7, random.integers(1, 9, n), random.integers(33, 41, n))
    lengths[0] = 40
    x = texts(lengths, 40)
    y = ((x > 0) & (x < 10)).sum(1) > (x >= 10).sum(1)
    parts = np.split(np.arange(n), [166, 206])
    arrays = [a for rows in parts for a in (x[rows], y[rows].astype(np.int32))]
    return Dataset("mixed", *arrays, classes=2, vocabulary=20)


# --- which lengths -------------------------------------------------------------------------------------------------


def test_a_text_reaches_to_its_last_token():
    x = np.array([[5, 0, 7, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5], [0, 0, 0, 0, 9], [3, 0, 0, 0, 0]], np.int32)
    assert text_lengths(x).tolist() == [3, 1, 5, 5, 1]
    assert group_texts(x, (1, 3, 5)).tolist() == [1, 0, 2, 2, 0]
    assert group_texts(x, (5,)).tolist() == [0] * 5
    assert group_texts(x, (5,)).dtype == np.int32


@pytest.mark.parametrize(
    ("lengths", "longest", "groups"),
    [
        ([64] * 50, 64, (64,)),  # all equal
        ([16] * 50, 64, (16, 64)),  # all equal, and most of every row is padding
        ([8] * 50 + [64] * 50, 64, (8, 64)),  # bimodal: 36 of 64 tokens, and one tenth
        ([60] * 50 + [64] * 50, 64, (64,)),  # too little to save
        ([56] * 90 + [64] * 10, 64, (56, 64)),  # 56.8 / 64 + 0.1 is less than 1
        ([57] * 90 + [64] * 10, 64, (64,)),  # 57 needs 64
        (
            [8] * 40 + [80] * 30 + [160] * 30,
            160,
            (8, 80, 160),
        ),  # 75.2 / 160 + 0.2; without 80 it is 0.72, without 8 0.75
        ([8] * 30 + [32] * 30 + [160] * 40, 160, (32, 160)),  # 0.62; with 8 too it is 0.675
        ([3] * 10, 5, (5,)),  # shorter than what lengths are multiples of
        ([1], 400, (8, 400)),
    ],
)
def test_lengths_for_groups(lengths, longest, groups):
    assert length_groups(np.array(lengths), longest) == groups


@pytest.mark.parametrize("seed", range(5))
def test_lengths_grow_to_the_longest_and_pay(seed):
    random = np.random.default_rng(seed)
    longest = int(random.integers(30, 400))
    lengths = np.minimum(random.lognormal(4, 1, 300).astype(int) + 1, longest)
    groups = length_groups(lengths, longest)
    assert 1 <= len(groups) <= 4
    assert groups[-1] == longest
    assert list(groups) == sorted(set(groups))
    assert all(length % 8 == 0 for length in groups[:-1])
    tokens = np.array(groups)[np.searchsorted(groups, lengths)]
    assert (tokens >= lengths).all()
    assert tokens.mean() / longest + 0.1 * (len(groups) - 1) <= 1


# --- an epoch's batches --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def epochs(mixed):
    split = Split(mixed.x_train, mixed.y_train, group_texts(mixed.x_train, (8, 40)))
    key = jax.random.key(3)
    return split, [jax.tree.map(np.asarray, epoch_batches(key, jnp.int32(e), split, BATCH)) for e in range(3)]


@pytest.mark.slow
def test_an_epoch_visits_all_but_the_remainder_once(epochs):
    _, batches = epochs
    for epoch, (rows, groups) in enumerate(batches):
        assert rows.shape == (10, BATCH)  # of 166
        assert groups.shape == (10,)
        assert len(set(rows.ravel().tolist())) == 160
        # The same examples as without groups, so that no group loses more of its own than another.
        assert set(rows.ravel().tolist()) == set(
            np.asarray(epoch_order(jax.random.key(3), jnp.int32(epoch), 166))[:160].tolist()
        )


def test_a_batchs_group_holds_its_texts_and_few_batches_mix(epochs):
    split, batches = epochs
    for rows, groups in batches:
        own = split.group[rows]
        assert np.array_equal(own.max(1), groups)
        assert (own.min(1) != own.max(1)).sum() <= 1
        assert set(groups.tolist()) == {0, 1}


def test_batches_come_in_another_order_every_epoch(epochs):
    _, batches = epochs
    orders = [groups.tolist() for _, groups in batches]
    assert all(order != sorted(order) for order in orders)  # not the short ones first
    assert len({tuple(rows.ravel().tolist()) for rows, _ in batches}) == 3


def test_without_groups_the_order_is_the_epochs():
    split = Split(np.zeros((50, 3)), np.zeros(50, np.int32))
    rows, groups = epoch_batches(jax.random.key(0), jnp.int32(1), split, 8)
    assert groups is None
    assert np.array_equal(np.ravel(rows), epoch_order(jax.random.key(0), jnp.int32(1), 50)[:48])


# --- the network is the same ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "pooling"), [("gru", "mean"), ("lstm", "last"), ("vanilla", "last")])
def test_cutting_padding_leaves_outputs_and_gradients(cell, pooling):
    x = texts([3, 8, 1, 5], 20).astype(np.float32)
    x[1, 4] = 0  # padding inside of a text
    model = RNN(1, 6, 3, 20, cell=cell, bidirectional=True, pooling=pooling)
    params = jax.jit(model.init)(jax.random.key(0), x)["params"]

    def loss(params, x):
        outputs = model.apply({"params": params}, x)
        return jnp.sum(outputs * jnp.arange(12, dtype=jnp.float32).reshape(4, 3)), outputs

    both = jax.jit(jax.grad(loss, has_aux=True))
    whole, cut = both(params, x), both(params, x[:, :8])
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(cut), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    shorter = both(params, x[:, :5])[1]
    assert not np.allclose(shorter[1], whole[1][1], atol=1e-4)  # a text that is cut is another one


def learner_of(mixed):
    model = RNN(1, 6, 2, 20, cell="lstm", bidirectional=True)
    return Masked((model,), model, True)


def hyper_of(trainer, config):
    return jax.tree.map(lambda leaf: leaf[0], trainer.family.hyper(trainer.space.from_config(config)[None]))


def grouped(dataset, lengths, order=True):
    """Return training data with groups, evaluated splits in their order, and the same without."""
    plain, groups = [], []
    for split in ("train", "valid"):
        x, y = getattr(dataset, f"x_{split}"), getattr(dataset, f"y_{split}")
        group = group_texts(x, lengths)
        rows = np.argsort(group, kind="stable") if split == "valid" else slice(None)
        plain.append(Split(x, y))
        groups.append(Split(x[rows], y[rows], group[rows]))
    return [TrainingData(*splits, dataset.offset, dataset.scale) for splits in (groups, plain)]


@pytest.fixture(scope="module")
def trainer(mixed):
    trainer = Trainer(mixed, "rnn", SPACE, epochs=EPOCHS, lanes=LANES, machine=Machine(engine="threads"))
    assert trainer.plan.lengths == (8, 40)
    return trainer


@pytest.mark.slow
def test_a_batchs_gradients_are_those_of_whole_rows(mixed, trainer):
    learner, goal = learner_of(mixed), read_goal("classification")
    with_groups, data = grouped(mixed, (8, 40))
    hyper = hyper_of(trainer, CONFIGS[0])._replace(layers=jnp.int32(1), units=jnp.int32(5), dropout=jnp.float32(0.25))
    params, _ = jax.jit(learner.start)(jax.random.key(1), learner.prepare(data, data.train.x[:1]), hyper)
    rows, groups = epoch_batches(jax.random.key(3), jnp.int32(0), with_groups.train, BATCH)
    at = int(np.argmin(groups))
    assert groups[at] == 0
    x, y = learner.prepare(data, data.train.x[rows[at]]), data.train.y[rows[at]]
    rest = {"y": y, "key": jnp.array([1, 2], jnp.uint32), "position": jnp.arange(BATCH, dtype=jnp.int32)}
    step = jax.jit(lambda x: learner.gradients(goal, data, hyper, params, (), Batch(x, **rest)))
    whole, cut = step(x), step(x[:, :8])
    assert whole[0] > 0
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(cut), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 7, 16, 40, 512])
def test_outputs_come_in_order_whatever_the_batches(mixed, batch):
    data, plain = grouped(mixed, (8, 40))
    lengths = []

    def apply(x):
        lengths.append(x.shape)
        return {"sum": jnp.sum(x, axis=1), "first": x[:, 0]}

    found = outputs_of(apply, jax.device_put(data.valid), batch, (8, 40))
    assert {shape[1] for shape in lengths} == {8, 40}
    assert np.array_equal(found["sum"], data.valid.x.sum(1))
    assert np.array_equal(found["first"], data.valid.x[:, 0])
    alone = outputs_of(apply, jax.device_put(plain.valid), batch, (8, 40))
    assert np.array_equal(alone["sum"], plain.valid.x.sum(1))


@pytest.mark.slow
def test_a_score_is_that_of_whole_rows(mixed, trainer):
    goal = read_goal("classification", metric=lambda outputs, y: jnp.sum(outputs[:, 0] * (1 + y.astype(jnp.float32))))
    spec = TrainSpec(learner_of(mixed), goal, (), (), BATCH, EPOCHS, 7, (8, 40), Stopping())
    hyper = hyper_of(trainer, CONFIGS[0])._replace(layers=jnp.int32(1), units=jnp.int32(6))
    data = grouped(mixed, (8, 40))
    params, _ = jax.jit(spec.learner.start)(jax.random.key(1), data[0].train.x[:1].astype(np.float32), hyper)
    lane = Lane(jax.random.key(1), hyper, jnp.int32(EPOCHS), jnp.bool_(True))
    found = [jax.jit(lambda d: evaluate(spec, d, lane, params, ()))(d) for d in data]
    assert all(one[-1] for one in found)
    (_, score, loss, *_), (_, whole, loss_of_whole, *_) = found
    np.testing.assert_allclose((score, loss), (whole, loss_of_whole), rtol=1e-5)


# --- trainings -----------------------------------------------------------------------------------------------------


def proposal(configs, trials):
    n = len(configs)
    point = np.stack([SPACE.from_config(config) for config in configs])
    ones = np.ones(n, np.int32)
    return Proposal(point, EPOCHS * ones, -ones, np.ones(n, bool), np.asarray(trials, np.int32))


def run(trainer, configs, trials):
    state = trainer.objective.init(jax.random.key(0))
    state, outcome = trainer.objective.evaluate(jax.random.key(5), state, proposal(configs, trials))
    return state, outcome


@pytest.fixture(scope="module")
def trained(trainer):
    return run(trainer, CONFIGS, range(LANES))


@pytest.mark.slow
def test_every_lane_learns_in_groups(trained):
    _, outcome = trained
    assert np.isfinite(outcome.score).all()
    for name in ("curve", "loss"):
        assert np.isfinite(outcome.aux[name]).all(), name
    assert np.asarray(outcome.aux["updates"]).tolist() == [20, 10, 20, 10]
    assert (outcome.aux["loss"][:, 1] < outcome.aux["loss"][:, 0]).all()


@pytest.mark.slow
def test_trials_do_not_depend_on_their_neighbours(trainer, trained):
    _, outcome = trained
    _, other = run(trainer, [CONFIGS[2], CONFIGS[0]], [2, 0])
    for here, there in ((0, 2), (1, 0)):
        assert other.score[here] == outcome.score[there]
        assert np.array_equal(other.aux["loss"][here], outcome.aux["loss"][there])


@pytest.mark.slow
def test_engines_agree(mixed, trained):
    beside = Trainer(mixed, "rnn", SPACE, epochs=EPOCHS, lanes=LANES, machine=Machine(engine="vmap"))
    assert beside.plan.lengths == (8, 40)
    _, outcome = trained
    _, other = run(beside, CONFIGS, range(LANES))
    np.testing.assert_allclose(other.aux["loss"], outcome.aux["loss"], rtol=1e-4)
    np.testing.assert_allclose(other.score, outcome.score, atol=1 / 40 + 1e-6)  # one example may tip


@pytest.mark.slow
def test_the_test_score_is_that_of_the_predictions(mixed, trainer, trained):
    state, outcome = trained
    assert state.best.score == np.nanmax(outcome.score)
    predicted = trainer.model(state.best).predict(mixed.x_test)
    assert trainer.score_test(state) * 40 == pytest.approx(np.sum(predicted == mixed.y_test), rel=1e-6)


def test_data_of_one_length_has_one_group(small_text):
    trainer = Trainer(small_text, "rnn", SPACE, epochs=1, lanes=2)
    assert trainer.plan.lengths == (9,)
    assert trainer.plan.to_json()["lengths"] == (9,)
