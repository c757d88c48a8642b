"""The Gaussian process against float64 references, and the search that stands on it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxhpo import Objective, Outcome, Proposal, run_traced
from jaxhpo.algorithms import gp, make
from jaxhpo.algorithms.common import cholesky
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.gp import acquisition, fit, kernel, posterior
from jaxhpo.algorithms.gp.data import modelled
from jaxhpo.algorithms.gp.search import Search, codes
from jaxhpo.algorithms.gp.warp import warp
from jaxhpo.space import Choice, Float, Int, Space

MIXED = Space({"x": Float(0.0, 1.0), "layers": Int(1, 4), "optimizer": Choice(("sgd", "adam", "rmsprop"))})
ORDERED = np.array([True, True, False])
THETA = np.log([4.0, 1.5, 0.7, 1.3, 0.01])


def data(number, size=None, seed=0):
    """Return points of MIXED and targets, `number` of `size` rows filled, junk in the others."""
    size = size or number
    rng = np.random.default_rng(seed)
    point = np.asarray(MIXED.canonical(jnp.asarray(rng.uniform(size=(size, 3)).astype(np.float32))))
    target = (np.sin(5 * point[:, 0]) + point[:, 1] + (point[:, 2] > 0.5)).astype(np.float32)
    return point, target - target[:number].mean(), np.arange(size) < number


def plain_covariance(theta, point, other, xp=np):
    """Return Matern 5/2 between points, as the books write it."""
    distance = 0.0
    for d, has_order in enumerate(ORDERED):
        apart = xp.subtract.outer(point[:, d], other[:, d])
        distance = distance + xp.exp(theta[d]) * (apart**2 if has_order else (apart != 0).astype(float))
    root = xp.sqrt(5 * distance + 1e-300)
    return xp.exp(theta[3]) * (1 + root + root**2 / 3) * xp.exp(-root)


def noise_of(theta, xp=np):
    return kernel.NOISE + xp.exp(theta[4])


def squared(point):
    square = jnp.stack(kernel.squares(ORDERED, jnp.asarray(point), jnp.asarray(point)))
    return square.reshape(len(ORDERED), -1)


@pytest.mark.slow
def test_posterior_is_that_of_a_float64_process():
    point, target, _ = data(32)
    new = data(50, seed=1)[0]
    hyper = kernel.unpack(jnp.asarray(THETA, jnp.float32))
    process = posterior.condition(ORDERED, hyper, jnp.asarray(point), jnp.asarray(target), jnp.ones(32, bool), 0)
    mean, deviation = posterior.predict(ORDERED, process, jnp.asarray(new))
    there = plain_covariance(THETA, point.astype(float), point.astype(float)) + noise_of(THETA) * np.eye(32)
    across = plain_covariance(THETA, new.astype(float), point.astype(float))
    variance = np.exp(THETA[3]) - np.einsum("mn,nm->m", across, np.linalg.solve(there, across.T))
    np.testing.assert_allclose(mean, across @ np.linalg.solve(there, target), atol=1e-3)
    np.testing.assert_allclose(np.square(deviation), variance, atol=1e-3)


@pytest.mark.slow
def test_likelihood_and_its_gradient_are_those_of_float64():
    point, target, filled = data(32)
    theta = jnp.asarray(THETA, jnp.float32)
    value, gradient = fit.log_likelihood(theta, fit.Data(squared(point), jnp.asarray(target), jnp.asarray(filled)))
    prior, slope = fit.log_prior(theta)
    with jax.enable_x64(True):

        def likelihood(theta):
            there = plain_covariance(theta, jnp.asarray(point, float), jnp.asarray(point, float), jnp)
            lower = jnp.linalg.cholesky(there + noise_of(theta, jnp) * jnp.eye(32))
            half = jax.scipy.linalg.solve_triangular(lower, jnp.asarray(target, float), lower=True)
            return -0.5 * half @ half - jnp.sum(jnp.log(jnp.diagonal(lower)))

        true, true_gradient = jax.value_and_grad(likelihood)(jnp.asarray(THETA))
    np.testing.assert_allclose(value, true, rtol=1e-3)
    np.testing.assert_allclose(gradient, true_gradient, rtol=2e-3, atol=2e-3)
    shift = np.float32(1e-2) * np.eye(5, dtype=np.float32)
    numeric = [(fit.log_prior(theta + s)[0] - fit.log_prior(theta - s)[0]) / 2e-2 for s in shift]
    np.testing.assert_allclose(slope, numeric, atol=2e-3)
    assert np.isfinite(prior)


@pytest.mark.slow
def test_empty_rows_change_nothing():
    theta, new = jnp.asarray(THETA, jnp.float32), jnp.asarray(data(20, seed=1)[0])
    found = []
    for size in (16, 32, 64):
        point, target, filled = (np.array(part) for part in data(16, size))
        point[:16], target[:16], _ = data(16)
        target = np.where(filled, target, 0)
        known = fit.Data(squared(point), jnp.asarray(target), jnp.asarray(filled))
        process = posterior.condition(ORDERED, kernel.unpack(theta), point, jnp.asarray(target), jnp.asarray(filled), 3)
        found.append((*fit.log_likelihood(theta, known), *posterior.predict(ORDERED, process, new)))
    for other in found[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found[0], other)


@pytest.mark.slow
def test_a_fit_finds_what_matters():
    rng = np.random.default_rng(0)
    point = rng.uniform(size=(64, 3)).astype(np.float32)
    target = np.sin(6 * point[:, 0])
    target = ((target - target.mean()) / target.std()).astype(np.float32)
    known = fit.Data(squared(point * np.float32([1, 1, 0])), jnp.asarray(target), jnp.ones(64, bool))
    start = fit.prior_mode(3)
    theta, density = jax.jit(fit.fit)(start, known)
    assert density > fit.log_likelihood(start, known)[0] + fit.log_prior(start)[0] + 10
    hyper = kernel.unpack(theta)
    assert hyper.relevance[0] > 10 * hyper.relevance[1]
    assert hyper.noise < 0.01
    again, better = jax.jit(fit.fit)(theta, known)
    assert better >= density - 0.05
    np.testing.assert_allclose(again, theta, atol=0.5)


@pytest.mark.slow
def test_supposing_the_mean_leaves_it_and_shrinks_the_deviation():
    point, target, _ = data(16)
    hyper = kernel.unpack(jnp.asarray(THETA, jnp.float32))
    new = jnp.asarray(data(20, seed=1)[0])
    process = posterior.condition(ORDERED, hyper, point, jnp.asarray(target), jnp.ones(16, bool), 2)
    mean, deviation = posterior.predict(ORDERED, process, new)
    after = posterior.append(ORDERED, process, new[0], jnp.int32(16))
    after = posterior.append(ORDERED, after, new[1], jnp.int32(17))
    whole = np.concatenate([point, new[:2]])
    shrunk = posterior.predict(ORDERED, after, new)
    np.testing.assert_allclose(shrunk[0], mean, atol=1e-5)
    assert (shrunk[1] <= deviation + 1e-5).all()
    there = plain_covariance(THETA, whole.astype(float), whole.astype(float)) + noise_of(THETA) * np.eye(18)
    across = plain_covariance(THETA, np.asarray(new, float), whole.astype(float))
    variance = np.exp(THETA[3]) - np.einsum("mn,nm->m", across, np.linalg.solve(there, across.T))
    np.testing.assert_allclose(np.square(shrunk[1]), variance, atol=1e-3)


@pytest.mark.slow
def test_what_cannot_be_factored_gets_more_noise():
    point = jnp.zeros((16, 3), jnp.float32)
    hyper = kernel.Hyperparameters(jnp.ones(3, jnp.float32), jnp.float32(1e4), jnp.float32(1e-5))
    process = posterior.condition(ORDERED, hyper, point, jnp.ones(16, jnp.float32), jnp.ones(16, bool), 1)
    assert process.hyper.noise > hyper.noise
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(process))


@pytest.mark.slow_but_for("4", "16", "64")
@pytest.mark.parametrize("size", [4, 16, 64, 256])
def test_a_triangle_is_inverted(size):
    rng = np.random.default_rng(size)
    a = rng.normal(size=(size, 2 * size))
    lower = np.linalg.cholesky(a @ a.T / size + np.eye(size)).astype(np.float32)
    np.testing.assert_allclose(cholesky.inverse(jnp.asarray(lower)), np.linalg.inv(lower), atol=1e-5)


def test_a_triangle_of_near_points_is_inverted():
    rng = np.random.default_rng(0)
    point = rng.uniform(size=(64, 3)).astype(np.float32)
    point[32:] = point[:32] + 1e-3 * rng.normal(size=(32, 3))
    hyper = kernel.Hyperparameters(jnp.full(3, 0.1, jnp.float32), jnp.float32(1), jnp.float32(1e-5))
    there = kernel.covariance(np.ones(3, bool), hyper, jnp.asarray(point), jnp.asarray(point))
    lower = np.asarray(jnp.linalg.cholesky(there + 1e-5 * jnp.eye(64, dtype=jnp.float32)))
    found = np.asarray(cholesky.inverse(jnp.asarray(lower)), float)
    np.testing.assert_allclose(found @ lower, np.eye(64), atol=2e-3)


def test_log_improvement_is_exact_over_many_orders_of_magnitude():
    z = np.concatenate([np.linspace(-40, 8, 2000), [-2.5, -2.4999, -2.5001, -1e3, -1e6]]).astype(np.float32)
    t = -z.astype(float)
    # For t > 0: phi(t) (1 - t R(t)), Mills' ratio R by erfcx; far out by its series, as erfcx cancels in float64 too.
    mills = math.sqrt(math.pi / 2) * special.erfcx(np.maximum(t, 0) / math.sqrt(2))
    rest = np.where(t < 50, 1 - t * mills, 1 / t**2 * (1 - 3 / t**2))
    below = -0.5 * t**2 - 0.5 * math.log(2 * math.pi) + np.log(np.where(t > 0, rest, 1.0))
    above = np.log(np.where(t <= 0, np.exp(-0.5 * t**2) / math.sqrt(2 * math.pi) - t * special.ndtr(-t), 1.0))
    true = np.where(t > 0, below, above)
    assert true.min() < -800  # of float32's 10^-38, 10^-347
    found = np.asarray(acquisition.log_improvement(jnp.asarray(z)))
    np.testing.assert_allclose(found, true, rtol=2e-6, atol=3e-6)


@pytest.mark.slow
def test_acquisitions_agree_where_they_can():
    mean, deviation = jnp.array([0.0, 1.0, -2.0]), jnp.array([1.0, 0.5, 0.1])
    best = jnp.float32(0.5)
    improvement = acquisition.ei(mean, deviation, best)
    np.testing.assert_allclose(improvement[0], 0.19780, atol=1e-4)
    np.testing.assert_allclose(jnp.log(improvement[:2]), acquisition.log_ei(mean, deviation, best)[:2], atol=1e-5)
    assert improvement[2] == 0  # and its logarithm is still told apart
    assert np.isfinite(acquisition.log_ei(mean, deviation, best)).all()
    np.testing.assert_allclose(acquisition.ucb(mean, deviation, best), [2.0, 2.0, -1.8], atol=1e-6)


def told(score, point=None):
    score = np.asarray(score, np.float32)
    rows = len(score)
    point = np.zeros((rows, 2), np.float32) if point is None else point
    trial = np.arange(rows, dtype=np.int32)
    proposal = Proposal(point, np.ones(rows, np.int32), trial * 0 - 1, np.ones(rows, bool), trial)
    history = histories.grow(histories.empty(point.shape[1], 1), rows)
    return jax.jit(histories.append)(history, proposal, Outcome(score, {}))


def test_warped_scores_keep_their_order_and_forget_how_bad_the_bad_are():
    score = np.array([0.9, 0.8, 0.5, -1.0, -1e7, np.nan, 0.85])
    warped = np.asarray(warp(told(score)).score)
    assert (np.diff(warped[[4, 3, 2, 1, 6, 0]]) > 0).all()
    np.testing.assert_allclose(warped[:7].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(warped[:7].std(), 1, atol=1e-5)
    assert (warped[7:] == 0).all()
    assert warped[:7].min() > -3
    same = np.asarray(warp(told(np.where(score == -1e7, -1e9, score))).score)
    np.testing.assert_allclose(same, warped, atol=1e-6)
    better = warped[[0, 6, 1]]  # above the median distances stay
    np.testing.assert_allclose(better[0] - better[1], better[1] - better[2], rtol=1e-4)


@pytest.mark.parametrize("score", [[0.3] * 5, [np.nan] * 5, [0.3], [1e30, -1e30, 1e30]])
def test_warped_scores_are_finite(score):
    assert np.isfinite(warp(told(score)).score).all()


@pytest.mark.slow
def test_of_many_trials_the_best_and_the_latest_are_seen():
    score = np.arange(100.0)
    score[3] = 1000
    point, target, _, there, _ = modelled(told(score, np.repeat(score[:, None], 2, 1).astype(np.float32) / 1000), 16)
    assert there.all()
    assert set(np.asarray(point)[:, 0] * 1000) >= {1000.0, 99.0, 98.0, 93.0}
    assert target.shape == (16,)


@pytest.mark.slow
def test_steps_reach_every_neighbour():
    search = Search(MIXED, 8)
    start = MIXED.from_config({"x": 0.5, "layers": 2, "optimizer": "adam"})
    point = np.asarray(search.beside(jax.random.key(0), jnp.asarray(start)[None]))[0]
    np.testing.assert_array_equal(point, MIXED.canonical(jnp.asarray(point)))
    apart = point[:24] != start
    assert (apart.sum(1) <= 1).all()
    seen = [MIXED.to_config(row) for row in point[:24]]
    assert {c["layers"] for c in seen} == {1, 2, 3, 4}
    assert {c["optimizer"] for c in seen} == {"sgd", "adam", "rmsprop"}
    lengths = np.abs(point[:8, 0] - 0.5)
    assert lengths.max() > 0.1
    assert 0 < lengths.min() < 0.005
    np.testing.assert_array_equal(point[:, 0] * 2**14 % 1, 0)


def test_codes_tell_points_apart():
    point = jnp.asarray(np.random.default_rng(0).uniform(size=(2000, 3)).astype(np.float32))
    code = np.asarray(codes(jnp.concatenate([point, point])))
    assert len(set(code.tolist())) == 2000
    np.testing.assert_array_equal(code[:2000], code[2000:])


def objective(score):
    return Objective(lambda key: (), lambda key, state, proposal: (state, Outcome(score(proposal.point), {})))


@pytest.mark.slow
def test_it_finds_the_top_of_a_parabola():
    space = Space({"x": Float(0.0, 1.0)})
    record = run_traced(
        make("gp", space, lanes=1, startup=4), objective(lambda p: -((p[:, 0] - 0.3) ** 2)), 15, seeds=3
    )
    assert (np.abs(np.asarray(record.proposal.point)[:, :, 0, 0] - 0.3).min(axis=1) < 2e-3).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ei", "ucb"])
def test_other_acquisitions_find_it_too(name):
    space = Space({"x": Float(0.0, 1.0)})
    method = make("gp", space, lanes=2, startup=4, acquisition=name)
    record = run_traced(method, objective(lambda p: -((p[:, 0] - 0.3) ** 2)), 8)
    assert np.abs(np.asarray(record.proposal.point)[..., 0] - 0.3).min() < 1e-2


@pytest.mark.slow
def test_every_configuration_of_a_small_space_is_tried_once():
    space = Space({"a": Choice(("x", "y", "z")), "b": Int(1, 4), "c": Choice((1,))})
    record = run_traced(gp(space, lanes=4), objective(lambda p: -p[:, 1]), 4, seeds=2)
    points = np.asarray(record.proposal.point)
    for seed in range(2):
        rows = [tuple(row) for row in points[seed, :3].reshape(12, 3)]
        assert len(set(rows)) == 12
    assert np.isfinite(points).all()  # the fourth batch finds nothing new


@pytest.mark.slow
def test_scores_that_say_nothing_are_harmless():
    # Half of the trials fail, and the others are equal.
    record = run_traced(gp(MIXED, lanes=4, startup=4), objective(lambda p: jnp.where(p[:, 0] > 0.5, 0.0, jnp.nan)), 4)
    points = np.asarray(record.proposal.point).reshape(16, 3)
    assert np.isfinite(points).all()
    assert len({tuple(row) for row in points}) == 16
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(record.metrics))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"acquisition": "pi"}, "acquisition='pi' is unknown; use one of log_ei, ei, ucb"),
        ({"startup": 0}, "startup=0 must be an integer of at least 1"),
        ({"candidates": 1.5}, "candidates=1.5 must be an integer"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError) as error:
        gp(MIXED, lanes=1, **arguments)
    assert message in str(error.value)
