"""Data sets: named ones, and the user's own arrays, texts, tables and images.

- `dataset.py`: `Dataset`: arrays in three splits
- `arrays.py`, `text.py`, `image_folders.py`: the user's arrays, texts and folders of images
- `tables/`: CSV and parquet files, and DataFrames
- `named/`: digits, MNIST, CIFAR-10, IMDB
- `files.py`, `paths.py`: which loader reads a path, and `.npz` files
- `splits.py`: training, validation and test examples
- `folds.py`: training and validation examples dealt out for cross-validation
- `shapes.py`: images, sequences or vectors: how arrays are read
- `checks.py`: checks of texts, labels and targets
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxhpo.data.arrays import check_text, from_arrays
from jaxhpo.data.checks import check_task, read_labels
from jaxhpo.data.dataset import Dataset, carry
from jaxhpo.data.files import OPTIONS, from_npz, from_path, is_given
from jaxhpo.data.image_folders import from_folder
from jaxhpo.data.named import digits
from jaxhpo.data.named.preparation import prepare
from jaxhpo.data.named.sources import SOURCES, load_named
from jaxhpo.data.paths import looks_like_path
from jaxhpo.data.shapes import check_reading
from jaxhpo.data.tables.from_table import from_table
from jaxhpo.data.tables.pairs import join
from jaxhpo.data.tables.readers import is_frame
from jaxhpo.data.text import TextOptions, Vocabulary, check_options

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Dataset",
    "TextOptions",
    "Vocabulary",
    "from_arrays",
    "from_folder",
    "from_npz",
    "from_table",
    "listing",
    "load",
    "names",
    "prepare",
]

_PREPARED = "jaxhpo data prepare NAME; read from --data-dir or TFDS_DATA_DIR"
_ROWS = {"digits": ("1,797 images, 8x8, 10 classes", "ships with scikit-learn; needs no network")} | {
    name: (source.about, _PREPARED) for name, source in SOURCES.items()
}


def names() -> list[str]:
    """Return the names of the data sets that `load` knows.

    Example:
        >>> import jaxhpo
        >>> jaxhpo.data.names()
        ['digits', 'mnist', 'cifar10', 'imdb']
    """
    return list(_ROWS)


def listing() -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the column titles of a table of the named data sets, and its rows."""
    return ("name", "examples", "where it comes from"), [(name, *row) for name, row in _ROWS.items()]


