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

_BITS = 30  # of scipy's numbers, so 2^30 points
_LARGEST = 21_201  # dimensions that Joe and Kuo found numbers for
_SPARE = 8  # points of a block beside one for each lane
_BLOCKS = 32  # that a batch looks through for new points


class SobolState(NamedTuple):
    """Where in the sequence the search is, and how the sequence is scrambled."""

    history: History
    scramble: Array  # [D] uint32: which scrambling each dimension has
    next: Array  # [] int32: the first point of the sequence not yet told or passed over


def sobol(space: Space, *, lanes: int, budget: int = 1) -> Algorithm:
    """Search along an Owen-scrambled Sobol sequence (Sobol 1967; Owen 1995), which fills the cube evenly.

    Direction numbers are those of Joe & Kuo 2008; the scrambling is drawn by the study's seed, by hashing (Burley
    2020). The search is the same whatever `lanes` is: points of the sequence in order, without those that were told
    already, as happens on coarse grids and with points of others, and those that do not fulfil the space's constraints.
    The next few hundred points at least are looked through; where fewer new ones are among them, what comes next is
    told again, or moved to where constraints are fulfilled. A batch cut short resumes where it was cut.

    Take it in place of random search, where trials are cheap or few are to tell which hyperparameters matter. Learns
    nothing. Costs some tenths of a millisecond, and D + 3 numbers a trial. The sequence has 2^30 points.

    Args:
        space: what to search; up to 21,201 hyperparameters.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    if len(space) > _LARGEST:
        raise ValueError(f"space has {len(space)} hyperparameters; sobol takes up to {_LARGEST}, use random_search")
    directions = direction_numbers(len(space))
    block = lanes + _SPARE

    def points(scramble: Array, index: Array) -> Array:
        """Return scrambled points of the sequence: [N] int32 -> [N, D] float32, canonical."""
        return space.canonical(to_unit(owen_scrambled(sequence(directions, index), scramble)))

    def following(state: SobolState) -> tuple[Array, Array]:
        """Return the next `lanes` points, [B, D], and their places in the sequence, [B] int32."""
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
            row = jnp.where(good, row, lanes)  # out of range, hence dropped; as are those beyond the batch
            found, place = found.at[row].set(point, mode="drop"), place.at[row].set(index, mode="drop")
            return found, place, jnp.minimum(count + jnp.sum(good, dtype=jnp.int32), lanes), turn + 1

        lane = jnp.arange(lanes, dtype=jnp.int32)
        start = jnp.zeros((lanes, len(space)), jnp.float32), jnp.zeros(lanes, jnp.int32), jnp.int32(0), jnp.int32(0)
        found, place, count, _ = jax.lax.while_loop(lacks, look, start)
        there = lane < count
        # Too few are new: the next ones all the same, from where the sequence was.
        index = state.next + lane
        rest = legal(jax.random.key(0), space, points(state.scramble, index))
        return jnp.where(there[:, None], found, rest), jnp.where(there, place, index)

    def init(key: Key) -> SobolState:
        scramble = jax.random.bits(key, (len(space),), jnp.uint32)
        return SobolState(histories.empty(len(space), lanes), scramble, jnp.int32(0))

    def ask(key: Key, state: SobolState) -> Proposal:
        del key
        return fresh(following(state)[0], budget)

    def tell(key: Key, state: SobolState, proposal: Proposal, outcome: Outcome) -> tuple[SobolState, Metrics]:
        del key
        # Only leading rows that are the next points count: a batch cut short resumes where it was cut, and a batch
        # that the user enqueued moves nothing.
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
    """Return Joe and Kuo's direction numbers: [30, D] uint32, the first binary digit of a fraction in the highest bit.

    Recovered from scipy's points: in Gray code order, point n differs from the one before it by the direction number
    of the lowest zero bit of n - 1; so one draw at n = 2^k tells the k-th.
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
    """Return numbers whose binary digits are each flipped by a hash of those before it: [N, D], [D] uint32 -> [N, D].

    That is nested uniform scrambling. The hash (Laine & Karras 2011, Burley 2020; with Vegdahl's factors of 2021) lets
    a bit depend on lower ones only, so it sees the digits in reverse.
    """
    x, mixed = _reversed(number), scramble[None]
    x ^= x * np.uint32(0x3D20ADEA)
    x = (x + mixed) * ((mixed >> np.uint32(16)) | np.uint32(1))
    x ^= x * np.uint32(0x05526C56)
    x ^= x * np.uint32(0x53A22864)
    return _reversed(x)


def _reversed(x: Array) -> Array:
    """Return 32 bits in reverse, by swapping ever larger groups."""
    for shift, mask in ((1, 0x55555555), (2, 0x33333333), (4, 0x0F0F0F0F), (8, 0x00FF00FF)):
        x = ((x >> np.uint32(shift)) & np.uint32(mask)) | ((x & np.uint32(mask)) << np.uint32(shift))
    return (x >> np.uint32(16)) | (x << np.uint32(16))


def to_unit(number: Array) -> Array:
    """Return 32-bit fractions as float32 in [0, 1): the first 24 bits, which it holds exactly."""
    return (number >> np.uint32(8)).astype(jnp.float32) * np.float32(2.0**-24)
