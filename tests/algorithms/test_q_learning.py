"""Q-learning over a posterior: Q against plain float64 sums, the schedule, the actions, and the search."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxhpo import Objective, Outcome, Proposal, run_traced
from jaxhpo.algorithms import make, q_learning
from jaxhpo.algorithms.gp import kernel, posterior
from jaxhpo.algorithms.gp.search import codes
from jaxhpo.algorithms.q_learning import value
from jaxhpo.algorithms.q_learning.actions import Actions, Considered
from jaxhpo.algorithms.q_learning.reward_posterior import RewardPosterior, Told
from jaxhpo.priors.learned_prior import Knowledge
from jaxhpo.space import Choice, Float, Int, Space
from tests.algorithms.priors import matern

MIXED = Space({"x": Float(0.0, 1.0), "layers": Int(1, 4), "optimizer": Choice(("sgd", "adam", "rmsprop"))})
ORDERED = np.array([True, True, False])
THETA = np.log([4.0, 1.5, 0.7, 1.3, 0.05])


def points(number, seed=0):
    drawn = np.random.default_rng(seed).uniform(size=(number, 3)).astype(np.float32)
    return np.asarray(MIXED.canonical(jnp.asarray(drawn)))


def covariance(point, other):
    """Return the rewards' covariance in float64."""
    return matern(THETA, ORDERED, point, other)


NOISE = kernel.NOISE + np.exp(THETA[4])


def conditioned(told, target, at):
    """Return mean and covariance of the rewards at points, given others, in float64."""
    inverse = np.linalg.inv(covariance(told, told) + NOISE * np.eye(len(told)))
    across = covariance(at, told)
    return across @ inverse @ target, covariance(at, at) - across @ inverse @ across.T


def improvement(mean, deviation, top):
    z = (mean - top) / deviation
    return deviation * (stats.norm.pdf(z) + z * stats.norm.cdf(z))


MODEL = RewardPosterior(MIXED, Knowledge(MIXED, None), 1, 1)


def decision(told, target):
    hyper = kernel.unpack(jnp.asarray(THETA, jnp.float32))
    point, target = jnp.asarray(told), jnp.asarray(target, jnp.float32)
    process = posterior.condition(ORDERED, hyper, point, target, jnp.ones(len(told), bool), 0)
    mean = posterior.predict(ORDERED, process, point)[0]
    return value.Decision(MIXED, MODEL, Told(process, point, target, mean), codes(point))


def considered(point):
    point = jnp.asarray(point)
    one, none = jnp.ones(len(point), jnp.float32), jnp.full(len(point), -1, jnp.int32)
    return Considered(point, codes(point), one > 0, one, one > 0, 0 * one, none)


def picked(told, target, at, gamma, lanes=1, explores=False):
    made = value.choose(decision(told, target), considered(at), jnp.full(lanes, explores), gamma)
    return np.asarray(made).tolist()


def case(seed, number):
    """Return told points and rewards, others, the incumbent's mean, and mean and covariance of the others."""
    told, at = points(12, seed), points(number, 100 + seed)
    target = np.sin(5 * told[:, 0]) + told[:, 1]
    target -= target.mean()
    return told, target, at, conditioned(told, target, told)[0].max(), *conditioned(told, target, at)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_without_discount_q_is_the_expected_improvement(seed):
    told, target, at, top, mean, spread = case(seed, 20)
    reward = improvement(mean, np.sqrt(np.diag(spread)), top)
    found = decision(told, target).improvement(jnp.asarray(at))
    np.testing.assert_allclose(np.exp(found), reward, rtol=2e-3, atol=1e-6)
    assert picked(told, target, at, 0.0) == [reward.argmax()]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_q_is_the_reward_and_the_best_reward_after_each_outcome(seed):
    told, target, at, top, mean, spread = case(seed, 16)
    q = []
    for i in range(len(at)):
        moves = spread[i] / np.sqrt(spread[i, i] + NOISE)
        total = improvement(mean[i], np.sqrt(spread[i, i]), top)
        for z, weight in ((-math.sqrt(3), 1 / 6), (0, 2 / 3), (math.sqrt(3), 1 / 6)):
            then, left = mean + z * moves, np.sqrt(np.diag(spread) - moves**2)
            gains = improvement(then, left, max(top, then[i]))
            total += 0.9 * weight * np.delete(gains, i).max()
        q.append(total)
    assert picked(told, target, at, 0.9) == [int(np.argmax(q))]


