"""Data sets as arrays: embedded digits, prepared TFDS data, the user's own arrays."""

import os
from difflib import get_close_matches
from typing import Any

from jaxhpo.data import digits
from jaxhpo.data.arrays import from_arrays
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.prepared import load_mnist

__all__ = ["Dataset", "from_arrays", "listing", "load", "names"]

_ROWS = {
    "digits": ("1,797 images, 8x8, 10 classes", "ships with scikit-learn; needs no network"),
    "mnist": ("70,000 images, 28x28, 10 classes", "a prepared TFDS directory: --data-dir or TFDS_DATA_DIR"),
}


def names() -> list[str]:
    """Return the data sets that `load` knows by name."""
    return list(_ROWS)


def listing() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return column titles and a row for each named data set."""
    return ("name", "examples", "where it comes from"), [(name, *row) for name, row in _ROWS.items()]


def load(
    data: str | tuple[Any, Any] | Dataset,
    *,
    data_dir: str | os.PathLike | None = None,
    train_examples: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Return a data set by name, or of the user's own arrays `(x, y)`.

    Args:
        data: a name, `(x, y)`, or a Dataset.
        data_dir: where TFDS data sets lie; None takes the environment's `TFDS_DATA_DIR`.
        train_examples: keep so many of the training examples, every class in proportion.
        seed: splits the user's own arrays and picks `train_examples`; named data sets have one fixed split, so that
            studies of different seeds compare.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    if isinstance(data, Dataset):
        dataset = data
    elif isinstance(data, str):
        if data not in _ROWS:
            near = get_close_matches(data.lower(), _ROWS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"dataset {data!r} is unknown; {hint}known are {', '.join(_ROWS)}, or your own (x, y)")
        dataset = digits.load() if data == "digits" else load_mnist(data_dir)
    elif isinstance(data, tuple) and len(data) == 2:
        dataset = from_arrays(*data, seed=seed)
    else:
        raise ValueError(f"data of type {type(data).__name__} must be a name, a tuple (x, y), or a Dataset")
    return dataset if train_examples is None else dataset.take(train_examples, seed=seed)
