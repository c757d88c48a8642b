"""Folds of cross-validation: each holds out a part of the examples, and trains on the others."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.data.checks import check_seed
from jaxhpo.data.dataset import Dataset

DEFAULT_FOLDS, MOST_EXAMPLES = 5, 8_000
"""Folds of a user's own data unless given, and the most training and validation examples that are folded then."""

_FEWEST = 3


def deal(y: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each example, [N] int32 in 0 .. folds - 1.

    Examples are sorted by class, at random within each, and dealt one by one, the last fold first. So the folds' sizes
    differ by at most 1, and so do their numbers of examples of a class. The larger folds come last.

    Args:
        y: Labels, [N] int32; or targets, [N] or [N, K] float32, which are dealt at random.
        folds: How many folds, at most N.
        seed: Random seed.

    Example:
        >>> import numpy as np
        >>> deal(np.array([0, 0, 1, 1, 1], np.int32), 2, seed=0).tolist()
        [1, 0, 1, 1, 0]
    """
    order = np.random.default_rng(seed).permutation(len(y))
    if y.dtype.kind != "f":
        order = order[np.argsort(y[order], kind="stable")]
    found = np.empty(len(y), np.int32)
    found[order] = folds - 1 - np.arange(len(y), dtype=np.int32) % folds
    return found


class Folds(NamedTuple):
    """The folds of a data set.

    They deal out its pool: the training examples, and after them the validation examples.

    Attributes:
        count: How many folds.
        rows: Rows of the pool, ordered by the fold that holds them out: [N] int64.
    """

    count: int
    rows: np.ndarray

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many examples each fold holds out; the last ones may hold out one more."""
        least, more = divmod(len(self.rows), self.count)
        return (least,) * (self.count - more) + (least + 1,) * more

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each fold's examples begin in `rows`."""
        return tuple(sum(self.sizes[:fold]) for fold in range(self.count))

    @property
    def slices(self) -> tuple[slice, ...]:
        """Which of `rows` each fold holds out."""
        return tuple(slice(start, start + size) for start, size in zip(self.starts, self.sizes, strict=True))

    def pool(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """Return the training and validation examples, x and y, in the order of `rows`.

        Args:
            data: The data set that the folds were made of.

        Raises:
            ValueError: if the data set has another number of examples.
        """
        there = len(data.y_train) + len(data.y_valid)
        if there != len(self.rows):
            raise ValueError(f"data={data.name!r} has {there} training and validation examples, not {len(self.rows)}")
        x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
        return x[self.rows], y[self.rows]

    def dataset(self, data: Dataset, fold: int) -> Dataset:
        """Return the data set of one fold: its validation examples are those that the fold holds out.

        Its training examples are all others, in the order of `rows`.

        Args:
            data: The data set that the folds were made of.
            fold: Which fold, from 0.
        """
        return self._dataset(data, self.pool(data), fold)

    def moments(self, data: Dataset) -> dict[str, np.ndarray]:
        """Return what each fold's network scales by, from the fold's own training examples.

        Args:
            data: The data set that the folds were made of.

        Returns:
            `offset` and `scale`, and for regression `target_offset` and `target_scale`: those of `Dataset`, stacked to
            [count, ...] float32.
        """
        names = ("offset", "scale") + (("target_offset", "target_scale") if data.classes is None else ())
        pool, found = self.pool(data), []
        for fold in range(self.count):
            part = self._dataset(data, pool, fold)
            found.append([getattr(part, name) for name in names])
        return {name: np.stack(values) for name, values in zip(names, zip(*found, strict=True), strict=True)}

    def last(self, data: Dataset) -> Dataset:
        """Return the data set of the last fold, which has the fewest training examples.

        Its training examples and after them its validation examples are the pool in the order of `rows`: its own folds
        are `in_order`.

        Args:
            data: The data set that the folds were made of.
        """
        return self.dataset(data, self.count - 1)

    @classmethod
    def in_order(cls, count: int, examples: int) -> "Folds":
        """Return the folds of a pool whose examples are ordered by fold.

        Args:
            count: How many folds.
            examples: Number of examples in the pool.
        """
        return cls(count, np.arange(examples))

    def _dataset(self, data: Dataset, pool: tuple[np.ndarray, np.ndarray], fold: int) -> Dataset:
        held = np.zeros(len(self.rows), bool)
        held[self.slices[fold]] = True
        x, y = pool
        return replace(data, x_train=x[~held], y_train=y[~held], x_valid=x[held], y_valid=y[held])


def make_folds(data: Dataset, folds: int, seed: int) -> Folds:
    """Return folds of a data set's training and validation examples, with the classes in proportion.

    Args:
        data: The data set.
        folds: How many, of at least 2.
        seed: Random seed.

    Raises:
        ValueError: if there cannot be so many folds, or the user gave the validation examples.
    """
    if isinstance(folds, bool) or not isinstance(folds, int | np.integer) or folds < 2:
        raise ValueError(f"folds={folds!r} must be an integer of at least 2")
    check_seed(seed)
    if data.split == "given":
        problem = f"folds={folds} deals validation examples out anew, and those of {data.name!r} were given"
        raise ValueError(f"{problem}; use folds=1, or give none")
    least, rarest = _rarest(data)
    if folds > least:
        there = f"{least} training and validation example{'' if least == 1 else 's'}{rarest}"
        remedy = f"use at most {least}" if least > 1 else "use folds=1, or merge rare classes"
        raise ValueError(f"folds={folds} exceeds the {there}; {remedy}")
    return Folds(int(folds), np.argsort(deal(_targets(data), int(folds), seed), kind="stable").astype(np.int64))


def default_folds(data: Dataset) -> int:
    """Return how many folds there are unless the user says: 1, which means none, unless a loader made the split.

    Then `DEFAULT_FOLDS`, or as many as the rarest class has training and validation examples. 1 where these are more
    than `MOST_EXAMPLES` in all, or the rarest class has fewer than 3: two folds train on half of the examples, fewer
    than without folds.
    """
    if data.split != "made" or len(data.y_train) + len(data.y_valid) > MOST_EXAMPLES:
        return 1
    folds = min(DEFAULT_FOLDS, _rarest(data)[0])
    return folds if folds >= _FEWEST else 1


def _targets(data: Dataset) -> np.ndarray:
    return np.concatenate([data.y_train, data.y_valid])


def _rarest(data: Dataset) -> tuple[int, str]:
    """Return how many examples of the pool the rarest class has, and which it is, for messages; of targets all."""
    y: Any = _targets(data)
    if data.classes is None:
        return len(y), ""
    counts = np.bincount(y)
    rarest = int(np.where(counts > 0, counts, len(y) + 1).argmin())
    return int(counts[rarest]), f" of class {rarest if data.class_names is None else data.class_names[rarest]!r}"
