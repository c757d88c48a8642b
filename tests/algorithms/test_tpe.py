import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxhpo.algorithms import tpe
from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.model_based.tpe import Kernels, pick, split
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome, Proposal

FINITE = Space(
    {
        "layers": Int(1, 3),
        "units": Int(1, 8, log=True),
        "kind": Choice(("x", "y")),
        "momentum": Choice((0.0, 0.5, 0.9), when={"kind": "y"}),
    }
)
MIXED = Space({"rate": Float(0.0, 1.0), "kind": Choice(("x", "y", "z"))})


def told(point, scores):
    """A history of so many trials."""
    number = len(scores)
    none = np.full(number, -1, np.int32)
    proposal = Proposal(
        point, np.ones(number, np.int32), none, np.ones(number, bool), np.arange(number, dtype=np.int32)
    )
    return histories.append(
        histories.empty(point.shape[1], number), proposal, Outcome(np.array(scores, np.float32), {})
    )


def everything(space):
    """All points of a finite space."""
    units = [dimension.level_units for dimension in space.values()]
    point = np.array(list(itertools.product(*units)), np.float32)
    return np.unique(np.asarray(space.canonical(point)), axis=0)


@pytest.fixture(scope="module")
def finite():
    point = jnp.asarray(everything(FINITE)[[3, 40, 61, 90, 0]])
    kernels = Kernels(FINITE)
    return kernels, kernels.estimator(point, jnp.array([True, True, True, True, False]), 0.15)


@pytest.mark.slow
def test_masses_of_a_conditional_space_sum_to_one(finite):
    kernels, parzen = finite
    point = jnp.asarray(everything(FINITE))
    assert len(point) == 3 * 8 * (1 + 3)
    np.testing.assert_allclose(np.exp(kernels.log_kernel(parzen, point)).sum(0), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(kernels.log_density(parzen, point)).sum(), 1, rtol=1e-5)


@pytest.mark.slow
def test_draws_have_the_masses_of_the_mixture(finite):
    kernels, parzen = finite
    number = 40_000
    everywhere = everything(FINITE)
    mass = np.exp(kernels.log_density(parzen, jnp.asarray(everywhere)))
    drawn = np.asarray(kernels.draw(jax.random.key(0), parzen, number))
    point, counts = np.unique(np.concatenate([everywhere, drawn]), axis=0, return_counts=True)
    np.testing.assert_array_equal(point, everywhere)  # every draw is a configuration
    counts = counts - 1
    assert (abs(counts - number * mass) < 5 * np.sqrt(number * mass) + 1).all()


@pytest.mark.slow
def test_densities_integrate_to_one():
    kernels = Kernels(MIXED)
    centre = jnp.array([[0.02, 1 / 6], [0.5, 0.5], [1.0, 5 / 6]], jnp.float32)
    parzen = kernels.estimator(centre, jnp.ones(3, bool), 0.15)
    rate = (np.arange(4000) + 0.5) / 4000
    point = jnp.asarray(np.array(list(itertools.product(rate, [1 / 6, 0.5, 5 / 6])), np.float32))
    np.testing.assert_allclose(np.exp(kernels.log_kernel(parzen, point)).sum(0) / 4000, 1, rtol=1e-4)
    np.testing.assert_allclose(np.exp(kernels.log_density(parzen, point)).sum() / 4000, 1, rtol=1e-4)


@pytest.mark.slow
def test_a_ratio_computed_by_hand():
    kernels = Kernels(MIXED)
    good, others = jnp.array([[0.25, 1 / 6]], jnp.float32), jnp.array([[0.75, 0.5], [0.5, 0.5]], jnp.float32)
    better = kernels.estimator(good, jnp.ones(1, bool), 0.2)
    worse = kernels.estimator(others, jnp.ones(2, bool), 0.2)
    at = 0.3  # with kind "x"

    def kernel(centre, width):
        inside = norm.cdf(1, centre, width) - norm.cdf(0, centre, width)
        return norm.pdf(at, centre, width) / inside

    # One good trial: width 0.2, and "x" has 1 - s + s / 3 with s = 3 / (2 * 1 + 3); the prior's density is 1 / 3.
    dense = (kernel(0.25, 0.2) * (1 - 0.6 + 0.2) + 1 / 3) / 2
    # Two others: width 0.2 * 2 ** (-1 / 6), and "x", which is neither's, has s / 3 with s = 3 / (2 * 2 + 3).
    width = 0.2 * 2 ** (-1 / 6)
    sparse = ((kernel(0.75, width) + kernel(0.5, width)) * (1 / 7) + 1 / 3) / 3
    point = jnp.array([[at, 1 / 6]], jnp.float32)
    ratio = kernels.log_density(better, point) - kernels.log_density(worse, point)
    np.testing.assert_allclose(ratio, np.log(dense / sparse), rtol=1e-5)


