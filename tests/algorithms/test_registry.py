import jax
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.space import Float, Int, Space

SPACE = Space({"a": Int(1, 3), "c": Float(0.0, 1.0, levels=3)})


def test_every_method_has_a_name_a_summary_and_options():
    assert {"tabular_q", "random_search", "grid_search"} <= set(algorithms.names())
    for name in algorithms.names():
        assert 10 < len(algorithms.summary(name)) < 80
    assert algorithms.options("tabular_q")["variance_rule"] == "high_var_slower"


def test_options_reach_the_method():
    algorithm = algorithms.make("tabular_q", SPACE, lanes=2, eps_min=0.25, eps_max=0.25)
    key = jax.random.key(0)
    state = algorithm.init(key)
    proposal = algorithm.ask(key, state)
    _, metrics = algorithm.tell(key, state, proposal, algorithms_outcome(2))
    assert float(metrics["epsilon"]) == 0.25


def algorithms_outcome(lanes):
    from jaxhpo.types import Outcome

    return Outcome(np.zeros(lanes, np.float32), {})


def test_random_search_covers_the_cube():
    algorithm = algorithms.make("random_search", SPACE, lanes=3000)
    points = np.asarray(algorithm.ask(jax.random.key(0), algorithm.init(jax.random.key(0))).point)
    counts = np.unique(points[:, 0], return_counts=True)[1]
    assert len(counts) == 3
    assert abs(counts / 1000 - 1).max() < 0.1
    assert abs(points[:, 1].mean() - 0.5) < 0.02
    assert len(np.unique(points[:, 1])) > 2900  # the whole range, not the levels


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tabular-q", {}, "algorithm 'tabular-q' is unknown; did you mean 'tabular_q'? known are tabular_q"),
        (None, {}, "algorithm None is unknown; known are"),
        ("tabular_q", {"learning_rate": 1}, "tabular_q has no option 'learning_rate'; it takes rungs, alpha"),
        ("random_search", {"seed": 1}, "random_search has no option 'seed'; it takes none"),
    ],
)
def test_unknown_names_and_options(name, options, message):
    with pytest.raises(ValueError) as error:
        algorithms.make(name, SPACE, lanes=2, **options)
    assert message in str(error.value)


def test_the_space_is_checked():
    with pytest.raises(ValueError, match=r"must be a jaxhpo\.Space"):
        algorithms.make("random_search", {"a": 1}, lanes=2)
