"""The tree-structured Parzen estimator, multivariate."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from jaxhpo.algorithms.common import history as histories
from jaxhpo.algorithms.common.checks import check_common, check_integer, check_number
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.common.proposals import fresh, legal, ordered, uniform
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Algorithm, Array, Key, Proposal

_CELLS = 64  # an Int of more whole numbers is taken as continuous
_MOST_GOOD = 25
_PLACES = 65536.0  # that a real number takes in the unit interval
_FAILED = np.float32(3e38)  # a score's negative, below that of an empty row
_TOLD, _CHOSEN = 1e3, 1e6  # what log(l / g) loses, so that a told point is taken when there is no other
_LEAST_MASS = 1e-12  # of a cell: float32 cannot tell what lies further out in a tail


class Parzen(NamedTuple):
    """A mixture of product kernels, one a trial, and a uniform prior; K kernels at most, all of equal weight."""

    point: Array  # [K, D] float32
    there: Array  # [K] bool: False for an empty row
    width: Array  # [] float32: standard deviation of the kernels in ordered dimensions, in units of the cube
    stray: Array  # [D] float32: probability that a kernel of an unordered dimension draws uniformly


class Kernels:
    """The kernels of a space: truncated Gaussians where dimensions have an order, else uniform with a peak.

    An Int of at most 64 numbers and a Choice have masses, the integrals over their cells; the others have densities.
    """

    def __init__(self, space: Space):
        self.space = space
        self.order = ordered(space)  # [D] bool
        edges = [_edges(dimension) for dimension in space.values()]
        self.cells = np.array([max(len(e) - 1, 0) for e in edges], np.int32)  # [D]: 0 where continuous
        self.continuous = np.flatnonzero(self.cells == 0).tolist()
        # A dimension that always takes real numbers hardly ever takes one twice.
        self.endless = any(isinstance(d, Float) and not d.when for d in space.values())
        # All cells of all dimensions in one row of S.
        self.of = np.repeat(np.arange(len(edges), dtype=np.int32), self.cells)  # [S]: the dimension
        self.low = np.concatenate([e[:-1] for e in edges]).astype(np.float32)  # [S]
        self.high = np.concatenate([e[1:] for e in edges]).astype(np.float32)  # [S]
        self.prior = np.log(np.concatenate([np.diff(e) for e in edges])).astype(np.float32)  # [S]: log mass, uniform

    def estimator(self, point: Array, there: Array, bandwidth: float) -> Parzen:
        """Return the mixture of kernels at so many points: [K, D] float32, [K] bool."""
        number = jnp.sum(there, dtype=jnp.float32)
        width = bandwidth * jnp.maximum(number, 1.0) ** (-1.0 / (len(self.cells) + 4))
        cells = self.cells.astype(np.float32)
        stray = cells / (2.0 * number + cells)
        return Parzen(point, there, width, stray)

    def log_kernel(self, parzen: Parzen, point: Array) -> Array:
        """Return the logarithms of every kernel's density at points: [N, D] -> [N, K]."""
        total = jnp.zeros((point.shape[0], parzen.point.shape[0]), jnp.float32)
        active = self.active(point)
        known = self.active(parzen.point)
        # A trial in which a hyperparameter was not active says nothing of it: its kernel there is the prior.
        span = self._mass(parzen, jnp.float32(0.0), jnp.float32(1.0), parzen.point)  # [K, D]
        if len(self.of):
            at = parzen.point[:, self.of]
            mass = self._mass(parzen, self.low[None], self.high[None], at) / span[:, self.of]
            own = (at >= self.low[None]) & (at < self.high[None])
            stray = parzen.stray[self.of] / self.cells[self.of].astype(np.float32)
            flat = stray[None] + jnp.where(own, 1.0 - parzen.stray[self.of][None], 0.0)
            mass = jnp.where(self.order[self.of][None], mass, flat)
            table = jnp.log(jnp.maximum(mass, _LEAST_MASS))
            table = jnp.where(known[:, self.of], table, self.prior[None])
            total = total + jnp.matmul(self._cells_of(point), table.T, precision="highest")
        for d in self.continuous:
            part = (point[:, d, None] - parzen.point[None, :, d]) / parzen.width
            part = -0.5 * part**2 - jnp.log(parzen.width * np.float32(np.sqrt(2 * np.pi)) * span[None, :, d])
            total = total + jnp.where(active[:, d, None] & known[None, :, d], part, 0.0)
        return total

    def log_density(self, parzen: Parzen, point: Array) -> Array:
        """Return the logarithms of the mixture's density at points: [N, D] -> [N]."""
        kernel = jnp.where(parzen.there[None], self.log_kernel(parzen, point), -jnp.inf)
        prior = jnp.matmul(self._cells_of(point), self.prior, precision="highest")
        total = jax.nn.logsumexp(jnp.concatenate([kernel, prior[:, None]], axis=1), axis=1)
        return total - jnp.log(jnp.sum(parzen.there, dtype=jnp.float32) + 1.0)

    def draw(self, key: Key, parzen: Parzen, number: int) -> Array:
        """Return points drawn from the mixture, [number, D], canonical and legal; its empty rows must come last."""
        draw_key, legal_key = jax.random.split(key)
        width = len(self.cells)
        # One draw for all: every generator takes its time to compile.
        unit = jax.random.uniform(draw_key, (number, 2 * width + 1), jnp.float32)
        unit, stray, row = unit[:, :width], unit[:, width:-1], unit[:, -1]
        count = jnp.sum(parzen.there, dtype=jnp.float32)
        row = row * (count + 1.0)
        from_prior = row >= count
        row = jnp.where(from_prior, 0, row.astype(jnp.int32))
        centre = parzen.point[row]
        low, high = ndtr(-centre / parzen.width), ndtr((1.0 - centre) / parzen.width)
        near = jnp.clip(centre + parzen.width * ndtri(low + unit * (high - low)), 0.0, 1.0)
        # Compilations round differently; of so many places they give the same one.
        near = jnp.round(near * _PLACES) / _PLACES
        drawn = jnp.where(self.order[None], near, jnp.where(stray < parzen.stray[None], unit, centre))
        anywhere = from_prior[:, None] | ~self.active(parzen.point)[row]
        return legal(legal_key, self.space, jnp.where(anywhere, unit, drawn))

    def active(self, point: Array) -> Array:
        """Return which dimensions are active: [N, D] bool."""
        return self.space.active(point) if self.space.conditional else jnp.ones(point.shape, bool)

    def _cells_of(self, point: Array) -> Array:
        """Return which cells of active dimensions points lie in: [N, D] -> [N, S] float32, 0 or 1."""
        there = (point[:, self.of] >= self.low[None]) & (point[:, self.of] < self.high[None])
        return (there & self.active(point)[:, self.of]).astype(jnp.float32)

    def _mass(self, parzen: Parzen, low: Array | np.ndarray, high: Array | np.ndarray, centre: Array) -> Array:
        return ndtr((high - centre) / parzen.width) - ndtr((low - centre) / parzen.width)


