"""Losses and metrics have the values that they have by hand, and a goal is read from what a user says."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxhpo.training.goal.metrics import METRICS, accuracy, mae, r2, rmse
from jaxhpo.training.goal.scoring import cross_entropy, read_goal, squared_error

LOGITS = np.log(np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]], np.float32))
Y = np.array([0, 1], np.int32)
# Of predictions 1, 2, 3, 6 for targets 1, 3, 2, 4: errors 0, -1, 1, 2; the targets' variance is 1.25.
PREDICTED, TARGET = np.array([1, 2, 3, 6], np.float32), np.array([1, 3, 2, 4], np.float32)
TWO = np.stack([PREDICTED, TARGET], axis=1), np.stack([TARGET, TARGET], axis=1)


def test_accuracy_by_hand():
    assert accuracy(jnp.asarray(LOGITS), Y) == 0.5
    assert accuracy(jnp.asarray(LOGITS), np.array([0, 2], np.int32)) == 1
    assert accuracy(jnp.asarray(LOGITS), np.array([1, 1], np.int32)) == 0


@pytest.mark.parametrize(
    ("metric", "one", "two"),
    [(r2, 1 - 1.5 / 1.25, (1 - 1.5 / 1.25 + 1) / 2), (rmse, 1.5**0.5, 0.75**0.5), (mae, 1.0, 0.5)],
)
def test_regression_metrics_by_hand(metric, one, two):
    assert float(metric(jnp.asarray(PREDICTED), TARGET)) == pytest.approx(one)
    assert float(metric(jnp.asarray(TWO[0]), TWO[1])) == pytest.approx(two)


def test_r2_of_targets_that_do_not_vary_is_a_number():
    assert not np.isnan(r2(jnp.asarray(PREDICTED), np.ones(4, np.float32)))


def test_cross_entropy_by_hand():
    plain = -(np.log(0.5) + np.log(0.125)) / 2
    assert float(cross_entropy(jnp.asarray(LOGITS), Y)) == pytest.approx(plain)
    smooth = optax.smooth_labels(jax.nn.one_hot(Y, 3), 0.3)
    wanted = -np.mean(np.sum(np.asarray(smooth) * LOGITS, axis=1))
    assert float(cross_entropy(jnp.asarray(LOGITS), Y, jnp.float32(0.3))) == pytest.approx(wanted)


def test_squared_error_is_in_the_targets_units():
    assert float(squared_error(jnp.asarray(PREDICTED), TARGET, jnp.float32(2))) == pytest.approx(1.5 / 4)
    scale = jnp.array([2, 1], jnp.float32)
    assert float(squared_error(jnp.asarray(TWO[0]), TWO[1], scale)) == pytest.approx(1.5 / 4 / 2)


def test_half_precision_is_averaged_in_single():
    # 1 + 2**-9 is not a number of bfloat16, and no mean of many 1s and 2s is either.
    outputs, y = jnp.full(512, 1, jnp.bfloat16).at[0].set(2), np.zeros(512, np.float32)
    assert mae(outputs, y).dtype == np.float32
    assert float(mae(outputs, y)) == 1 + 2**-9
    assert float(squared_error(outputs, y, jnp.float32(1))) == 1 + 3 / 512
    logits = jnp.asarray(LOGITS).astype(jnp.bfloat16)
    exact = cross_entropy(logits.astype(jnp.float32), Y)
    assert float(cross_entropy(logits, Y)) == float(exact)


def score(outputs, y):
    return jnp.mean(outputs)


@pytest.mark.parametrize(
    ("task", "metric", "minimize", "name", "direction"),
    [
        ("classification", None, False, "accuracy", "maximize"),
        ("regression", None, False, "r2", "maximize"),
        ("regression", "rmse", False, "rmse", "minimize"),
        ("regression", "mae", True, "mae", "minimize"),
        ("classification", score, False, "score", "maximize"),
        ("classification", score, True, "score", "minimize"),
        ("classification", lambda outputs, y: jnp.mean(outputs), True, "score", "minimize"),
    ],
)
def test_a_goal_is_read(task, metric, minimize, name, direction):
    goal = read_goal(task, None, metric, minimize)
    assert (goal.name, goal.direction) == (name, direction)
    assert goal.sign == (1 if direction == "maximize" else -1)
    assert goal.metric is (metric if callable(metric) else METRICS[name].function)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": 3}, "loss=3 must be a function of outputs and targets, or None"),
        ({"metric": 3}, "metric=3 must be a name or a function of outputs and targets, or None"),
        (
            {"metric": "f2"},
            "metric='f2' is no metric of classification; use accuracy, balanced_accuracy, f1",
        ),
        ({"metric": "rmse"}, "metric='rmse' is no metric of classification; use accuracy"),
        ({"metric": "accuracy", "minimize": True}, "minimize=True cannot go with metric='accuracy', of which higher"),
        ({"minimize": True}, "minimize=True cannot go with metric='accuracy', of which higher is better; leave it out"),
    ],
)
def test_bad_goals_are_refused(options, message):
    with pytest.raises(ValueError) as refused:
        read_goal("classification", **options)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_other_metrics_of_regression_are_named():
    with pytest.raises(ValueError, match="no metric of regression; use r2, rmse, mae, or a function of your own"):
        read_goal("regression", metric="accuracy")
