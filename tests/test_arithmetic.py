"""The installed JAX computes right, through every way that jaxhpo compiles; and one that does not is told of."""

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
import pytest

from jaxhpo import Float, Space, compilation, run_traced
from jaxhpo.algorithms import random_search
from jaxhpo.types import Objective, Outcome
from tests import arithmetic

pytestmark = pytest.mark.optimized

SPACE = Space({name: Float(0.0, 1.0) for name in "abcdefg"})


@pytest.mark.parametrize("way", arithmetic.WAYS)
def test_sums_and_products_are_those_of_float64(way):
    with jax.numpy_rank_promotion("allow"):
        assert arithmetic.wrong(way) == {}


def test_a_wrong_sum_would_be_seen(monkeypatch):
    case, *shapes = arithmetic.CASES["waves"]
    wrong = lambda xp, *arguments: case(xp, *arguments) + (0.01 if xp is jnp else 0)  # noqa: E731
    monkeypatch.setattr(arithmetic, "CASES", {"waves": (wrong, *shapes)})
    assert list(arithmetic.wrong("alone")) == ["waves"]


def test_scores_of_a_traced_study_are_those_of_float64():
    random = np.random.default_rng(0)
    w, b, c = random.normal(size=(128, 7)), random.uniform(0, 6, 128), random.normal(size=128)

    def waves(xp, u, dtype):
        return (xp.cos((u[:, None, :] * w[None].astype(dtype)).sum(2) + b[None].astype(dtype)) * c.astype(dtype)).sum(1)

    def evaluate(key, state, proposal):
        with jax.numpy_rank_promotion("allow"):
            return state, Outcome(waves(jnp, proposal.point, np.float32), {})

    record = run_traced(random_search(SPACE, lanes=8), Objective(lambda key: (), evaluate), 3)
    points = np.asarray(record.proposal.point, np.float64).reshape(-1, 7)
    np.testing.assert_allclose(record.outcome.score.ravel(), waves(np, points, np.float64), atol=1e-4)


def evaluate(key, state, proposal):
    return state, Outcome(proposal.point[:, 0], {})


@pytest.mark.parametrize("version", compilation.FAULTY)
def test_a_program_of_the_users_is_warned_of_where_the_release_computes_wrongly(version, monkeypatch):
    def studies(seeds):
        return run_traced(random_search(SPACE, lanes=2), Objective(lambda key: (), evaluate), 1, seeds=seeds)

    seed = np.zeros(1, np.uint32)
    monkeypatch.setattr(jaxlib.version, "__version__", version)
    with pytest.warns(RuntimeWarning, match=f"jaxlib {version} computes some sums wrongly on a CPU") as told:
        jax.jit(studies).lower(seed)
    (warning,) = told
    assert "\n" not in str(warning.message)
    compilation.jit(studies).lower(seed)  # as the warning advises
    studies(1)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compilation.xla_options() == {}
    jax.jit(studies).lower(seed)


def test_a_release_without_faults_needs_no_options(monkeypatch):
    monkeypatch.setattr(jaxlib.version, "__version__", "0.9.0")
    assert compilation.xla_options() == {}


def test_only_functions_are_compiled():
    with pytest.raises(ValueError, match="function=3 must be callable"):
        compilation.jit(3)
