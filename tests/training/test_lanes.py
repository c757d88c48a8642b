"""Lanes do not touch each other, and follow their own budgets and batch sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import OPTIMIZERS, Machine, Trainer
from jaxhpo.types import Proposal

LANES, EPOCHS = 4, 3
SPACE = Space(
    {
        "learning_rate": Float(1e-3, 1e30, log=True),
        "batch_size": Choice((16, 32)),
        "layers": Int(1, 2),
        "units": Choice((8, 16)),
        "l1": Choice((0.0, 1e-4)),
        "l2": Choice((0.0, 1e-3)),
        "dropout": Float(0.0, 0.5),
        "optimizer": Choice(OPTIMIZERS),
    }
)
NAMES = tuple(SPACE)
GOOD = [
    dict(zip(NAMES, values, strict=True))
    for values in [
        (0.05, 16, 2, 8, 0.0, 0.0, 0.0, "sgd"),
        (0.005, 32, 1, 16, 1e-4, 0.0, 0.2, "adam"),
        (0.01, 16, 2, 16, 0.0, 1e-3, 0.1, "momentum"),
        (0.002, 32, 2, 8, 0.0, 0.0, 0.3, "rmsprop"),
    ]
]
# It must diverge, whatever the network and however it is compiled: the gates of an RNN bound their gradients at any
# learning rate, but a penalty's grows with the weights, which every update multiplies by some -1e27.
BAD = GOOD[0] | {"learning_rate": 1e30, "l2": 1e-3}


def proposal(configs, *, budget=EPOCHS, trials=None, active=None):
    lanes = len(configs)
    return Proposal(
        np.stack([SPACE.from_config(config) for config in configs]),
        np.broadcast_to(np.int32(budget), (lanes,)).copy(),
        np.full(lanes, -1, np.int32),
        np.ones(lanes, bool) if active is None else np.asarray(active),
        np.arange(lanes, dtype=np.int32) if trials is None else np.asarray(trials, np.int32),
    )


CASES = [
    *("mlp-vmap", "cnn-threads", "rnn-threads"),
    *(
        pytest.param(case, marks=pytest.mark.slow)
        for case in ("mlp-threads", "cnn-vmap", "rnn-vmap", "dan-threads", "dan-vmap")
    ),
]


@pytest.fixture(scope="module", params=CASES)
def evaluate(request, small_digits, small_text):
    model, engine = request.param.split("-")
    dataset = small_text if model in ("rnn", "dan") else small_digits
    trainer = Trainer(dataset, model, SPACE, epochs=EPOCHS, lanes=LANES, machine=Machine(engine=engine))
    state = trainer.objective.init(jax.random.key(0))
    return lambda proposal, key=0: trainer.objective.evaluate(jax.random.key(key), state, proposal)


def rows(state_outcome, lane):
    _, outcome = state_outcome
    return [np.asarray(leaf[lane]) for leaf in jax.tree.leaves((outcome.score, outcome.aux))]


def assert_same(a, b):
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)


def test_healthy_lanes_learn(evaluate):
    _, outcome = evaluate(proposal(GOOD))
    assert not np.isnan(outcome.score).any()
    assert np.asarray(outcome.aux["updates"]).tolist() == [30, 15, 30, 15]
    assert np.array_equal(outcome.score, np.asarray(outcome.aux["curve"])[:, -1])
    assert np.all(np.diff(np.asarray(outcome.aux["loss"]), axis=1)[0] < 0)


@pytest.mark.parametrize("place", [0, 2])
def test_a_diverged_lane_fails_alone(evaluate, place):
    healthy = evaluate(proposal(GOOD))
    sick = evaluate(proposal([*GOOD[:place], BAD, *GOOD[place + 1 :]]))
    assert np.isnan(sick[1].score[place])
    for lane in range(LANES):
        if lane != place:
            assert_same(rows(healthy, lane), rows(sick, lane))


def test_all_but_one_diverged(evaluate):
    healthy, sick = evaluate(proposal(GOOD)), evaluate(proposal([BAD, BAD, GOOD[2], BAD]))
    assert np.isnan(np.asarray(sick[1].score)).tolist() == [True, True, False, True]
    assert_same(rows(healthy, 2), rows(sick, 2))


def test_a_result_depends_on_the_trial_and_not_on_the_place(evaluate):
    there = evaluate(proposal(GOOD, trials=[10, 11, 12, 13]))
    back = evaluate(proposal(GOOD[::-1], trials=[13, 12, 11, 10]))
    for lane in range(LANES):
        assert_same(rows(there, lane), rows(back, LANES - 1 - lane))
    other = evaluate(proposal(GOOD, trials=[20, 11, 12, 13]))
    assert any(not np.array_equal(a, b) for a, b in zip(rows(there, 0), rows(other, 0), strict=True))
    assert_same(rows(there, 1), rows(other, 1))


def test_the_key_seeds_everything(evaluate):
    one, again, two = evaluate(proposal(GOOD), 1), evaluate(proposal(GOOD), 1), evaluate(proposal(GOOD), 2)
    for lane in range(LANES):
        assert_same(rows(one, lane), rows(again, lane))
        assert any(not np.array_equal(a, b) for a, b in zip(rows(one, lane), rows(two, lane), strict=True))


def test_an_inactive_lane_is_nan_and_harmless(evaluate):
    full, part = evaluate(proposal(GOOD)), evaluate(proposal(GOOD, active=[True, False, True, False]))
    assert np.isnan(np.asarray(part[1].score)).tolist() == [False, True, False, True]
    for lane in (0, 2):
        assert_same(rows(full, lane), rows(part, lane))


def test_budgets_are_each_lanes_own(evaluate):
    _, full = evaluate(proposal(GOOD))
    _, mixed = evaluate(proposal(GOOD)._replace(budget=np.array([1, 2, 3, 1], np.int32)))
    for lane, budget in enumerate((1, 2, 3, 1)):
        curve = np.asarray(mixed.aux["curve"][lane])
        np.testing.assert_array_equal(curve[:budget], np.asarray(full.aux["curve"][lane])[:budget])
        assert np.isnan(curve[budget:]).all()
        assert mixed.score[lane] == curve[budget - 1]


def test_a_trial_trained_otherwise_than_asked_fails(evaluate):
    asked = proposal(GOOD)
    asked = asked._replace(budget=np.array([3, 4, 0, 3], np.int32), source=np.array([-1, -1, -1, 0], np.int32))
    assert np.isnan(np.asarray(evaluate(asked)[1].score)).tolist() == [False, True, True, True]


def test_normalisation_reaches_the_network(small_digits):
    from jaxhpo.training.step.examples import Split, TrainingData, normalise

    d = small_digits
    data = TrainingData(Split(d.x_train, d.y_train), Split(d.x_valid, d.y_valid), d.offset, d.scale)
    seen = np.asarray(normalise(data, jnp.asarray(d.x_train)))
    assert seen.dtype == np.float32
    assert abs(seen.mean()) < 1e-4
    assert abs(seen.std() - 1) < 1e-3