def tpe(
    space: Space,
    *,
    lanes: int,
    budget: int = 1,
    startup: int = 10,
    gamma: float = 0.15,
    candidates: int = 32,
    bandwidth: float = 0.15,
) -> Algorithm:
    """Propose what is likely among good trials and unlikely among the others: TPE (Bergstra et al. 2011).

    Both densities are mixtures of kernels in all hyperparameters at once, as in BOHB (Falkner et al. 2018), so that
    what goes together is seen; one kernel a trial and a uniform prior, of equal weights. `candidates` a lane are drawn
    from the good trials' density l, and those of highest l / g, g that of the others, are proposed. Ordered
    hyperparameters have truncated Gaussians, whole numbers and ordered options their integrals over cells; unordered
    ones keep a trial's option or draw any. (Watanabe 2023, arXiv 2304.11127, on what of it matters.)

    Take it for continuous or conditional spaces, as it needs no levels, and for many trials: its cost grows slowly.
    Costs about a millisecond at 128 trials and 8 lanes, in proportion to both. Memory: the trials.

    Args:
        space: what to search. Floats take their whole range, whatever their levels.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs. Trials told at other budgets count as any other.
        startup: trials that are drawn uniformly before.
        gamma: share of the trials that are good, rounded up, 25 trials at most.
        candidates: drawn for each lane.
        bandwidth: standard deviation of a kernel in an ordered hyperparameter, as a share of its range, when the
            mixture has one trial; it falls with their number n and the dimensions D as n ** (-1 / (D + 4)).

    Raises:
        ValueError: naming the argument that cannot be.
    """
    check_common(space, lanes, budget)
    check_integer("startup", startup, 1)
    check_integer("candidates", candidates, 1)
    check_number("gamma", gamma, 1e-6, 1.0)
    check_number("bandwidth", bandwidth, 1e-3, 10.0)
    kernels = Kernels(space)

    def ask(key: Key, state: History) -> Proposal:
        draw_key, start_key = jax.random.split(key)
        good, others = split(state, gamma)
        better, worse = kernels.estimator(*good, bandwidth), kernels.estimator(*others, bandwidth)
        point = kernels.draw(draw_key, better, lanes * candidates)
        start = uniform(start_key, space, lanes)
        return fresh(jnp.where(state.count < startup, start, pick(kernels, state, better, worse, point, lanes)), budget)

    return histories.remembering(len(space), lanes, ask)


