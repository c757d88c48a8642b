import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms.evolution.variation import Variation, crossover
from jaxhpo.space import Choice, Float, Int, Space

KEY = jax.random.key(0)
NUMBER = 2000
SPACE = Space(
    {
        "real": Float(0.0, 1.0, levels=3),
        "whole": Int(1, 512, log=True),  # cells of very different widths
        "few": Int(1, 3),
        "two": Choice((8, 16)),
        "word": Choice(("a", "b", "c", "d")),
        "fixed": Choice(("only",)),
        "vast": Int(0, 100_000),
    }
)


def draw(space):
    """Return points drawn uniformly."""
    unit = np.random.default_rng(0).uniform(size=(NUMBER, len(space))).astype(np.float32)
    return space.canonical(jnp.asarray(unit))


@pytest.mark.slow
def test_exactly_one_hyperparameter_changes_each_as_often():
    point = draw(SPACE)
    child = jax.jit(Variation(SPACE, 0.1, 0.5).mutate_one)(jax.random.key(1), point)
    np.testing.assert_array_equal(child, SPACE.canonical(child))
    changed = np.asarray(child != point)
    np.testing.assert_array_equal(changed.sum(1), 1)
    counts = changed.sum(0)
    assert counts[5] == 0
    assert abs(np.delete(counts, 5) - NUMBER / 6).max() < 5 * np.sqrt(NUMBER / 6)


@pytest.mark.slow
def test_every_coordinate_has_another_value():
    point = draw(SPACE)
    for near in (0.0, 1.0):
        other = np.asarray(jax.jit(Variation(SPACE, 1e-6, near).others)(jax.random.key(1), point))
        np.testing.assert_array_equal((other != np.asarray(point)).all(0), np.arange(7) != 5)
        np.testing.assert_array_equal(other[:, 1:6], SPACE.canonical(other)[:, 1:6])


@pytest.mark.slow
def test_small_moves_of_what_has_an_order_go_to_the_next_level_and_others_anywhere():
    point = jnp.tile(SPACE.canonical(jnp.full((1, 7), 0.5)), (NUMBER, 1))
    other = np.asarray(jax.jit(Variation(SPACE, 1e-6, 1.0).others)(KEY, point))
    levels = np.stack([d.to_level(other[:, i]) for i, d in enumerate(list(SPACE.values())[:6])], axis=1)
    start = int(list(SPACE.values())[1].to_level(point[0, 1]))
    assert set(levels[:, 1]) == {start - 1, start + 1}
    assert set(levels[:, 2]) == {0, 2}
    assert set(levels[:, 4]) == {0, 1, 3}
    assert (abs(abs(other[:, 0] - 0.5) - 1e-3) < 1e-4).all()


@pytest.mark.slow
def test_moves_drawn_anew_are_uniform_over_the_other_levels():
    point = jnp.tile(SPACE.canonical(jnp.full((1, 7), 0.5)), (NUMBER, 1))
    other = np.asarray(jax.jit(Variation(SPACE, 0.1, 0.0).others)(KEY, point))
    _, counts = np.unique(other[:, 4], return_counts=True)
    assert len(counts) == 3
    assert abs(counts - NUMBER / 3).max() < 5 * np.sqrt(NUMBER / 3)
    assert abs(np.sort(other[:, 0]) - np.linspace(0, 1, NUMBER)).max() < 1.95 / np.sqrt(NUMBER)


@pytest.mark.slow
def test_what_becomes_active_is_drawn():
    space = Space({"a": Choice(("x", "y")), "b": Int(1, 100, when={"a": "y"})})
    point = space.canonical(jnp.zeros((NUMBER, 2)))
    child = np.asarray(jax.jit(Variation(space, 0.1, 0.5).mutate_one)(KEY, point))
    assert (child[:, 0] > 0.5).all()
    assert len(np.unique(child[:, 1])) > 90


def test_a_space_of_one_configuration_stays_as_it_is():
    space = Space({"a": Choice((1,))})
    point = draw(space)
    np.testing.assert_array_equal(jax.jit(Variation(space, 0.1, 0.5).mutate_one)(KEY, point), point)


@pytest.mark.slow
def test_the_rate_of_mutation():
    space = Space({f"x{i}": Float(0.0, 1.0) for i in range(10)})
    point = draw(space)
    child = jax.jit(Variation(space, 0.1, 0.5).mutate)(KEY, point, 0.2, jnp.zeros(NUMBER, bool))
    changed = np.asarray(child != point).sum(1)
    assert abs(changed.mean() - 2) < 0.15
    assert (changed == 0).any()
    forced = jax.jit(Variation(space, 0.1, 0.5).mutate)(KEY, point, 0.0, jnp.ones(NUMBER, bool))
    np.testing.assert_array_equal(np.asarray(forced != point).sum(1), 1)


def test_crossover_takes_coordinates_of_the_parents_only():
    first, second = jax.random.uniform(KEY, (2, NUMBER, 5), jnp.float32)
    child = np.asarray(crossover(jax.random.key(1), first, second))
    of_first = child == np.asarray(first)
    assert (of_first | (child == np.asarray(second))).all()
    assert abs(of_first.mean() - 0.5) < 0.03
