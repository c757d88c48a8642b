import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import regularized_evolution
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.proposals import fresh
from jaxhpo.algorithms.evolution.regularized_evolution import parents as eager_parents
from jaxhpo.space import Choice, Int, Space
from jaxhpo.types import Outcome

KEY = jax.random.key(0)
parents = jax.jit(eager_parents, static_argnums=(2, 3, 4))
SPACE = Space({"a": Int(0, 31), "b": Choice(tuple("abcdefgh")), "c": Int(0, 31)})


def told(score):
    """Return a history of trials of these scores."""
    score = np.asarray(score, np.float32)
    history = histories.grow(histories.empty(len(SPACE), 1), len(score))
    points = np.random.default_rng(9).uniform(size=(len(score), len(SPACE))).astype(np.float32)
    proposal = fresh(SPACE.canonical(jnp.asarray(points)), 1)
    proposal = proposal._replace(trial=jnp.arange(len(score), dtype=jnp.int32))
    return jax.jit(histories.append)(history, proposal, Outcome(jnp.asarray(score), {}))


def test_the_best_of_the_latest_is_the_parent():
    score = np.zeros(40)
    score[[3, 25, 33]] = 9.0, 5.0, 4.0  # the best of all has died
    rows = np.asarray(parents(KEY, told(score), 20, 1000, 50))
    assert (rows == 25).all()


def test_a_parent_is_the_best_of_its_sample():
    rows = np.asarray(parents(KEY, told(np.arange(40.0)), 20, 3, 20_000))
    assert rows.min() >= 20
    assert rows.max() == 39
    # The best of 3 draws out of 20 is below the k-th with probability (k / 20)^3.
    below = np.array([(rows < 20 + k).mean() for k in range(1, 20)])
    np.testing.assert_allclose(below, (np.arange(1, 20) / 20) ** 3, atol=0.015)


@pytest.mark.slow
def test_failed_trials_and_few_trials_have_their_place():
    assert set(np.asarray(parents(KEY, told([1.0, np.nan, 0.5]), 20, 2, 500))) == {0, 1, 2}
    assert (np.asarray(parents(KEY, told([1.0, np.nan, 0.5]), 20, 100, 50)) == 0).all()
    assert (np.asarray(parents(KEY, told([]), 20, 4, 8)) == 0).all()


def test_a_child_differs_from_a_living_parent_in_one_hyperparameter():
    state = told(np.arange(40.0))
    ask = jax.jit(regularized_evolution(SPACE, lanes=8, population=10).ask)
    for seed in range(5):
        point = np.asarray(ask(jax.random.key(seed), state).point)
        alive = np.asarray(state.point[30:40])
        differ = (point[:, None] != alive[None]).sum(2)
        assert (differ.min(1) == 1).all()


@pytest.mark.slow
def test_a_small_space_is_told_once():
    space = Space({"a": Int(1, 3), "b": Choice(("x", "y", "z"))})
    algorithm = regularized_evolution(space, lanes=3, initial=3)
    ask = jax.jit(algorithm.ask)
    state, seen = algorithm.init(KEY), set()
    for r in range(3):
        proposal = ask(jax.random.key(r), state)
        seen |= {tuple(p) for p in np.asarray(proposal.point)}
        state, _ = algorithm.tell(KEY, state, proposal, Outcome(proposal.point[:, 0], {}))
    assert len(seen) >= 8  # a lane has few tries, so the last one may miss


@pytest.mark.parametrize(("name", "value"), [("population", 0), ("sample", 1.5), ("initial", 0), ("near", 2.0)])
def test_options_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        regularized_evolution(SPACE, lanes=2, **{name: value})
