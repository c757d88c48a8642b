"""Random splits by a seed: stratified by class for labels, not stratified for regression targets."""

import math
from typing import Any

import numpy as np

from jaxhpo.data.checks import Label, check_seed

VALID, TEST = 0.2, 0.2
_LEAST = 5  # smallest number of examples that is split by shares; a fifth of them is one example


def three_way(
    y: np.ndarray, seed: int, *, names: tuple[Label, ...] | None = None, what: str = "y"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row numbers of training (60%), validation (20%) and test examples (20%), with the classes in proportion.

    Of a class of 3 or 4 examples, one is a validation and one a test example; one of fewer is in the training examples
    alone (see `rare_notes`).

    Args:
        y: Labels, [N] int32; or targets, [N] or [N, K] float32, which are split without stratification.
        seed: Random seed.
        names: The classes in error messages.
        what: Name of `y` in error messages.

    Raises:
        ValueError: if `seed` is no seed; if there are too few examples, or fewer than two classes of which all parts
            have an example.
    """
    check_seed(seed)
    common, rare = _by_size(y, names, what, 3, "a split in three")
    train, valid, test = [np.zeros(0, np.int64)] * 3
    if len(common):
        rest, test = _split(common, test_size=TEST, stratify=_strata(y[common]), random_state=seed)
        train, valid = _split(rest, test_size=VALID / (1 - TEST), stratify=_strata(y[rest]), random_state=seed)
    return _add_rare([train, valid, test], rare, seed)


def two_way(
    y: np.ndarray, seed: int, *, names: tuple[Label, ...] | None = None, what: str = "y_train"
) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of training (80%) and validation examples (20%), for data that have a test split."""
    check_seed(seed)
    common, rare = _by_size(y, names, what, 2, "holding out a fifth")
    train, valid = [np.zeros(0, np.int64)] * 2
    if len(common):
        size = math.ceil(VALID * len(common))
        train, valid = _split(common, test_size=size, stratify=_strata(y[common]), random_state=seed)
    return _add_rare([train, valid], rare, seed)


def rare_notes(y: np.ndarray, parts: int, names: tuple[Label, ...] | None = None) -> tuple[str, ...]:
    """Return a sentence about classes with fewer examples than `parts`, which are in the training examples alone."""
    if y.dtype.kind == "f":
        return ()
    counts = np.bincount(y)
    few = [repr(k if names is None else names[k]) for k in np.flatnonzero((counts > 0) & (counts < parts)).tolist()]
    if not few:
        return ()
    shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if few[5:] else "")
    which = f"class {shown} has" if len(few) == 1 else f"the classes {shown} have"
    return (f"{which} fewer than {parts} examples, which are training examples: no score sees them",)


def hold_out(y: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of the remaining and of `size` held-out examples, with the classes in proportion."""
    rest, held = _split(np.arange(len(y)), test_size=size, stratify=_strata(y), random_state=seed)
    return np.asarray(rest), np.asarray(held)


def subset(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return `size` row numbers in random order, with the classes in proportion if `size` allows it."""
    strata = _strata(y)
    if strata is not None:
        counts = np.bincount(y)
        # A single example has no part in both; it counts as one of the largest class.
        strata = np.where(counts[y] < 2, counts.argmax(), y)
        strata = strata if len(np.unique(strata)) <= min(size, len(y) - size) else None
    return np.asarray(_split(np.arange(len(y)), train_size=size, stratify=strata, random_state=seed)[0])


def _split(rows: np.ndarray, **options: Any) -> list[np.ndarray]:
    """Return the rows in two parts, split by scikit-learn's `train_test_split`."""
    from sklearn.model_selection import train_test_split  # more than a second to import

    first, second = train_test_split(rows, **options)
    return [np.asarray(first), np.asarray(second)]


def _strata(y: np.ndarray) -> np.ndarray | None:
    return None if y.dtype.kind == "f" else y


def _by_size(
    y: np.ndarray, names: tuple[Label, ...] | None, what: str, parts: int, purpose: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the rows that are split by shares, and those of each class that is too small for it; of targets all rows.

    Raises ValueError where there is too little of everything for `parts` parts.
    """
    rows = np.arange(len(y))
    if y.dtype.kind == "f":
        if len(y) < _LEAST:
            raise ValueError(f"{what} has {len(y)} examples; {purpose} needs at least {_LEAST}")
        return rows, []
    counts = np.bincount(y)
    enough = np.flatnonzero(counts >= parts)
    if len(enough) < 2:
        found = [repr(k if names is None else names[k]) for k in enough.tolist()]
        there = f"only class {found[0]} has" if found else "no class has"
        raise ValueError(f"{what}: {there} {parts} examples or more; {purpose} needs two such classes")
    return rows[counts[y] >= _LEAST], [rows[y == k] for k in np.flatnonzero((counts > 0) & (counts < _LEAST))]


def _add_rare(parts: list[np.ndarray], rare: list[np.ndarray], seed: int) -> Any:
    """Return the parts with the rows of small classes: the first part has most of them, each other part one."""
    random = np.random.default_rng(seed)
    for rows in rare:
        own = random.permutation(rows)
        others = len(parts) - 1 if len(own) >= len(parts) else 0
        given = [own[others:], *own[:others, None], *[own[:0]] * (len(parts) - 1 - others)]
        parts = [np.concatenate(both) for both in zip(parts, given, strict=True)]
    return tuple(map(np.asarray, parts))