@pytest.mark.slow
def test_a_batch_acts_as_if_the_first_had_been_told_what_was_expected():
    told, at = points(12), points(16, 100)
    target = told[:, 0] - told[:, 0].mean()
    batch = picked(told, target, at, 0.0, lanes=3)
    rows, seen = [], target
    for _ in range(3):
        with_chosen = np.concatenate([told, at[rows]])
        top = conditioned(with_chosen, seen, with_chosen)[0].max()
        mean, spread = conditioned(with_chosen, seen, at)
        reward = improvement(mean, np.sqrt(np.diag(spread)), top)
        reward[rows] = -1
        rows.append(int(reward.argmax()))
        seen = np.append(seen, mean[rows[-1]])
    assert batch == rows


@pytest.mark.slow
def test_lanes_that_explore_take_what_was_drawn_for_them():
    told, at = points(12), points(16, 100)
    assert picked(told, told[:, 0], at, 0.9, lanes=3, explores=True) == [13, 14, 15]


@pytest.mark.slow
def test_what_is_told_is_not_taken_while_anything_is_left():
    told = points(12)
    at = np.concatenate([points(2, 100), told[:4]])
    made = considered(at)._replace(allowed=jnp.arange(6) < 2)
    chosen = np.asarray(value.choose(decision(told, told[:, 0]), made, jnp.zeros(3, bool), 0.9))
    assert set(chosen[:2]) == {0, 1}
    assert chosen[2] > 1


@pytest.mark.slow
def test_actions_that_are_considered():
    actions, start = Actions(MIXED, 16, 2), jnp.asarray(points(4))
    aim = jnp.array([[0.3, 0.625, 0.5]])

    def worth(point):
        return jnp.where(point[:, 1] > 0.9, -jnp.inf, -jnp.sum((point - aim) ** 2, axis=1))

    made = jax.jit(lambda key: actions.consider(key, start, worth))(jax.random.key(0))
    point, code, allowed = made[:3]
    point, allowed = np.asarray(point), np.asarray(allowed)
    np.testing.assert_array_equal(point, MIXED.canonical(jnp.asarray(point)))
    np.testing.assert_array_equal(np.asarray(code), codes(jnp.asarray(point)))
    np.testing.assert_array_equal(allowed, point[:, 1] < 0.9)
    assert len(set(np.asarray(code)[:-2].tolist())) == len(code) - 2  # none twice, beside what exploring lanes get
    assert np.abs(point[:1] - aim).max() < 2e-2  # steps led to the best there is
    np.testing.assert_array_equal(np.argsort(-np.asarray(worth(jnp.asarray(point[:-2]))), kind="stable"), np.arange(64))


def test_actions_whose_variance_counts_set_one_hyperparameter_each():
    base = jnp.asarray(points(1)[0])
    around = np.asarray(Actions(MIXED, 16, 1).around(base))
    assert around.shape == (12, 3)
    assert ((around != np.asarray(base)).sum(axis=1) <= 1).all()
    np.testing.assert_array_equal(around[:4, 0], [0.125, 0.375, 0.625, 0.875])


