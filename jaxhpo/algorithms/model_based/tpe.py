"""The tree-structured Parzen estimator, multivariate."""

from dataclasses import replace
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

_CELLS = 64  # an Int with more values is treated as continuous
_MOST_GOOD = 25
_PLACES = 65536.0  # number of different coordinates of a real number
_FAILED = np.float32(3e38)  # negative score of a failed trial, so that it is sorted before empty rows
_TOLD, _CHOSEN = 1e3, 1e6  # penalties of log(l / g), so that told and chosen points are taken only if there is no other
_LEAST_MASS = 1e-12  # smallest mass of a cell, near the precision of float32 in a tail


class Parzen(NamedTuple):
    """A mixture of product kernels, one per trial, and a uniform prior, all of equal weight; at most K kernels.

    Attributes:
        point: Centres of the kernels: [K, D] float32.
        there: Whether the row is filled: [K] bool.
        width: Standard deviation of the kernels in ordered dimensions, in units of the cube: [] float32.
        stray: Probability that a kernel of an unordered dimension draws uniformly: [D] float32.
    """

    point: Array
    there: Array
    width: Array
    stray: Array


class Kernels:
    """The kernels of a space: truncated Gaussians for ordered dimensions, else a uniform distribution with a peak.

    An Int with at most 64 values and a Choice have probability masses, the integrals over their cells. Other dimensions
    have densities.

    Args:
        space: Search space.
    """

    def __init__(self, space: Space):
        self.space = space
        self.order = ordered(space)  # [D] bool
        edges = [_edges(dimension) for dimension in space.values()]
        self.cells = np.array([max(len(e) - 1, 0) for e in edges], np.int32)  # [D]: 0 where continuous
        self.continuous = np.flatnonzero(self.cells == 0).tolist()
        # An unconditional real number practically never repeats.
        self.endless = any(d.continuous and not d.when for d in space.values())
        # The S cells of all dimensions, one after another.
        self.of = np.repeat(np.arange(len(edges), dtype=np.int32), self.cells)  # [S]: the dimension
        self.low = np.concatenate([e[:-1] for e in edges]).astype(np.float32)  # [S]
        self.high = np.concatenate([e[1:] for e in edges]).astype(np.float32)  # [S]
        self.prior = np.log(np.concatenate([np.diff(e) for e in edges])).astype(np.float32)  # [S]: log mass, uniform

    def estimator(self, point: Array, there: Array, bandwidth: float) -> Parzen:
        """Return the mixture of kernels at the given points: [K, D] float32, [K] bool."""
        number = jnp.sum(there, dtype=jnp.float32)
        width = bandwidth * jnp.maximum(number, 1.0) ** (-1.0 / (len(self.cells) + 4))
        cells = self.cells.astype(np.float32)
        stray = cells / (2.0 * number + cells)
        return Parzen(point, there, width, stray)

    def log_kernel(self, parzen: Parzen, point: Array) -> Array:
        """Return the logarithm of every kernel's density at points: [N, D] -> [N, K]."""
        total = jnp.zeros((point.shape[0], parzen.point.shape[0]), jnp.float32)
        active = self.active(point)
        known = self.active(parzen.point)
        # The kernel of an inactive hyperparameter is the prior.
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
        """Return the logarithm of the mixture's density at points: [N, D] -> [N]."""
        kernel = jnp.where(parzen.there[None], self.log_kernel(parzen, point), -jnp.inf)
        prior = jnp.matmul(self._cells_of(point), self.prior, precision="highest")
        total = jax.nn.logsumexp(jnp.concatenate([kernel, prior[:, None]], axis=1), axis=1)
        return total - jnp.log(jnp.sum(parzen.there, dtype=jnp.float32) + 1.0)

    def draw(self, key: Key, parzen: Parzen, number: int) -> Array:
        """Return points drawn from the mixture, [number, D], canonical and legal; its empty rows must come last."""
        draw_key, legal_key = jax.random.split(key)
        width = len(self.cells)
        # One draw for everything, because random draws take long to compile.
        unit = jax.random.uniform(draw_key, (number, 2 * width + 1), jnp.float32)
        unit, stray, row = unit[:, :width], unit[:, width:-1], unit[:, -1]
        count = jnp.sum(parzen.there, dtype=jnp.float32)
        row = row * (count + 1.0)
        from_prior = row >= count
        row = jnp.where(from_prior, 0, row.astype(jnp.int32))
        centre = parzen.point[row]
        low, high = ndtr(-centre / parzen.width), ndtr((1.0 - centre) / parzen.width)
        near = jnp.clip(centre + parzen.width * ndtri(low + unit * (high - low)), 0.0, 1.0)
        # Compiled programs differ in rounding; rounding to few places makes them agree.
        near = jnp.round(near * _PLACES) / _PLACES
        drawn = jnp.where(self.order[None], near, jnp.where(stray < parzen.stray[None], unit, centre))
        anywhere = from_prior[:, None] | ~self.active(parzen.point)[row]
        return legal(legal_key, self.space, jnp.where(anywhere, unit, drawn))

    def active(self, point: Array) -> Array:
        """Return which dimensions are active: [N, D] bool."""
        return self.space.active(point) if self.space.conditional else jnp.ones(point.shape, bool)

    def _cells_of(self, point: Array) -> Array:
        """Return the cells of active dimensions in which points lie: [N, D] -> [N, S] float32, 0 or 1."""
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
    """Propose what is likely among good trials and unlikely among others: TPE (Bergstra et al. 2011).

    Both densities are mixtures of kernels in all hyperparameters at once, as in BOHB (Falkner et al. 2018), so that
    they represent combinations. A mixture has one kernel per trial and a uniform prior, of equal weights. For each
    lane, `candidates` points are drawn from the density l of the good trials; those of highest l / g are proposed,
    where g is the density of the others. Ordered hyperparameters have truncated Gaussians; for whole numbers and
    ordered options these are integrated over cells. Unordered ones keep a trial's option or draw any option. (Watanabe
    2023, arXiv 2304.11127, compares the variants.)

    Use it for continuous or conditional spaces, as it needs no levels, and for many trials, as its cost grows slowly. A
    round costs about a millisecond at 128 trials and 8 lanes, in proportion to both. Memory: the trials.

    Args:
        space: Search space. Floats use their whole range, even if they have levels.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs. Told trials of other budgets count
            alike.
        startup: Number of uniform trials before the first use of the model.
        gamma: Share of good trials, rounded up, at most 25 trials.
        candidates: Number of drawn points per lane.
        bandwidth: Standard deviation of the kernel of a single trial in an ordered hyperparameter, as a fraction of the
            range. With n trials and D dimensions it is multiplied by n ** (-1 / (D + 4)).

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> decay = jaxhpo.Float(1e-6, 1e-2, log=True, when={"optimizer": "adamw"})
        >>> space = jaxhpo.Space({"optimizer": jaxhpo.Choice(("adam", "adamw")), "weight_decay": decay})
        >>> algorithm = jaxhpo.algorithms.tpe(space, lanes=8, startup=16)  # for jaxhpo.Study(space, algorithm, ...)
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
    """Return the good trials, [25, D] and filled rows [25], and the others, [C, D] and [C].

    The good trials are the best `ceil(gamma * trials)`, at most 25; of equal scores the earlier come first. Failed
    trials are the worst. At least one trial is not good.
    """
    rows = histories.filled(history)
    # Failed trials come before empty rows.
    order = jnp.argsort(jnp.where(histories.succeeded(history), -history.score, jnp.where(rows, _FAILED, jnp.inf)))
    trials = jnp.sum(rows, dtype=jnp.int32)
    number = jnp.ceil(gamma * trials.astype(jnp.float32) - 1e-4).astype(jnp.int32)
    number = jnp.minimum(jnp.minimum(number, _MOST_GOOD), trials - 1)
    point, place = history.point[order], jnp.arange(rows.shape[0], dtype=jnp.int32)
    good = point[:_MOST_GOOD], place[:_MOST_GOOD] < number
    return good, (point, (place >= number) & (place < trials))


def pick(kernels: Kernels, history: History, better: Parzen, worse: Parzen, point: Array, lanes: int) -> Array:
    """Return the `lanes` points of highest l / g, [N, D] -> [lanes, D], distinct and new if possible."""
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
    """Return the edges of a dimension's cells in the unit interval: [cells + 1] float64; [1] if continuous."""
    whole = dimension if isinstance(dimension, Choice) else replace(dimension, levels=None)
    if dimension.continuous or (not isinstance(dimension, Choice) and not 1 <= len(whole.level_values) <= _CELLS):
        return np.zeros(1)
    edges = [0.0]
    for middle in whole.level_units.astype(float):
        edges.append(2.0 * middle - edges[-1])
    # The last edge is 1 up to rounding errors of the float32 middles.
    edges[-1] = np.nextafter(np.float32(1.0), np.float32(2.0))
    return np.array(edges)
