"""Search along a scrambled Sobol sequence."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh, legal
from jaxhpo.space import Space
from jaxhpo.types import Algorithm, Array, Key, Metrics, Outcome, Proposal

_BITS = 30  # bits of scipy's direction numbers; the sequence has 2^30 points
_SPARE = 8  # points of a block beyond one per lane
_BLOCKS = 32  # number of blocks that a round searches for new points


class SobolState(NamedTuple):
    """The scrambling of the sequence, and the position in it.

    Attributes:
        history: Told trials.
        scramble: Seed of each dimension's scrambling: [D] uint32.
        next: Index of the first point of the sequence that was neither told nor skipped: [] int32.
    """

    history: History
    scramble: Array
    next: Array


def sobol(space: Space, *, lanes: int, budget: int = 1) -> Algorithm:
    """Search along an Owen-scrambled Sobol sequence (Sobol 1967; Owen 1995), which covers the cube evenly.

    The direction numbers are those of Joe & Kuo 2008. The study's seed determines the scrambling, which is done by
    hashing (Burley 2020). The trials do not depend on `lanes`: they are the points of the sequence in order. Points
    that were already told, as on coarse grids, and points that violate constraints are skipped. At least the next few
    hundred points are searched; if they hold too few new points, the next points of the sequence are proposed again, or
    moved to satisfy the constraints. A round that was cut short is resumed.

    Use it in place of random search for cheap trials, or to find with few trials which hyperparameters matter. It
    learns nothing from scores. A round costs some tenths of a millisecond, a trial D + 3 numbers of memory. The
    sequence has 2^30 points.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    check_common(space, lanes, budget)
    directions = direction_numbers(len(space))  # scipy has those of 21,201 dimensions, more than a space may have
    block = lanes + _SPARE

    def points(scramble: Array, index: Array) -> Array:
        """Return scrambled points of the sequence: [N] int32 -> [N, D] float32, canonical."""
        return space.canonical(to_unit(owen_scrambled(sequence(directions, index), scramble)))

    def following(state: SobolState) -> tuple[Array, Array]:
        """Return the next `lanes` points, [B, D], and their indices in the sequence, [B] int32."""
        order = jnp.arange(block, dtype=jnp.int32)

        def lacks(carry: tuple[Array, Array, Array, Array]) -> Array:
            return (carry[2] < lanes) & (carry[3] < _BLOCKS)

        def look(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
            found, place, count, turn = carry
            index = state.next + turn * block + order
            point = points(state.scramble, index)
            same = jnp.all(point[:, None] == point[None], axis=2) & (order[None] < order[:, None])
            taken = jnp.arange(lanes, dtype=jnp.int32) < count
            again = jnp.any(jnp.all(point[:, None] == found[None], axis=2) & taken[None], axis=1)
            good = histories.is_new(state.history, point) & ~jnp.any(same, axis=1) & ~again & space.feasible(point)
            row = count + jnp.cumsum(good, dtype=jnp.int32) - 1
            row = jnp.where(good, row, lanes)  # out of range, hence dropped; as are rows beyond the round
            found, place = found.at[row].set(point, mode="drop"), place.at[row].set(index, mode="drop")
            return found, place, jnp.minimum(count + jnp.sum(good, dtype=jnp.int32), lanes), turn + 1

        lane = jnp.arange(lanes, dtype=jnp.int32)
        start = jnp.zeros((lanes, len(space)), jnp.float32), jnp.zeros(lanes, jnp.int32), jnp.int32(0), jnp.int32(0)
        found, place, count, _ = jax.lax.while_loop(lacks, look, start)
        there = lane < count
        # If too few points are new, propose the next points of the sequence anyway.
        index = state.next + lane
        rest = legal(jax.random.key(0, impl="threefry2x32"), space, points(state.scramble, index))
        return jnp.where(there[:, None], found, rest), jnp.where(there, place, index)

    def init(key: Key) -> SobolState:
        scramble = jax.random.bits(key, (len(space),), jnp.uint32)
        return SobolState(histories.empty(len(space), lanes), scramble, jnp.int32(0))

    def ask(key: Key, state: SobolState) -> Proposal:
        del key
        return fresh(following(state)[0], budget)

    def tell(key: Key, state: SobolState, proposal: Proposal, outcome: Outcome) -> tuple[SobolState, Metrics]:
        del key
        # Only leading rows that are the next points count. So a round that was cut short is resumed, and a round of
        # enqueued configurations does not advance the sequence.
        point, place = following(state)
        own = proposal.active & jnp.all(proposal.point == point, axis=1)
        done = jnp.cumprod(own, dtype=jnp.int32) > 0
        ahead = jnp.max(jnp.where(done, place + 1, 0))
        history = histories.append(state.history, proposal, outcome)
        return SobolState(history, state.scramble, jnp.maximum(state.next, ahead) % (1 << _BITS)), {}

    def grow(state: SobolState, trials: int) -> SobolState:
        return state._replace(history=histories.grow(state.history, trials))

    return Algorithm(init, ask, tell, grow)


@cache
def direction_numbers(dimensions: int) -> np.ndarray:
    """Return Joe and Kuo's direction numbers: [30, D] uint32, the first digit of a binary fraction in the highest bit.

    They are recovered from scipy's points. In Gray code order, point n differs from point n - 1 by the direction number
    of the lowest zero bit of n - 1, so one draw at n = 2^k gives the k-th direction number.
    """
    from scipy.stats import qmc  # a second to import, for one method

    engine = qmc.Sobol(dimensions, scramble=False)
    before = _digits(engine.random(1))
    rows = []
    for k in range(_BITS):
        engine.num_generated = 1 << k
        point = _digits(engine.random(1))
        rows.append(before ^ point)
        before = point
    return np.stack(rows) << np.uint32(32 - _BITS)


def _digits(point: np.ndarray) -> np.ndarray:
    return np.rint(point[0] * 2.0**_BITS).astype(np.uint32)


def sequence(directions: np.ndarray, index: Array) -> Array:
    """Return points of the unscrambled sequence, in Gray code order: [30, D] uint32, [N] int32 -> [N, D] uint32."""
    gray = (index ^ (index >> 1)).astype(jnp.uint32)
    digit = (gray[:, None] >> np.arange(_BITS, dtype=np.uint32)[None]) & np.uint32(1)
    terms = jnp.where(digit[:, :, None] > 0, jnp.asarray(directions)[None], np.uint32(0))
    return jax.lax.reduce(terms, np.uint32(0), jax.lax.bitwise_xor, (1,))


def owen_scrambled(number: Array, scramble: Array) -> Array:
    """Return numbers with each binary digit flipped by a hash of the digits before it: [N, D], [D] uint32 -> [N, D].

    This is nested uniform scrambling. In the hash (Laine & Karras 2011, Burley 2020; with Vegdahl's factors of 2021) a
    bit depends only on lower bits, so it is applied to the digits in reverse order.
    """
    x, mixed = _reversed(number), scramble[None]
    x ^= x * np.uint32(0x3D20ADEA)
    x = (x + mixed) * ((mixed >> np.uint32(16)) | np.uint32(1))
    x ^= x * np.uint32(0x05526C56)
    x ^= x * np.uint32(0x53A22864)
    return _reversed(x)


def _reversed(x: Array) -> Array:
    """Return 32 bits in reverse order, by swapping groups of increasing size."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        x = ((x >> np.uint32(shift)) & np.uint32(mask)) | ((x & np.uint32(mask)) << np.uint32(shift))
    return (x >> np.uint32(16)) | (x << np.uint32(16))


def to_unit(number: Array) -> Array:
    """Return 32-bit fractions as float32 in [0, 1): the first 24 bits, which it holds exactly."""
    return (number >> np.uint32(8)).astype(jnp.float32) * np.float32(2.0**-24)
