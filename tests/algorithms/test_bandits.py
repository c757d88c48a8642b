import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxhpo.algorithms import thompson, ucb
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.model_based.linear_bandit import Arms, reward
from jaxhpo.algorithms.model_based.thompson import draw
from jaxhpo.algorithms.model_based.ucb import choose
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome, Proposal

METHODS = {"ucb": ucb, "thompson": thompson}
SMALL = Space({"rate": Float(0.0, 1.0, levels=5), "kind": Choice(("x", "y", "z"))})  # 15 arms
LARGE = Space({f"x{i}": Choice(("a", "b", "c", "d")) for i in range(16)})  # 4^16 arms


def told(space, levels, scores):
    """A history of so many trials."""
    levels, number = np.array(levels, np.int32), len(scores)
    none = np.full(number, -1, np.int32)
    proposal = Proposal(
        space.from_levels(levels), np.ones(number, np.int32), none, np.ones(number, bool), np.arange(number)
    )
    history = histories.empty(len(space), number)
    return histories.append(history, proposal, Outcome(np.array(scores, np.float32), {}))


def correlated(one, other, sharpness=3.0):
    """The correlation of arms of SMALL in float64: a Gaussian in both levels' vectors."""
    place = np.arange(5) / 4
    near = np.exp(-((place[:, None] - place[None]) ** 2) / (2 * 0.3**2))
    similarity = near[one[:, None, 0], other[None, :, 0]] + (one[:, None, 1] == other[None, :, 1])
    return np.exp(sharpness * (similarity / 2 - 1))


GRID = np.array([(i, j) for i in range(5) for j in range(3)], np.int32)
TRIED = np.array([(0, 0), (2, 1), (4, 2), (2, 0)], np.int32)
SCORES = [1.0, 3.0, 2.0, 5.0]


def exact(levels, rewards, noise=0.01):
    """Mean and covariance of all arms of SMALL by the closed form in float64."""
    inverse = np.linalg.inv(correlated(levels, levels) + noise * np.eye(len(levels)))
    cross = correlated(GRID, levels)
    return cross @ inverse @ rewards, correlated(GRID, GRID) - cross @ inverse @ cross.T


@pytest.fixture(scope="module")
def model():
    arms = Arms(SMALL, "ucb", 64)
    history = told(SMALL, TRIED, SCORES)
    embedding = arms.embed(GRID)
    return arms, history, arms.posterior(history), embedding


@pytest.mark.slow
def test_rewards_are_normal_scores_of_ranks():
    history = told(SMALL, [(0, 0)] * 4, [1.0, 3.0, 2.0, np.nan])
    # The failed trial shares the worst rank with the worst one.
    expected = norm.ppf(np.array([1.0, 3.5, 2.5, 1.0]) / 4)
    np.testing.assert_allclose(reward(history)[:4], expected, atol=1e-6)
    np.testing.assert_array_equal(reward(history)[4:], 0)
    assert not np.any(reward(told(SMALL, [(0, 0)] * 3, [7.0] * 3)))
    assert not np.any(reward(told(SMALL, [(0, 0)] * 3, [np.nan] * 3)))


