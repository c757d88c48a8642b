import jax
import numpy as np
import pytest

from jaxhpo.algorithms import random_search
from jaxhpo.space import Choice, Float, Int, Space

SPACE = Space({"a": Int(1, 3), "b": Choice(("x", "y", "z", "w")), "c": Float(0.0, 1.0, levels=3)})
LANES = 12_000


@pytest.fixture(scope="module")
def points():
    algorithm = random_search(SPACE, lanes=LANES)
    return np.asarray(algorithm.ask(jax.random.key(0), algorithm.init(jax.random.key(0))).point)


@pytest.mark.slow
@pytest.mark.parametrize(("dimension", "size"), [(0, 3), (1, 4)])
def test_whole_numbers_and_options_are_equally_likely(points, dimension, size):
    units, counts = np.unique(points[:, dimension], return_counts=True)
    np.testing.assert_array_equal(units, list(SPACE.values())[dimension].level_units)
    expected = LANES / size
    assert abs(counts - expected).max() < 5 * np.sqrt(expected * (1 - 1 / size))  # five standard deviations


def test_a_float_takes_its_whole_range_and_not_its_levels(points):
    drawn = np.sort(points[:, 2])
    assert len(np.unique(drawn)) > 0.99 * LANES
    # Kolmogorov-Smirnov against the uniform distribution; 1.95 / sqrt(n) is the 0.1% critical value.
    assert abs(drawn - (np.arange(LANES) + 0.5) / LANES).max() < 1.95 / np.sqrt(LANES)


def test_dimensions_are_independent(points):
    assert abs(np.corrcoef(points.T) - np.eye(3)).max() < 5 / np.sqrt(LANES)


def test_another_key_gives_another_batch():
    algorithm = random_search(SPACE, lanes=8)
    first, second = (algorithm.ask(jax.random.key(seed), ()).point for seed in (0, 1))
    assert not np.array_equal(first, second)
