"""The rules: each gives every trial of a pool a weight, from held-out scores, losses and outputs alone.

- winner, winner by loss: one trial
- mean of N: the N with the lowest losses, equal weights
- exp(-gap n / T): weights by how far a loss is above the lowest, with n examples, of the ten best or of all
- exp(-gap / error): the same in standard errors of the paired difference of the losses
- level ten: those of the ten best whose loss is within one such standard error of the lowest, equal weights
- greedy: trials are added one by one, each as often as it lowers the loss of the mean most (Caruana et al. 2004), from
  none or from the ten best; bagged, the mean over resampled examples
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.value.rules.pool import Pool, held_out_losses

Rule = Callable[[Pool], np.ndarray]

TEN, ALL = 10, 10**9
SIZES = (3, 5, 10, 16)
TEMPERATURES = (2, 8, 32, 128)
STEPS, BAGS = 30, 20
_LEAST = 1e-3  # of the largest weight; less is none


def winner(pool: Pool) -> np.ndarray:
    """Choose the best score; of equal ones the lowest loss."""
    return _equal(pool, [int(np.argmax(pool.scores))])


def mean_of(size: int, pool: Pool) -> np.ndarray:
    """Choose the lowest losses."""
    return _equal(pool, list(range(min(size, len(pool.losses)))))


def by_gap(temperature: float, size: int, pool: Pool) -> np.ndarray:
    """Weigh the lowest losses by exp(-gap n / temperature)."""
    gaps = (pool.losses - pool.losses[0]) * len(pool.y_valid)
    return _weighed(gaps / temperature, size)


def by_error(size: int, pool: Pool) -> np.ndarray:
    """Weigh the lowest losses by exp(-gap / standard error of the gap)."""
    return _weighed(_gaps_in_errors(pool), size)


def level(size: int, pool: Pool) -> np.ndarray:
    """Choose the lowest losses that are level with the lowest."""
    return _equal(pool, np.flatnonzero(_gaps_in_errors(pool)[:size] <= 1).tolist())


def greedy(start: int, bags: int, pool: Pool) -> np.ndarray:
    """Add trials one by one, and keep the number with the lowest loss.

    Args:
        start: how many of the lowest losses are there at first, once each.
        bags: resamplings of the examples, whose weights are averaged; 0 takes the examples as they are.
        pool: the trials.
    """
    rows = len(pool.y_valid)
    if not bags:
        return _greedy(start, pool, np.full(rows, 1 / rows))
    random = np.random.default_rng(0)
    shares = [random.multinomial(rows, np.full(rows, 1 / rows)) / rows for _ in range(bags)]
    return np.mean([_greedy(start, pool, share) for share in shares], axis=0)


def rules() -> dict[str, Rule]:
    """Return the rules by name."""
    found: dict[str, Rule] = {"winner": winner, "winner by loss": partial(mean_of, 1)}
    found |= {f"mean of {size}": partial(mean_of, size) for size in SIZES}
    for title, size in (("ten", TEN), ("all", ALL)):
        found |= {f"{title}, exp(-gap n / {t})": partial(by_gap, t, size) for t in TEMPERATURES}
        found[f"{title}, exp(-gap / error)"] = partial(by_error, size)
    found["level ten"] = partial(level, TEN)
    for title, start in (("none", 0), ("ten", TEN)):
        found |= {
            f"greedy from {title}{', bagged' if bags else ''}": partial(greedy, start, bags) for bags in (0, BAGS)
        }
    return found


def _equal(pool: Pool, chosen: list[int]) -> np.ndarray:
    weights = np.zeros(len(pool.losses))
    weights[chosen] = 1 / len(chosen)
    return weights


def _weighed(gaps: np.ndarray, size: int) -> np.ndarray:
    """Return weights that fall with the gaps, [T]; 0 from `size` on."""
    weights = np.exp(-gaps)
    weights[weights <= _LEAST] = 0
    weights[size:] = 0
    return weights / weights.sum()


def _gaps_in_errors(pool: Pool) -> np.ndarray:
    """Return how far each loss is above the first one, in standard errors of the paired difference: [T]."""
    each = held_out_losses(pool, pool.valid)
    gaps = each - each[0]
    errors, gap = gaps.std(axis=1, ddof=1) / np.sqrt(gaps.shape[1]), np.maximum(gaps.mean(axis=1), 0)
    return np.divide(gap, errors, out=np.where(gap > 0, np.inf, 0.0), where=errors > 0)


def _greedy(start: int, pool: Pool, shares: np.ndarray) -> np.ndarray:
    """Return the weights that adding gives, where the examples have these shares: [T]."""
    counts = np.zeros(len(pool.losses))
    counts[:start] = 1
    total, best, lowest = counts @ pool.valid, counts, np.inf
    if start:
        lowest = held_out_losses(pool, total / counts.sum()) @ shares
    for _ in range(STEPS):
        losses = held_out_losses(pool, (total + pool.valid) / (counts.sum() + 1)) @ shares
        added = int(np.argmin(losses))
        counts, total = counts + np.eye(len(counts))[added], total + pool.valid[added]
        if losses[added] < lowest:
            best, lowest = counts, losses[added]
    return best / best.sum()