def split(history: History, gamma: float) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return the good trials, [25, D] and which rows hold one, [25]; and the others, [C, D] and [C].

    The good ones are the best `ceil(gamma * trials)`, 25 at most, the first of equal ones; failed trials are the
    worst, and a trial at least is not good.
    """
    rows = histories.filled(history)
    # Failed trials before empty rows, which a stable sort leaves last.
    order = jnp.argsort(jnp.where(histories.succeeded(history), -history.score, jnp.where(rows, _FAILED, jnp.inf)))
    trials = jnp.sum(rows, dtype=jnp.int32)
    number = jnp.ceil(gamma * trials.astype(jnp.float32) - 1e-4).astype(jnp.int32)
    number = jnp.minimum(jnp.minimum(number, _MOST_GOOD), trials - 1)
    point, place = history.point[order], jnp.arange(rows.shape[0], dtype=jnp.int32)
    good = point[:_MOST_GOOD], place[:_MOST_GOOD] < number
    return good, (point, (place >= number) & (place < trials))


def pick(kernels: Kernels, history: History, better: Parzen, worse: Parzen, point: Array, lanes: int) -> Array:
    """Return the `lanes` points of highest l / g, [N, D] -> [lanes, D], that differ and are new as far as any are."""
    gain = kernels.log_density(better, point) - kernels.log_density(worse, point)
    told = jnp.zeros(gain.shape, bool) if kernels.endless else ~histories.is_new(history, point)
    gain = jnp.clip(gain, -_TOLD / 4, _TOLD / 4) - jnp.where(told, _TOLD, 0.0)

    def step(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        gain, chosen = carry
        best = point[jnp.argmax(gain)]
        gain = gain - jnp.where(jnp.all(point == best[None], axis=1), _CHOSEN, 0.0)
        return gain, chosen.at[i].set(best)

    return jax.lax.fori_loop(0, lanes, step, (gain, jnp.zeros((lanes, point.shape[1]), jnp.float32)))[1]


def _edges(dimension: Float | Int | Choice) -> np.ndarray:
    """Return where a dimension's cells begin and end in the unit interval: [cells + 1] float64; [1] if continuous."""
    if isinstance(dimension, Float) or (isinstance(dimension, Int) and dimension.high - dimension.low >= _CELLS):
        return np.zeros(1)
    whole = Int(dimension.low, dimension.high, log=dimension.log) if isinstance(dimension, Int) else dimension
    edges = [0.0]
    for middle in whole.level_units.astype(float):
        edges.append(2.0 * middle - edges[-1])
    # Float32 middles, summed: the last edge is 1 but for rounding.
    edges[-1] = np.nextafter(np.float32(1.0), np.float32(2.0))
    return np.array(edges)