@pytest.mark.slow
def test_good_trials_are_the_best_and_failed_ones_are_others():
    point = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
    scores = [1.0, np.nan, 5.0, 2.0, 5.0, -3e3, 0.0, np.nan]
    (good, are_good), (others, are_others) = split(told(point, scores), 0.3)  # 2.4, so 3 are good
    np.testing.assert_array_equal(good[:3, 0], point[[2, 4, 3], 0])  # the first of equal ones first
    assert are_good.tolist() == [True] * 3 + [False] * 22
    np.testing.assert_array_equal(others[3:8, 0], point[[0, 6, 5, 1, 7], 0])
    assert np.flatnonzero(are_others).tolist() == [3, 4, 5, 6, 7]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "gamma", "good"), [(1, 0.15, 0), (2, 1.0, 1), (20, 0.15, 3), (21, 0.15, 4), (200, 0.15, 25)]
)
def test_how_many_trials_are_good(trials, gamma, good):
    (_, are_good), (_, are_others) = split(told(np.zeros((trials, 1), np.float32), np.zeros(trials)), gamma)
    assert (are_good.sum(), are_others.sum()) == (good, trials - good)


@pytest.mark.slow
def test_the_best_points_that_are_new_are_picked():
    space = Space({"a": Int(0, 9)})
    kernels = Kernels(space)
    unit = lambda *values: np.array([[space["a"].to_unit(v)] for v in values], np.float32)  # noqa: E731
    history = told(unit(2, 8), [1.0, 0.0])
    better = kernels.estimator(jnp.asarray(unit(2)), jnp.ones(1, bool), 0.15)
    worse = kernels.estimator(jnp.asarray(unit(8)), jnp.ones(1, bool), 0.15)
    candidates = jnp.asarray(unit(9, 2, 3, 3, 6, 0))
    # l / g falls with the distance from 2, which was told and so comes after the others, but for repetitions.
    expected = unit(3, 0, 6, 9, 2)
    for lanes in (1, 3, 5):
        np.testing.assert_array_equal(pick(kernels, history, better, worse, candidates, lanes), expected[:lanes])


def test_a_whole_number_of_many_values_is_continuous():
    assert Kernels(Space({"a": Int(0, 63), "b": Int(0, 64), "c": Int(1, 999, levels=5)})).cells.tolist() == [64, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("score", [1.0, np.nan])
def test_constant_and_failed_scores(score):
    algorithm = tpe(FINITE, lanes=4, startup=8)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state, seen = algorithm.init(jax.random.key(0)), []
    for r in range(6):
        proposal = ask(jax.random.key(r), state)
        if r >= 2:
            seen += np.asarray(proposal.point).tolist()
        state, _ = tell(jax.random.key(r), state, proposal, Outcome(np.full(4, score, np.float32), {}))
    assert len(np.unique(seen, axis=0)) == 16


@pytest.mark.slow
def test_it_finds_the_better_half_of_a_smooth_score():
    algorithm = tpe(MIXED, lanes=8)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state = algorithm.init(jax.random.key(0))
    for r in range(6):
        proposal = ask(jax.random.key(r), state)
        point = np.asarray(proposal.point)
        score = -abs(point[:, 0] - 0.2) - (point[:, 1] != 0.5)
        state, _ = tell(jax.random.key(r), state, proposal, Outcome(score.astype(np.float32), {}))
    assert score.mean() > -0.3  # uniform draws have -1.007


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"startup": 0}, "startup=0 must be an integer of at least 1"),
        ({"gamma": 0.0}, "gamma=0.0 must be a number in"),
        ({"candidates": 0}, "candidates=0 must be an integer of at least 1"),
        ({"bandwidth": 0.0}, "bandwidth=0.0 must be a number in"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        tpe(MIXED, lanes=2, **options)