@pytest.mark.slow
def test_vectors_give_the_correlations(model):
    arms, _, _, embedding = model
    np.testing.assert_allclose(jnp.sum(embedding**2, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(arms.correlation(embedding, embedding), correlated(GRID, GRID), atol=0.01)


@pytest.mark.slow
def test_posterior_is_the_closed_form(model):
    arms, _, posterior, embedding = model
    rewards = norm.ppf((np.array([0, 2, 1, 3]) + 0.5) / 4)
    mean, covariance = exact(TRIED, rewards)
    white = posterior.whitener @ arms.covariance(posterior, embedding)
    np.testing.assert_allclose((posterior.whitener @ posterior.reward) @ white, mean, atol=0.01)
    np.testing.assert_allclose(1 - np.sum(white**2, axis=0), np.diag(covariance), atol=0.01)


@pytest.mark.slow
def test_ucb_picks_the_arms_of_the_closed_form(model):
    arms, _, posterior, embedding = model
    name = arms.names(GRID)
    chosen = choose(arms, posterior, embedding, name, jnp.zeros(15), 4, 1.5)
    # As if the mean of each chosen arm had been told, in float64.
    levels, rewards, expected = TRIED, norm.ppf((np.array([0, 2, 1, 3]) + 0.5) / 4), []
    for _ in range(4):
        mean, covariance = exact(levels, rewards)
        bound = mean + 1.5 * np.sqrt(np.diag(covariance))
        bound[expected] = -np.inf
        best = int(np.argmax(bound))
        levels, rewards = np.concatenate([levels, GRID[None, best]]), np.append(rewards, mean[best])
        expected.append(best)
    np.testing.assert_array_equal(chosen, expected)


@pytest.mark.slow
def test_without_exploration_ucb_takes_the_best_mean_not_told(model):
    _, history, _, _ = model
    algorithm = ucb(SMALL, lanes=1, exploration=0.0)
    mean, _ = exact(TRIED, norm.ppf((np.array([0, 2, 1, 3]) + 0.5) / 4))
    seen = (GRID[:, None] == TRIED[None]).all(2).any(1)
    expected = SMALL.from_levels(GRID[np.argmax(np.where(seen, -np.inf, mean))])
    np.testing.assert_array_equal(algorithm.ask(jax.random.key(0), history).point[0], expected)


@pytest.mark.slow
def test_draws_have_the_posterior_distribution(model):
    arms, _, posterior, embedding = model
    draws = np.concatenate(
        [draw(jax.random.key(seed), arms, posterior, embedding, 100) for seed in range(200)]
    )  # random waves differ by key only
    mean, covariance = exact(TRIED, norm.ppf((np.array([0, 2, 1, 3]) + 0.5) / 4))
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.04)
    # How often an arm is the best one, against draws from the closed form.
    rng = np.random.default_rng(0)
    ideal = rng.multivariate_normal(mean, covariance, size=20_000, method="eigh")
    share = [np.bincount(np.argmax(d, axis=1), minlength=15) / len(d) for d in (draws, ideal)]
    np.testing.assert_allclose(*share, atol=0.02)


@pytest.mark.slow
def test_scale_shrinks_the_draws_towards_the_mean(model):
    arms, _, posterior, embedding = model
    full, half, none = (draw(jax.random.key(3), arms, posterior, embedding, 2, scale) for scale in (1.0, 0.5, 0.0))
    mean, _ = exact(TRIED, norm.ppf((np.array([0, 2, 1, 3]) + 0.5) / 4))
    np.testing.assert_allclose(none, np.stack([mean, mean]), atol=0.01)
    np.testing.assert_allclose(half - none, (full - none) / 2, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_arm_is_pulled_once_before_any_twice(name):
    algorithm = METHODS[name](SMALL, lanes=5)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state, seen = algorithm.init(jax.random.key(0)), set()
    for r in range(3):
        proposal = ask(jax.random.key(r), state)
        seen |= set(map(tuple, np.asarray(proposal.point).tolist()))
        state, _ = tell(jax.random.key(r), state, proposal, Outcome(proposal.point[:, 0], {}))
    assert len(seen) == 15
    again = np.asarray(ask(jax.random.key(9), state).point)
    assert len(np.unique(again, axis=0)) == 5  # all were told, so they repeat, but not one another


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_constant_and_failed_scores(name):
    algorithm = METHODS[name](LARGE, lanes=4, candidates=32)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    for score in (1.0, np.nan):
        state, seen = algorithm.init(jax.random.key(0)), []
        for r in range(6):
            proposal = ask(jax.random.key(r), state)
            seen += np.asarray(proposal.point).tolist()
            state, _ = tell(jax.random.key(r), state, proposal, Outcome(np.full(4, score, np.float32), {}))
        assert len(np.unique(seen, axis=0)) == 24


def test_arms_of_a_large_grid_have_different_numbers():
    arms = Arms(LARGE, "ucb", 64)
    levels = np.random.default_rng(0).integers(0, 4, (5000, 16), dtype=np.int32)
    assert len(np.unique(arms.names(levels))) == len(np.unique(levels, axis=0))


@pytest.mark.slow
def test_half_of_the_sample_is_near_the_best():
    arms = Arms(LARGE, "ucb", 64)
    history = told(LARGE, [[0] * 16, [1] * 16], [1.0, np.nan])
    point, levels = arms.sample(jax.random.key(0), history)
    np.testing.assert_array_equal(LARGE.to_levels(point), levels)
    changed = np.sum(np.asarray(levels) != 0, axis=1)
    assert (changed[32:] <= 2).all()
    assert (changed[:32] > 2).all()


@pytest.mark.slow
def test_ordered_levels_mostly_move_by_one():
    space = Space({"a": Int(0, 99), "b": Int(0, 99), "c": Int(0, 99)})
    arms = Arms(space, "ucb", 512)
    levels = jnp.broadcast_to(jnp.array([0, 50, 99], jnp.int32), (512, 3))
    unit = jax.random.uniform(jax.random.key(0), (512, 3), jnp.float32)
    change = np.asarray(arms._moved(levels, unit) - levels)
    assert (np.sum(change != 0, axis=1) == 1).all()
    assert 0.4 < np.mean(abs(change).max(axis=1) == 1) < 0.6


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        (Space({"a": Float(0.0, 1.0)}), {}, "set levels="),
        (SMALL, {"candidates": 1}, "candidates=1 must be an integer of at least 2"),
        (SMALL, {"sharpness": 0.0}, "sharpness=0.0 must be a number in"),
        (SMALL, {"noise": -1.0}, "noise=-1.0 must be a number in"),
    ],
)
def test_arguments_are_checked(name, space, options, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        METHODS[name](space, lanes=2, **options)
