"""Columns that give the answer away by themselves: with one of them alone, the target is known."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from jaxhpo.data.tables.plan import Column

_SURE = 0.999  # accuracy, or R2, on rows that were not fitted
_LEAST = 50  # rows below which a column may do so by chance
_CLASS_ROWS = 4  # rows of a class, on average, below which half of them do not tell
_ROWS = 2000  # rows that are looked at
_SECONDS = 2.0


def find_leaks(columns: Sequence[Column], x: np.ndarray, y: np.ndarray) -> list[str]:
    """Return the names of the columns from which alone a decision tree, or a line, knows the target.

    Each half of the rows is predicted by what was fitted to the other half. For many columns or features it stops after
    two seconds, and names what it has found.

    Args:
        columns: The columns, in the order of their features.
        x: Features, [N, F].
        y: Labels, [N] integers; or targets, [N] or [N, K] floats.
    """
    rows = np.random.default_rng(0).permutation(len(y))[:_ROWS]
    if len(rows) < _LEAST:
        return []
    x, y = x[rows].astype(np.float64), y[rows]
    if y.dtype.kind != "f" and (np.bincount(y).max() >= _SURE * len(y) or len(np.unique(y)) > len(y) / _CLASS_ROWS):
        return []
    begun, end, found = time.perf_counter(), 0, []
    for column in columns:
        start, end = end, end + len(column.features)
        if time.perf_counter() - begun > _SECONDS:
            break
        if _knows(x[:, start:end], y):
            found.append(column.name)
    return found


def _knows(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether the target follows from some features."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # more than a second to import

    halves = np.arange(len(y)) % 2 == 0
    if y.dtype.kind != "f":
        right = []
        for fitted in (halves, ~halves):
            tree = DecisionTreeClassifier(random_state=0).fit(x[fitted], y[fitted])
            known = ~fitted & np.isin(y, y[fitted])  # a class of one row is in one half only
            right.append(tree.predict(x[known]) == y[known])
        return bool(np.mean(np.concatenate(right)) >= _SURE)
    y = y.reshape(len(y), -1).astype(np.float64)
    scale = np.abs(x).max(0)
    line = np.concatenate([x / np.where(scale > 0, scale, 1), np.ones((len(x), 1))], 1)
    missed = np.zeros((2, *y.shape))
    for fitted in (halves, ~halves):
        tree = DecisionTreeRegressor(random_state=0).fit(x[fitted], y[fitted])
        missed[0, ~fitted] = y[~fitted] - tree.predict(x[~fitted]).reshape(-1, y.shape[1])
        missed[1, ~fitted] = y[~fitted] - line[~fitted] @ np.linalg.lstsq(line[fitted], y[fitted])[0]
    unexplained = (missed**2).mean(1) / np.maximum(y.var(0), 1e-300)
    return bool((unexplained <= 1 - _SURE).any())
