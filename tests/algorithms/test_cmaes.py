import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import run_traced
from jaxhpo.algorithms import cmaes
from jaxhpo.algorithms.evolution import cma_distribution as cma
from jaxhpo.algorithms.evolution.cma_space import MixedSpace
from jaxhpo.algorithms.evolution.cmaes import default_population
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Objective, Outcome

KEY = jax.random.key(0)
CUBE = Space({f"x{i}": Float(0.0, 1.0) for i in range(4)})
MIXED = Space({"a": Choice(("x", "y", "z")), "b": Int(1, 8), "c": Float(0.0, 1.0), "d": Choice(("x", "y"))})


def objective(function):
    return Objective(lambda key: (), lambda key, state, p: (state, Outcome(function(p.point), {})))


def sphere(point):
    return -jnp.sum((point - jnp.asarray([0.3, 0.6, 0.45, 0.8])[None]) ** 2, axis=1)


def test_constants_are_the_tutorials():
    # n = 10, lambda = 10, mu = 5: as pycma's `CMAParameters` rounds them.
    k = cma.constants(10, 10)
    raw = np.log(5.5) - np.log(np.arange(1, 11))
    np.testing.assert_allclose(k.weights[:5], raw[:5] / raw[:5].sum(), rtol=1e-6)
    np.testing.assert_allclose(k.weights[:5].sum(), 1, rtol=1e-6)
    mu_eff = 1 / (k.weights[:5].astype(np.float64) ** 2).sum()
    np.testing.assert_allclose(k.mu_eff, mu_eff, rtol=1e-6)
    np.testing.assert_allclose(mu_eff, 3.1672992814107035, rtol=1e-6)
    np.testing.assert_allclose(k.c_sigma, (mu_eff + 2) / (10 + mu_eff + 5), rtol=1e-6)
    np.testing.assert_allclose(k.d_sigma, 1 + k.c_sigma, rtol=1e-6)
    np.testing.assert_allclose(k.c_c, (4 + mu_eff / 10) / (14 + mu_eff / 5), rtol=1e-6)
    np.testing.assert_allclose(k.c_1, 2 / (11.3**2 + mu_eff), rtol=1e-6)
    np.testing.assert_allclose(k.c_mu, 2 * (mu_eff - 1.75 + 1 / mu_eff) / (144 + mu_eff), rtol=1e-6)
    np.testing.assert_allclose(k.chi, np.sqrt(10) * (1 - 1 / 40 + 1 / 2100), rtol=1e-6)
    # The least of the three limits on the negative weights is theirs.
    minus = raw[5:].sum() ** 2 / (raw[5:] ** 2).sum()
    limits = 1 + k.c_1 / k.c_mu, 1 + 2 * minus / (mu_eff + 2), (1 - k.c_1 - k.c_mu) / (10 * k.c_mu)
    np.testing.assert_allclose(-k.weights[5:].sum(), min(limits), rtol=1e-5)


@pytest.mark.slow
def test_an_update_is_the_tutorials_in_float64():
    rng = np.random.default_rng(0)
    n, size = 3, 6
    k = cma.constants(n, size)
    w, mu_eff, c_s, d_s, c_c, c_1, c_mu, chi = (np.asarray(v, np.float64) for v in k)
    root = rng.normal(size=(n, n))
    cov, mean, sigma = root @ root.T + np.eye(n), rng.uniform(size=n), 0.2
    p_s, p_c, stretch = 0.1 * rng.normal(size=n), rng.normal(size=n), np.array([1.0, 2.0, 1.0])
    step = rng.normal(size=(size, n))
    values, axes = np.linalg.eigh(cov)
    inverse = axes @ np.diag(values**-0.5) @ axes.T

    y = w[w > 0] @ step[w > 0]
    new_p_s = (1 - c_s) * p_s + np.sqrt(c_s * (2 - c_s) * mu_eff) * inverse @ y
    length = np.linalg.norm(new_p_s)
    new_sigma = sigma * np.exp(c_s / d_s * (length / chi - 1))
    h = float(length / np.sqrt(1 - (1 - c_s) ** (2 * 5)) < (1.4 + 2 / (n + 1)) * chi)
    new_p_c = (1 - c_c) * p_c + h * np.sqrt(c_c * (2 - c_c) * mu_eff) * y
    adjusted = [a if a >= 0 else a * n / np.linalg.norm(inverse @ s) ** 2 for a, s in zip(w, step, strict=True)]
    new_cov = (1 + c_1 * (1 - h) * c_c * (2 - c_c) - c_1 - c_mu * w.sum()) * cov + c_1 * np.outer(new_p_c, new_p_c)
    new_cov += c_mu * sum(a * np.outer(s, s) for a, s in zip(adjusted, step, strict=True))

    before = cma.Normal(*(jnp.asarray(v, jnp.float32) for v in (mean, sigma, cov, axes, values**0.5, p_s, p_c)), 4)
    before = before._replace(generation=jnp.int32(4))
    after = cma.update(before, k, jnp.asarray(step, jnp.float32), jnp.asarray(stretch, jnp.float32))
    expected = {"path_sigma": new_p_s, "sigma": new_sigma, "path_cov": new_p_c, "cov": new_cov}
    expected["mean"] = mean + sigma * stretch * y
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(after, name), value, rtol=2e-4, atol=1e-5, err_msg=name)
    assert int(after.generation) == 5
    rebuilt = after.axes @ jnp.diag(after.lengths**2) @ after.axes.T
    np.testing.assert_allclose(rebuilt, new_cov, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "trials"), [(1, 400), (8, 400), (32, 1280)])
