import jax
import pytest

from jaxhpo import algorithms
from jaxhpo.space import Float, Int, Space

SPACE = Space({"a": Int(1, 3), "c": Float(0.0, 1.0, levels=3)})


def test_every_method_has_a_name_a_summary_and_options():
    assert {"tabular_q", "random_search", "grid_search"} <= set(algorithms.names())
    for name in algorithms.names():
        assert 10 < len(algorithms.summary(name)) < 80
        assert 10 < len(algorithms.use(name)) < 80
    assert algorithms.options("tabular_q")["variance_rule"] == "high_var_slower"


def test_options_reach_the_method():
    algorithm = algorithms.make("tabular_q", SPACE, lanes=2, capacity=64)
    state = jax.eval_shape(algorithm.init, jax.eval_shape(lambda: jax.random.key(0)))
    assert state.table.values.shape[0] == 64


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "tabular-q",
            {},
            "algorithm 'tabular-q' is unknown; did you mean 'tabular_q'? known are q_learning, tabular_q",
        ),
        (None, {}, "algorithm None is unknown; known are"),
        ("tabular_q", {"learning_rate": 1}, "tabular_q has no option 'learning_rate'; it takes rungs, alpha"),
        ("tabular_q", {"gama": 0.5}, "tabular_q has no option 'gama'; did you mean 'gamma'? it takes rungs, alpha"),
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
