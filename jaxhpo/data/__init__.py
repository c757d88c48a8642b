"""Data sets as arrays: embedded digits, prepared TFDS data, the user's own arrays and texts."""

import os
from difflib import get_close_matches
from typing import Any

from jaxhpo.data import digits
from jaxhpo.data.arrays import from_arrays
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.named import SOURCES, load_named
from jaxhpo.data.preparation import prepare
from jaxhpo.data.text import TextOptions, Vocabulary

__all__ = ["Dataset", "TextOptions", "Vocabulary", "from_arrays", "listing", "load", "names", "prepare"]

_PREPARED = "jaxhpo data prepare NAME; read from --data-dir or TFDS_DATA_DIR"
_ROWS = {"digits": ("1,797 images, 8x8, 10 classes", "ships with scikit-learn; needs no network")} | {
    name: (source.about, _PREPARED) for name, source in SOURCES.items()
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
    text: TextOptions | None = None,
) -> Dataset:
    """Return a data set by name, or of the user's own arrays or texts `(x, y)`.

    Args:
        data: a name, `(x, y)`, or a Dataset.
        data_dir: where TFDS data sets lie; None takes the environment's `TFDS_DATA_DIR`.
        train_examples: keep so many of the training examples, every class in proportion.
        seed: splits the user's own arrays and picks `train_examples`; named data sets have one fixed split, so that
            studies of different seeds compare.
        text: how texts become tokens; None is `TextOptions()`.

    Raises:
        ValueError: naming the argument that cannot be.
    """
    if text is not None and not isinstance(text, TextOptions):
        raise ValueError(f"text={text!r} must be TextOptions(words=, length=, keep=)")
    if isinstance(data, Dataset):
        dataset = data
    elif isinstance(data, str):
        if data not in _ROWS:
            near = get_close_matches(data.lower(), _ROWS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"dataset {data!r} is unknown; {hint}known are {', '.join(_ROWS)}, or your own (x, y)")
        dataset = digits.load() if data == "digits" else load_named(data, data_dir, text)
    elif isinstance(data, tuple) and len(data) == 2:
        dataset = from_arrays(*data, seed=seed, text=text)
    else:
        raise ValueError(f"data of type {type(data).__name__} must be a name, a tuple (x, y), or a Dataset")
    if text is not None and dataset.words is None:
        raise ValueError(f"text={text!r} is for texts, and {dataset.name} holds {dataset.kind} data; leave it out")
    return dataset if train_examples is None else dataset.take(train_examples, seed=seed)