def told_trials(rounds, **options):
    """Return metrics of each round, with scores of a parabola."""
    method = q_learning(MIXED, lanes=4, **options)
    tell = jax.jit(method.tell)
    state, rows = method.init(jax.random.key(0)), []
    for r in range(rounds):
        point = jnp.asarray(points(4, r))
        trial = jnp.arange(4, dtype=jnp.int32) + 4 * r
        proposal = Proposal(point, jnp.ones(4, jnp.int32), jnp.full(4, -1), jnp.arange(4) < 3, trial)
        state, metrics = tell(jax.random.key(r), state, proposal, Outcome(-((point[:, 0] - 0.3) ** 2), {}))
        rows.append({name: float(leaf) for name, leaf in metrics.items()})
    return rows


@pytest.mark.slow_but_for("high_var_faster")
@pytest.mark.parametrize("rule", ["high_var_slower", "high_var_faster"])
def test_epsilon_decays_by_the_variance(rule):
    rows = told_trials(5, eps_min=0.1, eps_max=0.7, k_0=0.05, lam=2.0, variance_rule=rule)
    total = 0.0
    for row in rows:
        assert row["epsilon"] == pytest.approx(0.1 + 0.6 * math.exp(-total), rel=1e-5)
        v = row["q_variance"]
        assert row["k"] == pytest.approx(0.05 / (1 + 2 * v) if rule == "high_var_slower" else 0.05 + 2 * v, rel=1e-5)
        total += 3 * row["k"]  # of four lanes three are active
    assert rows[0]["q_variance"] == 1
    assert rows[-1]["q_variance"] < 0.5 * rows[1]["q_variance"]


def objective(score):
    return Objective(lambda key: (), lambda key, state, proposal: (state, Outcome(score(proposal.point), {})))


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.0, 0.9])
def test_it_finds_the_top_of_a_parabola(gamma):
    space = Space({"x": Float(0.0, 1.0)})
    method = make("q_learning", space, lanes=1, gamma=gamma, eps_max=0.0)
    record = run_traced(method, objective(lambda p: -((p[:, 0] - 0.3) ** 2)), 15, seeds=3)
    assert (np.abs(np.asarray(record.proposal.point)[:, :, 0, 0] - 0.3).min(axis=1) < 4e-3).all()


@pytest.mark.slow
def test_every_configuration_of_a_small_space_is_tried_once():
    space = Space({"a": Choice(("x", "y", "z")), "b": Int(1, 4), "c": Choice((1,))})
    record = run_traced(q_learning(space, lanes=4), objective(lambda p: -p[:, 1]), 4, seeds=2)
    tried = np.asarray(record.proposal.point)
    for seed in range(2):
        assert len({tuple(row) for row in tried[seed, :3].reshape(12, 3)}) == 12
    assert np.isfinite(tried).all()  # the fourth batch finds nothing new


@pytest.mark.slow
def test_the_incumbent_is_what_is_expected_of_it():
    # Of twenty scores of one configuration one is far too high.
    told, target = np.repeat(points(1), 20, axis=0), np.append(np.zeros(19), 5.0)
    assert float(decision(told, target).top) == pytest.approx(conditioned(told, target, told)[0][0], rel=1e-3)
    assert float(decision(told, target).top) < 0.3


@pytest.mark.slow
def test_scores_that_say_nothing_are_harmless():
    score = objective(lambda p: jnp.where(p[:, 0] > 0.5, 0.0, jnp.nan))  # half fail, and the others are equal
    record = run_traced(q_learning(MIXED, lanes=4), score, 4)
    tried = np.asarray(record.proposal.point).reshape(16, 3)
    assert len({tuple(row) for row in tried}) == 16
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(record.metrics))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": 1.5}, "gamma=1.5 must be"),
        ({"eps_min": 0.5, "eps_max": 0.1}, "eps_min=0.5 must not exceed eps_max=0.1"),
        ({"variance_rule": "no"}, "variance_rule='no' is unknown"),
        ({"startup": -1}, "startup=-1 must be an integer of at least 0"),
        ({"candidates": 1.5}, "candidates=1.5 must be an integer"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError) as error:
        q_learning(MIXED, lanes=1, **arguments)
    assert message in str(error.value)
