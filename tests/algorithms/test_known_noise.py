"""Standard errors of scores in Gaussian processes: in units of the warped scores, and on the covariance's diagonal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import Outcome, Proposal
from jaxhpo.algorithms import gp, q_learning
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.gp import fit, kernel, posterior
from jaxhpo.algorithms.gp.data import modelled
from jaxhpo.algorithms.gp.warp import soften, warp
from jaxhpo.algorithms.q_learning.reward_posterior import RewardPosterior
from jaxhpo.priors.learned_prior import Knowledge
from jaxhpo.space import Float, Space

LINE = Space({"x": Float(0.0, 1.0)})
WARPS = {warp: jax.jit(warp), soften: jax.jit(soften)}
APPEND = jax.jit(histories.append)


def told(score, error, point=None):
    rows = len(score)
    point = np.linspace(0, 1, rows) if point is None else point
    trial = np.arange(rows, dtype=np.int32)
    rest = np.ones(rows, np.int32), trial * 0 - 1, np.ones(rows, bool), trial
    history = histories.empty(1, rows)
    return APPEND(
        history, Proposal(np.float32(point)[:, None], *rest), Outcome(np.float32(score), {}, np.float32(error))
    )


def noise(warping, score, error):
    """Return the known noise of told trials, as standard deviations of the warped scores."""
    found = np.asarray(WARPS[warping](told(score, error)).noise)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[len(score) :], 0)
    return np.sqrt(found[: len(score)])


SCORE = np.array([0.9, 0.8, 0.5, 0.3, -1e7])  # the middle is 0.5, the ranks are 0.9, 0.7, 0.5, 0.3 and 0.1
SPREAD = np.sqrt((0.4**2 + 0.3**2 + 0) / 3)  # 0.289


def softened(score):
    """Return scores by `soften`, before they are standardised, as a curve of float64 that these fix: [N] -> [N]."""
    below = np.maximum(0.5 - score, 0) / SPREAD
    return np.where(score >= 0.5, (score - 0.5) / SPREAD, -below / (1 + below / 10))


def test_standard_errors_are_multiplied_by_the_slope_of_the_curve():
    deviation = softened(SCORE).std()
    slope = (softened(SCORE + 1e-5) - softened(SCORE - 1e-5)) / 2e-5
    slope[2] = 1 / SPREAD  # where the curve bends a little
    error = np.array([0.05, 0.1, 0.05, 0.2, 3.0])
    np.testing.assert_allclose(noise(soften, SCORE, error), error * slope / deviation, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        WARPS[soften](told(SCORE, error)).score[:5] * deviation, softened(SCORE) - softened(SCORE).mean(), rtol=1e-5
    )


def test_slopes_of_ranks_by_hand():
    # In the better half 1 / 0.289; below it lines to the middle, of height -0.524 over 0.2, and -1.282 over 1e7.
    curve = np.array([0.4 / SPREAD, 0.3 / SPREAD, 0, -0.5244005, -1.2815516])
    slope = np.array([1 / SPREAD] * 3 + [0.5244005 / 0.2, 1.2815516 / 1e7])
    error = np.array([0.05, 0.1, 0.05, 0.2, 1e7])
    np.testing.assert_allclose(noise(warp, SCORE, error), error * slope / curve.std(), rtol=1e-4)
    # The line from 0.499 would be steeper than the better half.
    close = np.array([0.9, 0.8, 0.5, 0.499, -1e7])
    np.testing.assert_allclose(noise(warp, close, error)[3], 0.2 / SPREAD / curve.std(), rtol=1e-4)


@pytest.mark.parametrize("warping", WARPS)
def test_a_better_half_of_one_score_has_the_slope_to_the_next(warping):
    # Ranks 0.25 and 0.75: -0.674 at 1, 0 at 2. Standardised that is -1 and 1.
    np.testing.assert_allclose(noise(warping, [1.0, 2.0], [0.1, 0.05]), [0.2, 0.1], rtol=1e-4)


@pytest.mark.parametrize("warping", WARPS)
def test_what_is_not_known_adds_exactly_nothing(warping):
    for score, error in (
        (SCORE, [np.nan] * 5),
        (SCORE, [0.0] * 5),
        (SCORE, [np.inf] * 5),
        ([0.9, np.nan], [np.nan, 0.1]),  # an error without a score
        ([0.3] * 4, [0.1] * 4),  # constant scores have no scale
        ([0.3], [0.1]),
    ):
        assert (noise(warping, score, error) == 0).all()
    assert (noise(warping, SCORE, [np.nan, 0.1, np.nan, np.nan, np.nan]) > 0).tolist() == [False, True] + [False] * 3
    np.testing.assert_array_equal(noise(warping, SCORE, [1e38] * 5), 1e3)


def test_of_many_trials_the_noise_stays_beside_its_trial():
    score = np.arange(40.0)
    score[3] = 1000
    history = told(score, score / 100)
    whole, data = WARPS[soften](history), jax.jit(lambda history: modelled(history, 16, soften))(history)
    by_score = dict(zip(whole.score[:40].tolist(), whole.noise[:40].tolist(), strict=True))
    assert len(by_score) == 40
    assert data.noise.shape == (16,)
    np.testing.assert_allclose(data.noise, [by_score[value] for value in data.score.tolist()], rtol=1e-6)
    assert len(set(data.noise.tolist())) == 16


POINT, TARGET = np.array([0.1, 0.4, 0.9]), np.array([1.0, -0.5, -0.5])
THETA = np.log([4.0, 1.5, 0.05])  # relevance, signal, noise


def covariance(point, other):
    root = np.sqrt(5 * 4.0) * np.abs(np.subtract.outer(point, other))
    return 1.5 * (1 + root + root**2 / 3) * np.exp(-root)


def diagonal(known, theta=THETA):
    return np.diag(kernel.NOISE + np.exp(theta[-1]) + np.array(known))


def test_a_posterior_with_known_noise_is_plain_linear_algebra():
    known, at = [0.0, 0.7, 0.2], np.array([0.0, 0.3, 0.4, 0.6])
    inverse, across = np.linalg.inv(covariance(POINT, POINT) + diagonal(known)), covariance(at, POINT)

    @jax.jit
    def found(known):
        hyper, ordered = kernel.unpack(jnp.asarray(THETA, jnp.float32)), np.array([True])
        column, target = jnp.asarray(POINT[:, None], jnp.float32), jnp.asarray(TARGET, jnp.float32)
        process = posterior.condition(ordered, hyper, column, target, jnp.ones(3, bool), 0, known)
        return posterior.predict(ordered, process, jnp.asarray(at[:, None], jnp.float32))

    mean, deviation = found(jnp.float32(known))
    np.testing.assert_allclose(mean, across @ inverse @ TARGET, rtol=1e-4)
    np.testing.assert_allclose(np.square(deviation), 1.5 - np.diag(across @ inverse @ across.T), rtol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, found(jnp.zeros(3)), found(jnp.float32(0)))


def test_a_likelihood_with_known_noise_is_plain_linear_algebra():
    known = [0.0, 0.7, 0.2]

    def likelihood(theta):
        there = np.exp(theta[1]) / 1.5 * covariance(POINT, POINT) + diagonal(known, theta)
        return -0.5 * TARGET @ np.linalg.solve(there, TARGET) - 0.5 * np.linalg.slogdet(there)[1]

    square = jnp.asarray(np.square(np.subtract.outer(POINT, POINT)).reshape(1, -1), jnp.float32)
    data = fit.Data(square, jnp.asarray(TARGET, jnp.float32), jnp.ones(3, bool), jnp.float32(known))
    value, gradient = jax.jit(fit.log_likelihood)(jnp.asarray(THETA, jnp.float32), data)
    np.testing.assert_allclose(value, likelihood(THETA), rtol=1e-5)
    steps = 1e-5 * np.eye(3)[1:]  # of signal and noise
    slope = [(likelihood(THETA + step) - likelihood(THETA - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(gradient[1:], slope, rtol=1e-4)


MODEL = RewardPosterior(LINE, Knowledge(LINE, None), 1, 1)
CONDITION = jax.jit(lambda history: MODEL.condition(jnp.asarray(THETA, jnp.float32), history))


def test_the_rewards_of_three_trials_are_plain_linear_algebra():
    spread = 0.3 / np.sqrt(2)
    curve = np.array([-(0.4 / spread) / (1 + 0.04 / spread), 0.3 / spread, 0])
    target = (curve - curve.mean()) / curve.std()
    known = [0.1 / spread / (1 + 0.04 / spread) ** 2 / curve.std(), 0, 0.05 / spread / curve.std()]
    made = CONDITION(told([0.2, 0.9, 0.6], [0.1, np.nan, 0.05], POINT))
    there = covariance(POINT, POINT)
    np.testing.assert_allclose(made.score[:3], target, rtol=1e-5)
    mean = there @ np.linalg.solve(there + diagonal(np.square(known)), target)
    np.testing.assert_allclose(made.mean[:3], mean, rtol=1e-3)


def test_a_larger_standard_error_pulls_the_mean_less_to_the_score():
    off = []
    for error in (np.nan, 0.0, 0.01, 0.1, 0.3, 3.0):
        made = CONDITION(told([0.2, 0.9, 0.3], [np.nan, error, np.nan], POINT))
        off.append(float(made.score[1] - made.mean[1]))
    assert off[0] == off[1] > 0
    assert (np.diff(off[1:]) > 0).all()


METHODS = {
    "gp": lambda: gp(LINE, lanes=4, startup=4),
    "q_learning": lambda: q_learning(LINE, lanes=4),
    "rungs": lambda: q_learning(LINE, lanes=4, budget=9, min_budget=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_without_standard_errors_nothing_changes(name):
    method = METHODS[name]()
    ask, tell = jax.jit(method.ask), jax.jit(method.tell)

    def after(error):
        """Return the state after two rounds whose scores have this standard error, and the next proposal."""
        state = method.init(jax.random.key(0))
        for i in range(2):
            proposal = ask(jax.random.key(i), state)
            score = jnp.sin(9 * proposal.point[:, 0]) + jnp.float32([0.1, -0.2, 0.3, -0.1])
            given = Outcome(score, {}) if error is None else Outcome(score, {}, jnp.full(4, error, jnp.float32))
            state = tell(jax.random.key(i), state, proposal, given)[0]
        return state, ask(jax.random.key(2), state)

    default, unknown, exact, some = map(after, (None, np.nan, 0.0, 0.3))
    jax.tree.map(np.testing.assert_array_equal, default, unknown)
    np.testing.assert_array_equal(exact[0].theta, default[0].theta)
    jax.tree.map(np.testing.assert_array_equal, exact[1], default[1])
    assert np.isnan(default[0].history.noise).all()
    np.testing.assert_array_equal(some[0].history.noise[:8], np.float32(0.3))
    assert some[0].theta[-1] < default[0].theta[-1]  # the fit has less noise to explain
