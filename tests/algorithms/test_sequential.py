"""MetaQNN, REINFORCE and actor-critic, and the walk through a space's levels that they share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import actor_critic, metaqnn, reinforce
from jaxhpo.algorithms.common import history
from jaxhpo.algorithms.common.history import first_new
from jaxhpo.algorithms.sequential import policy
from jaxhpo.algorithms.sequential.walk import Walk
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome, Proposal

SPACE = Space({"a": Choice(("x", "y")), "b": Int(1, 3)})
METHODS = [metaqnn, reinforce, actor_critic]


def tell(algorithm, rows, scores, state=None):
    """Return the state after rows of levels were told as one batch, of two lanes."""
    state = algorithm.init(jax.random.key(0)) if state is None else state
    levels = jnp.asarray(rows, jnp.int32)
    none = jnp.full(len(rows), -1, jnp.int32)
    trial = state.history.count + jnp.arange(len(rows), dtype=jnp.int32)
    proposal = Proposal(SPACE.from_levels(levels), none + 2, none, none < 0, trial)
    return algorithm.tell(jax.random.key(1), state, proposal, Outcome(jnp.asarray(scores, jnp.float32), {}))


@pytest.mark.slow
def test_a_walk_knows_the_choice_before():
    walk = Walk(SPACE, "test", 0.0)
    assert walk.shape == (2, 3, 3)
    np.testing.assert_array_equal(walk.before(jnp.array([[1, 2], [0, 0]])), [[0, 1], [0, 0]])
    where, what = walk.taken(jnp.array([[1, 2]]))
    np.testing.assert_array_equal(where[0], [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(what[0], [[0, 1, 0], [0, 0, 1]])


def test_neighbours_count_where_levels_have_an_order():
    _, what = Walk(SPACE, "test", 1.0).taken(jnp.array([[1, 2]]))
    np.testing.assert_array_equal(what[0, 0], [0, 1, 0])  # words have none, and "a" no third level
    np.testing.assert_allclose(what[0, 1], [np.exp(-2), np.exp(-1), 1], rtol=1e-6)


def test_many_levels_share_bins():
    walk = Walk(Space({"n": Int(1, 1024), "m": Int(1, 2)}), "test", 0.0)
    assert walk.shape == (2, 16, 1024)
    np.testing.assert_array_equal(walk.before(jnp.array([[0, 0], [63, 0], [64, 1], [1023, 1]]))[:, 1], [0, 0, 1, 15])


def test_new_points_come_first_and_each_once():
    told = history.empty(1, 1)
    one = Proposal(jnp.array([[0.5]]), jnp.array([1]), jnp.array([-1]), jnp.array([True]), jnp.array([0]))
    told = history.append(told, jax.tree.map(lambda leaf: leaf.astype(leaf.dtype), one), Outcome(jnp.array([1.0]), {}))
    points = jnp.array([[0.5], [0.1], [0.1], [0.2], [0.5]], jnp.float32)
    np.testing.assert_allclose(first_new(told, points, 2)[:, 0], [0.1, 0.2])
    np.testing.assert_allclose(first_new(told, points, 3)[:, 0], [0.1, 0.2, 0.5])  # where too few are new


def test_replay_by_hand():
    algorithm = metaqnn(SPACE, lanes=2, alpha=0.5, sweeps=1, reach=0.0)
    state, _ = tell(algorithm, [[0, 1], [1, 2]], [0.1, 0.9])  # ranks 0.25 and 0.75
    q = np.asarray(state.q)
    # The last choice goes half-way from 0.5 to the rank; the first then half-way to the best ahead of it.
    np.testing.assert_allclose(q[1, 0], [0.5, 0.375, 0.5], rtol=1e-6)
    np.testing.assert_allclose(q[1, 1], [0.5, 0.5, 0.625], rtol=1e-6)
    np.testing.assert_allclose(q[0, 0, :2], [0.5, 0.5 + 0.5 * (0.625 - 0.5)], rtol=1e-6)


@pytest.mark.slow
def test_greed_follows_q():
    algorithm = metaqnn(SPACE, lanes=1, eps_min=0.0, decay=1e6)
    state = algorithm.init(jax.random.key(0))
    q = state.q.at[0, 0, 1].set(0.9).at[1, 1, 2].set(0.8)
    state = state._replace(q=q, history=state.history._replace(count=jnp.int32(1)))
    levels = SPACE.to_levels(algorithm.ask(jax.random.key(5), state).point)
    np.testing.assert_array_equal(levels, [[1, 2]])


def test_epsilon_decays_with_the_trials_told():
    algorithm = metaqnn(SPACE, lanes=2, eps_min=0.1, decay=0.05)
    state, metrics = tell(algorithm, [[0, 1], [1, 2]], [0.1, 0.9])
    assert metrics["epsilon"] == 1
    _, metrics = tell(algorithm, [[0, 0], [1, 1]], [0.1, 0.9], state)
    np.testing.assert_allclose(metrics["epsilon"], 0.1 + 0.9 * np.exp(-0.05 * 2), rtol=1e-6)


@pytest.mark.slow
def test_the_policy_gradient_is_that_of_autodiff():
    walk = Walk(SPACE, "test", 0.0)
    rng = np.random.default_rng(0)
    logits = jnp.where(walk.valid[:, None], jnp.asarray(rng.normal(size=walk.shape).astype(np.float32)), 0.0)
    levels, advantage = jnp.array([[0, 2], [1, 1]]), jnp.array([[0.4, -0.2], [0.1, 0.3]], jnp.float32)

    def gain(logits):
        log_p = jnp.log(jnp.maximum(policy.probabilities(walk, logits), 1e-30))
        rows, bins = np.arange(2)[None], walk.before(levels)
        return jnp.sum(advantage * log_p[rows, bins, levels])

    stepped = policy.step(walk, logits, levels, advantage, 0.5, 0.0)
    expected = jnp.where(walk.valid[:, None], logits + 0.5 * jax.grad(gain)(logits), 0.0)
    np.testing.assert_allclose(stepped, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_entropy_bonus_is_the_gradient_of_the_entropy():
    walk = Walk(SPACE, "test", 0.0)
    logits = jnp.zeros(walk.shape, jnp.float32).at[1, 0, 2].set(1.5)
    levels, tiny = jnp.array([[0, 1]]), jnp.full((1, 2), 1e-9, jnp.float32)

    def entropy(logits):
        p = policy.probabilities(walk, logits)[1, 0]
        return -jnp.sum(p * jnp.log(p))

    stepped = policy.step(walk, logits, levels, tiny, 1.0, 0.1)
    np.testing.assert_allclose((stepped - logits)[1, 0], 0.1 * jax.grad(entropy)(logits)[1, 0], atol=1e-6)
    np.testing.assert_allclose((stepped - logits)[1, 1], 0, atol=1e-6)  # no choice was made there


@pytest.mark.slow
def test_the_baseline_by_hand():
    algorithm = reinforce(SPACE, lanes=2, smoothing=0.9)
    state, metrics = tell(algorithm, [[0, 1], [1, 2]], [0.2, 0.2])  # equal scores: both rank 0.5
    np.testing.assert_allclose(metrics["baseline"], 0.5)
    state, metrics = tell(algorithm, [[0, 0], [1, 1]], [0.9, 0.9], state)  # the best two of four: both rank 0.75
    np.testing.assert_allclose(metrics["baseline"], 0.9**2 * 0.5 + (1 - 0.9**2) * 0.75, rtol=1e-6)


@pytest.mark.slow
def test_the_critic_by_hand():
    algorithm = actor_critic(SPACE, lanes=1, critic_rate=0.5, trace=0.5, rate=0.0)
    state, _ = tell(algorithm, [[1, 2]], [1.0])  # alone, it ranks 0.5: no error
    np.testing.assert_allclose(state.values, 0.5)
    state, metrics = tell(algorithm, [[1, 0]], [2.0], state)  # ranks 0.75: errors 0 and 0.25
    np.testing.assert_allclose(metrics["td_error"], 0.125, rtol=1e-6)
    np.testing.assert_allclose(state.values[0, 0], 0.5 + 0.5 * (0 + 0.5 * 0.25), rtol=1e-6)
    np.testing.assert_allclose(state.values[1, 1], 0.5 + 0.5 * 0.25, rtol=1e-6)
    np.testing.assert_allclose(state.values[1, 0], 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_it_learns_what_is_good(method):
    algorithm = method(SPACE, lanes=2)
    state, told = algorithm.init(jax.random.key(0)), []
    ask, tell_ = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    for r in range(30):
        key = jax.random.key(r)
        proposal = ask(key, state)._replace(trial=2 * r + jnp.arange(2, dtype=jnp.int32))
        levels = SPACE.to_levels(proposal.point)
        told.append(np.asarray(levels))
        state, _ = tell_(key, state, proposal, Outcome((levels == jnp.array([[1, 2]])).sum(1).astype(jnp.float32), {}))
    first, last = np.concatenate(told[:10]), np.concatenate(told[-10:])
    good = np.array([[1, 2]])
    assert (last == good).mean() > (first == good).mean()
    assert (last == good).all(axis=1).mean() > 0.3  # 1 in 6 by chance


@pytest.mark.parametrize("method", METHODS)
def test_bad_arguments(method):
    with pytest.raises(ValueError, match=rf"{method.__name__} needs a grid, but c=.* has no levels; set levels="):
        method(Space({"c": Float(0.0, 1.0)}), lanes=2)
    rate = "alpha" if method is metaqnn else "rate"
    with pytest.raises(ValueError, match=rf"{rate}=-1 must be a number in"):
        method(SPACE, lanes=2, **{rate: -1})