def load(
    data: str | Path | tuple[Any, Any] | pd.DataFrame | Dataset,
    *,
    data_dir: str | os.PathLike | None = None,
    train_examples: int | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
    target: str | int | Sequence[str | int] | None = None,
    drop: str | int | Sequence[str | int] = (),
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    scale_targets: bool | None = None,
    columns: Mapping[str | int, str] | None = None,
    header: bool | None = None,
    kind: str | None = None,
    channels: str | None = None,
) -> Dataset:
    """Return a data set by name, from a file or folder, or from the user's own arrays, texts or table.

    Args:
        data: Name of a data set; path of a file (see `from_npz`, `from_table`) or of a folder of images (see
            `from_folder`); arrays or texts `(x, y)` (see `from_arrays`); a DataFrame, or a DataFrame of features and
            its targets, `(x, y)` (see `from_table`); or a Dataset. A known name always means the named data set, even
            if a file has the same name.
        data_dir: Directory of the prepared TFDS data sets; None takes it from the environment variable `TFDS_DATA_DIR`.
        train_examples: Number of training examples to keep, with the classes in proportion; None keeps all.
        seed: Random seed of the split of the user's own data and of the selection of `train_examples`. Named data sets
            have a fixed split, so that studies with different seeds can be compared.
        text: How texts become tokens; None is `TextOptions()`.
        target: Target column of a table, or several for regression; None takes the only column called target, label, y
            or class. -1 is the last column.
        drop: Columns of a table to leave out.
        task: "classification" or "regression", for arrays and tables; None is classification.
        image_size: (height, width) in pixels that images of a folder are resized to; None requires images of one size.
        scale_targets: Whether networks learn standardised regression targets; see `Dataset`.
        columns: What columns of a table are, by name, where that is not to follow from their cells: "number",
            "category", "date", "day first", "month first", "text" or "drop"; see `from_table`.
        header: Whether the first row of a table's file names the columns. None takes it for an example if it looks
            like the rows below; columns without a header are named "0", "1" and so on.
        kind: "image", "sequence" or "vector": how arrays [N, A, B] are read; see `from_arrays`.
        channels: "first" for arrays of images [N, C, H, W] or sequences [N, F, T]; None is "last".

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import numpy as np, jaxhpo
        >>> x, y = np.random.default_rng(0).random((100, 4)), np.repeat(["cat", "dog"], 50)
        >>> jaxhpo.data.load((x, y), train_examples=40)  # or "digits", "prices.csv", a DataFrame, ...
        Dataset('arrays', vector (4,), 2 classes, 40/20/20 train/valid/test)
    """
    check_options(text)
    check_reading(kind, channels)
    if task is not None:
        check_task(task)
    of_table: dict[str, Any] = {"target": target, "drop": drop, "columns": columns, "header": header}
    own = of_table | {"task": task, "image_size": image_size}
    own |= {"kind": kind, "channels": channels}
    if isinstance(data, Dataset):
        _refuse_options(own, f"{data.name!r} has its own", "is for your own data")
        dataset = data
    elif isinstance(data, str) and data in _ROWS:
        _refuse_options(own, f"{data!r} has its own", "is for your own data")
        dataset = digits.load() if data == "digits" else load_named(data, data_dir, text)
    elif isinstance(data, Path) or (isinstance(data, str) and looks_like_path(data)):
        dataset = from_path(data, **own, seed=seed, text=text)
    elif isinstance(data, str):
        near = get_close_matches(data.lower(), _ROWS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        others = "your own (x, y), file or folder"
        raise ValueError(f"dataset {data!r} is unknown; {hint}known are {', '.join(_ROWS)}, or {others}")
    elif is_frame(data):
        _refuse_options({"image_size": image_size, "kind": kind, "channels": channels}, "data is a table")
        dataset = from_table(data, **of_table, task=task or "classification", seed=seed, text=text)
    elif isinstance(data, tuple) and len(data) == 2 and is_frame(data[0]):
        _refuse_options({"target": target, "image_size": image_size}, "data is a tuple (x, y)")
        _refuse_options({"kind": kind, "channels": channels}, "x is a table")
        frame, of_table["target"] = join(*data)
        if len(of_table["target"]) > 1 and task != "regression":
            read_labels("y", data[1])  # which says what is wrong with them
        dataset = from_table(frame, **of_table, task=task or "classification", seed=seed, text=text)
    elif isinstance(data, tuple) and len(data) == 2:
        _refuse_options(of_table | {"image_size": image_size}, "data is a tuple (x, y)")
        options: dict[str, Any] = {"seed": seed, "text": text, "kind": kind, "channels": channels}
        dataset = from_arrays(*data, task=task or "classification", **options)
    else:
        wanted = "a name, a file or folder, a tuple (x, y), a DataFrame, or a Dataset"
        raise ValueError(f"data of type {type(data).__name__} must be {wanted}")
    check_text(dataset, text)
    if scale_targets is not None:
        dataset = carry(replace(dataset, scale_targets=scale_targets), dataset)
    return dataset if train_examples is None else dataset.take(train_examples, seed=seed)


def _refuse_options(options: dict[str, Any], why: str, what: str | None = None) -> None:
    """Raise ValueError if one of the options is given; `what` describes the data that all of them are for."""
    for option, value in options.items():
        if is_given(value):
            raise ValueError(f"{option}={value!r} {what or OPTIONS[option]}, and {why}; leave it out")
