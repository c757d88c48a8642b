"""Random splits by a seed: stratified by class for labels, not stratified for regression targets."""

import math
from typing import Any

import numpy as np

VALID, TEST = 0.2, 0.2
_LEAST = 5  # smallest number of examples, or of examples per class; a fifth of them is one example


def three_way(
    y: np.ndarray, seed: int, *, names: tuple[str, ...] | None = None, what: str = "y"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row numbers of training (60%), validation (20%) and test examples (20%), with the classes in proportion.

    Args:
        y: Labels, [N] int32; or targets, [N] or [N, K] float32, which are split without stratification.
        seed: Random seed.
        names: Names of the classes in error messages.
        what: Name of `y` in error messages.

    Raises:
        ValueError: if there are too few examples, or too few of a class.
    """
    _check_enough(y, names, what, "a split in three needs at least {}")
    rest, test = _split(np.arange(len(y)), test_size=TEST, stratify=_strata(y), random_state=seed)
    train, valid = _split(rest, test_size=VALID / (1 - TEST), stratify=_strata(y[rest]), random_state=seed)
    return np.asarray(train), np.asarray(valid), np.asarray(test)


def two_way(
    y: np.ndarray, seed: int, *, names: tuple[str, ...] | None = None, what: str = "y_train"
) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of training (80%) and validation examples (20%), for data that have a test split."""
    _check_enough(y, names, what, "holding out a fifth needs at least {}; or give the validation examples too")
    return hold_out(y, math.ceil(VALID * len(y)), seed)


def hold_out(y: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of the remaining and of `size` held-out examples, with the classes in proportion."""
    rest, held = _split(np.arange(len(y)), test_size=size, stratify=_strata(y), random_state=seed)
    return np.asarray(rest), np.asarray(held)


def subset(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return `size` row numbers in random order, with the classes in proportion if `size` allows it."""
    strata = _strata(y)
    if strata is not None:
        classes = len(np.unique(y))
        strata = y if classes <= min(size, len(y) - size) and np.bincount(y).min() >= 2 else None
    return np.asarray(_split(np.arange(len(y)), train_size=size, stratify=strata, random_state=seed)[0])


def _split(rows: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Return the rows in two parts, split by scikit-learn's `train_test_split`."""
    from sklearn.model_selection import train_test_split  # more than a second to import

    first, second = train_test_split(rows, **options)
    return [np.asarray(first), np.asarray(second)]


def _strata(y: np.ndarray) -> np.ndarray | None:
    return None if y.dtype.kind == "f" else y


def _check_enough(y: np.ndarray, names: tuple[str, ...] | None, what: str, needs: str) -> None:
    if y.dtype.kind == "f":
        if len(y) < _LEAST:
            raise ValueError(f"{what} has {len(y)} examples; {needs.format(_LEAST)}")
        return
    counts = np.bincount(y)
    if counts.min() < _LEAST:
        rare = int(counts.argmin())
        name = rare if names is None else repr(names[rare])
        raise ValueError(f"{what} has {counts[rare]} examples of class {name}; {needs.format(f'{_LEAST} of each')}")
