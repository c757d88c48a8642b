import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import genetic
from jaxhpo.algorithms.evolution.genetic import parents as eager_parents
from tests.algorithms.test_regularized_evolution import KEY, SPACE, told

parents = jax.jit(eager_parents, static_argnums=(2, 3, 4))


def test_parents_are_of_the_best():
    score = np.random.default_rng(0).permutation(40).astype(np.float32)
    rows = np.asarray(parents(KEY, told(score), 10, 2, 5000))
    assert set(score[rows]) == set(np.arange(30.0, 40.0))


def test_a_parent_is_the_best_of_its_tournament():
    rows = np.asarray(parents(KEY, told(np.arange(40.0)), 20, 3, 20_000))
    below = np.array([(rows < 20 + k).mean() for k in range(1, 20)])
    np.testing.assert_allclose(below, (np.arange(1, 20) / 20) ** 3, atol=0.015)


@pytest.mark.slow
def test_failed_trials_are_last_and_nothing_told_is_harmless():
    assert (np.asarray(parents(KEY, told([np.nan, 0.5, np.nan]), 1, 2, 20)) == 1).all()
    assert (np.asarray(parents(KEY, told([]), 16, 2, 8)) == 0).all()
    assert (np.asarray(parents(KEY, told(np.arange(8.0)), 1000, 200, 8)) == 7).all()  # more than there are


@pytest.mark.slow
def test_children_without_mutation_have_genes_of_the_parents():
    state = told(np.arange(40.0))
    algorithm = genetic(SPACE, lanes=8, population=6, mating=1.0, mutation=0.0)
    elite, ask = np.asarray(state.point[34:40]), jax.jit(algorithm.ask)
    for seed in range(5):
        point = np.asarray(ask(jax.random.key(seed), state).point)
        of_elite = (point[:, None] == elite[None]).any(1)
        # One gene is new where a child would be a copy of a parent.
        assert (of_elite.sum(1) >= len(SPACE) - 1).all()
        assert of_elite.all(1).any()


@pytest.mark.slow
def test_nothing_is_told_again():
    algorithm = genetic(SPACE, lanes=8)
    state = told(np.zeros(40))
    point = np.asarray(jax.jit(algorithm.ask)(KEY, state).point)
    assert len(np.unique(point, axis=0)) == 8
    assert not (point[:, None] == np.asarray(state.point[:40])[None]).all(2).any()
    assert jnp.isfinite(point).all()


@pytest.mark.parametrize(("name", "value"), [("tournament", 0), ("mating", 1.5), ("mutation", -1.0), ("step", 2.0)])
def test_options_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        genetic(SPACE, lanes=2, **{name: value})
