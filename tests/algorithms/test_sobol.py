import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from jaxhpo.algorithms import sobol
from jaxhpo.algorithms.sampling.sobol import direction_numbers, owen_scrambled, sequence, to_unit
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome

KEY = jax.random.key(0)
CUBE = Space({f"x{i}": Float(0.0, 1.0) for i in range(3)})
GRID = Space({"a": Int(1, 3), "b": Choice(("x", "y")), "c": Choice((1, 2, 4, 8))})  # 24 configurations


def search(space, lanes, trials, key=KEY):
    """Return the points of so many trials, in order."""
    algorithm = sobol(space, lanes=lanes)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state, seen = algorithm.init(key), []
    while len(seen) < trials:
        proposal = ask(KEY, state)
        seen += list(np.asarray(proposal.point))
        state = algorithm.grow(state, len(seen))
        state, _ = tell(KEY, state, proposal, Outcome(jnp.zeros(lanes), {}))
    return np.stack(seen[:trials])


@pytest.mark.parametrize("dimensions", [1, 40])
def test_the_sequence_is_scipys(dimensions):
    points = sequence(direction_numbers(dimensions), jnp.arange(1024, dtype=jnp.int32))
    expected = qmc.Sobol(dimensions, scramble=False).random(1024)
    np.testing.assert_array_equal(np.asarray(points) / 2.0**32, expected)


@pytest.mark.slow
def test_every_direction_number_is_known():
    numbers = direction_numbers(21_201)
    # A triangular matrix of ones on the diagonal: the k-th number's lowest bit is the k-th digit, so that the first
    # 2^30 points of every dimension differ.
    lowest = (numbers & -numbers.astype(np.int64)).astype(np.uint32)
    expected = np.uint32(1) << np.arange(31, 1, -1, dtype=np.uint32)
    np.testing.assert_array_equal(lowest, np.broadcast_to(expected[:, None], numbers.shape))
    one = np.asarray(sequence(direction_numbers(2), jnp.asarray([2**30 - 1, 1], jnp.int32)))
    assert (one[1] == 2**31).all()
    assert one[0, 0] != 0


@pytest.mark.parametrize("seed", range(3))
def test_scrambled_points_are_a_net(seed):
    scramble = jax.random.bits(jax.random.key(seed), (2,), jnp.uint32)
    number = sequence(direction_numbers(2), jnp.arange(256, dtype=jnp.int32))
    points = np.asarray(to_unit(owen_scrambled(number, scramble)))
    assert (points >= 0).all()
    assert (points < 1).all()
    for bits in range(9):  # one point in each of 2^bits by 2^(8 - bits) boxes
        cell = np.floor(points * [2**bits, 2 ** (8 - bits)]).astype(int)
        assert len({tuple(c) for c in cell}) == 256


@pytest.mark.slow
def test_a_scrambled_point_is_uniform_and_two_repel_as_nested_scrambling_has_it():
    scramble = jax.random.bits(KEY, (50_000,), jnp.uint32)
    number = jnp.broadcast_to(sequence(direction_numbers(1), jnp.arange(4, dtype=jnp.int32)), (4, 50_000))
    points = np.asarray(to_unit(owen_scrambled(number, scramble)))
    assert abs(points.mean(1) - 0.5).max() < 0.006
    assert abs(12 * points.var(1) - 1).max() < 0.02
    # 0 and 1/2 differ in the first digit, which is worth -1/16 of covariance; 0 and 1/4 in the second: 1/16 - 1/64.
    assert list(points[:, 0]) != list(points[:, 1])
    np.testing.assert_allclose(np.corrcoef(points)[0, [1, 3]], [-0.75, 0.5625], atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("space", [CUBE, GRID])
def test_lanes_do_not_matter(space):
    np.testing.assert_array_equal(search(space, 1, 20), search(space, 7, 20))


@pytest.mark.slow
def test_trial_n_is_point_n():
    scramble = sobol(CUBE, lanes=1).init(KEY).scramble
    number = sequence(direction_numbers(3), jnp.arange(64, dtype=jnp.int32))
    np.testing.assert_array_equal(search(CUBE, 8, 64), to_unit(owen_scrambled(number, scramble)))
    assert not np.array_equal(search(CUBE, 8, 8), search(CUBE, 8, 8, jax.random.key(1)))


@pytest.mark.slow
def test_a_grid_is_told_once_and_again_when_it_is_exhausted():
    points = search(GRID, 5, 35)
    assert len({tuple(p) for p in points[:24]}) == 24
    assert np.isfinite(points).all()


@pytest.mark.slow
def test_a_batch_cut_short_resumes_and_points_of_others_move_nothing():
    algorithm = sobol(CUBE, lanes=8)
    expected = search(CUBE, 8, 16)
    state = algorithm.init(KEY)
    algorithm = algorithm._replace(ask=jax.jit(algorithm.ask), tell=jax.jit(algorithm.tell))
    proposal = algorithm.ask(KEY, state)
    foreign = proposal._replace(point=jnp.full((8, 3), 0.123))
    state, _ = algorithm.tell(KEY, state, foreign, Outcome(jnp.zeros(8), {}))
    np.testing.assert_array_equal(algorithm.ask(KEY, state).point, expected[:8])
    cut = proposal._replace(active=jnp.arange(8) < 3)
    state, _ = algorithm.tell(KEY, state, cut, Outcome(jnp.zeros(8), {}))
    np.testing.assert_array_equal(algorithm.ask(KEY, state).point, expected[3:11])


@pytest.mark.slow
def test_constraints_are_fulfilled_by_points_of_the_sequence():
    space = Space({"a": Int(1, 64), "b": Float(0.0, 1.0)}, constraints=["a * b <= 8"])
    points = search(space, 4, 32)
    assert np.asarray(space.feasible(jnp.asarray(points))).all()
    free = Space({"a": Int(1, 64), "b": Float(0.0, 1.0)})
    through = search(free, 4, 256)
    np.testing.assert_array_equal(points, through[np.asarray(space.feasible(jnp.asarray(through)))][:32])