def test_it_converges_on_a_sphere(lanes, trials):
    record = run_traced(cmaes(CUBE, lanes=lanes), objective(sphere), trials // lanes, seeds=3)
    assert (np.asarray(record.outcome.score).max((1, 2)) > -1e-5).all()


@pytest.mark.parametrize(("lanes", "size"), [(1, 8), (2, 8), (3, 9), (8, 8), (32, 32)])
def test_generations_are_whole_batches(lanes, size):
    assert default_population(4, lanes) == size
    assert default_population(1, 3) == 6


@pytest.mark.slow
def test_a_generation_is_gathered_over_batches_and_others_count():
    algorithm = cmaes(CUBE, lanes=3, population=7)
    state = jax.jit(algorithm.init)(KEY)
    tell = jax.jit(algorithm.tell)
    generations = []
    for r in range(5):
        proposal = algorithm.ask(KEY, state)
        if r == 1:
            proposal = proposal._replace(point=jnp.full((3, 4), 0.9))  # enqueued
        if r == 2:
            proposal = proposal._replace(budget=jnp.full(3, 2, jnp.int32))  # not comparable
        state, _ = tell(jax.random.key(r), state, proposal, Outcome(sphere(proposal.point), {}))
        generations.append((int(state.generation.filled), int(state.normal.generation)))
    assert generations == [(3, 0), (6, 0), (6, 0), (0, 1), (3, 1)]


@pytest.mark.slow
def test_a_point_from_far_away_moves_the_mean_no_further_than_a_draw():
    mixed = MixedSpace(CUBE, 0.01)
    normal = cma.start(jnp.full(4, 0.1), 0.01)
    step = mixed.steps(normal, jnp.full((1, 4), 1.0))
    np.testing.assert_allclose(jnp.linalg.norm(step), 2 + 8 / 6, rtol=1e-5)


@pytest.mark.slow
def test_rounded_dimensions_keep_leaving_their_cells():
    mixed = MixedSpace(MIXED, 0.05)
    normal = cma.start(jnp.asarray([0.5625, 0.5]), 1e-4)
    odds = mixed.learned(jnp.asarray(mixed.even), jnp.full((1, 4), 0.1), jnp.ones(1), 1.0)
    sample, point = jax.jit(mixed.draw, static_argnums=3)(KEY, normal, odds, 40_000)
    np.testing.assert_array_equal(point, MIXED.canonical(sample))
    moved = np.asarray(point[:, 1] != MIXED.canonical(jnp.full((1, 4), 0.5625))[0, 1]).mean()
    np.testing.assert_allclose(moved, 0.05, atol=0.005)
    assert np.asarray(point[:, 2]).std() < 2e-4
    least = 1 - 0.73**0.5  # CatCMA's margin, of two choices
    _, counts = np.unique(np.asarray(point[:, 0]), return_counts=True)
    np.testing.assert_allclose(counts / 40_000, [1 - least, least / 2, least / 2], atol=0.01)
    np.testing.assert_allclose(odds, [[1 - least, least / 2, least / 2], [1 - least, least, 0]], atol=1e-6)


@pytest.mark.slow
def test_it_starts_again_where_it_has_converged():
    def flat(point):
        return jnp.zeros(point.shape[0])

    record = run_traced(cmaes(CUBE, lanes=8), objective(flat), 120, seeds=2)
    restarts = np.asarray(record.metrics["restarts"])
    assert (restarts[:, -1] >= 1).all()
    assert np.isfinite(np.asarray(record.proposal.point)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "space",
    [
        Space({"a": Choice(("x", "y", "z")), "b": Choice(tuple("abcdefgh"))}),  # nothing has an order
        Space({"a": Choice((1,)), "b": Int(1, 24)}),
        Space({"a": Choice(("only",))}),
    ],
)
def test_finite_spaces_are_told_once(space):
    record = run_traced(cmaes(space, lanes=4), objective(lambda p: jnp.sum(p, axis=1)), 6, seeds=2)
    size = min(24, int(np.prod(space.level_counts)))
    for points in np.asarray(record.proposal.point):
        seen = {tuple(p) for p in points.reshape(-1, len(space))}
        assert len(seen) >= 0.8 * size
        assert len({tuple(p) for p in points[0]}) == min(4, size)


@pytest.mark.parametrize(("name", "value"), [("population", 3), ("sigma", 0.0), ("option_rate", 2.0)])
def test_options_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}"):
        cmaes(CUBE, lanes=2, **{name: value})
