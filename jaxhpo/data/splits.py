"""Seeded, stratified splits."""

import numpy as np
from sklearn.model_selection import train_test_split

VALID, TEST = 0.2, 0.2


def three_way(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row numbers of train (60%), validation (20%) and test (20%), every class in proportion.

    Raises ValueError where a class has too few members to stand in all three.
    """
    counts = np.bincount(y)
    if counts.min() < 5:
        rare = int(counts.argmin())
        raise ValueError(f"y has {counts[rare]} examples of class {rare}; a split in three needs at least 5 of each")
    rows = np.arange(len(y))
    rest, test = train_test_split(rows, test_size=TEST, stratify=y, random_state=seed)
    train, valid = train_test_split(rest, test_size=VALID / (1 - TEST), stratify=y[rest], random_state=seed)
    return np.asarray(train), np.asarray(valid), np.asarray(test)


def hold_out(y: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of the rest and of `size` held-out examples, every class in proportion."""
    rest, held = train_test_split(np.arange(len(y)), test_size=size, stratify=y, random_state=seed)
    return np.asarray(rest), np.asarray(held)


def subset(y: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return `size` row numbers, every class in proportion where `size` allows it, in a seeded order."""
    classes = len(np.unique(y))
    stratify = y if classes <= min(size, len(y) - size) and np.bincount(y).min() >= 2 else None
    return np.asarray(train_test_split(np.arange(len(y)), train_size=size, stratify=stratify, random_state=seed)[0])
