"""Data sets in files and folders: the choice of the loader, and `.npz` files."""

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxhpo.data.arrays import from_arrays
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.image_folders import from_folder
from jaxhpo.data.paths import ARRAYS, SUFFIXES, TABLES, existing, refuse_unreadable, stem_of, suffix_of
from jaxhpo.data.tables.from_table import from_table
from jaxhpo.data.text import TextOptions
from jaxhpo.machine.npz import read_npz

_WHOLE = ("x", "y")
_SPLIT = ("x_train", "y_train", "x_test", "y_test")
_VALID = ("x_valid", "y_valid")

OPTIONS = {
    "target": "names a column of a table",
    "drop": "names columns of a table",
    "columns": "says what columns of a table are",
    "header": "is for tables in files",
    "image_size": "is for a folder of images",
    "kind": "is for arrays",
    "channels": "is for arrays",
}
"""Options that only some kinds of data have, with their purpose in error messages."""


def is_given(value: object) -> bool:
    """Return whether an option is given: it is neither None nor an empty list or dict."""
    return value is not None and not (isinstance(value, list | tuple | dict) and not value)


def from_path(
    path: str | os.PathLike,
    *,
    target: str | int | Sequence[str | int] | None = None,
    drop: str | int | Sequence[str | int] = (),
    columns: Mapping[str | int, str] | None = None,
    header: bool | None = None,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
    kind: str | None = None,
    channels: str | None = None,
) -> Dataset:
    """Return the data set in a file (`.npz`, `.csv`, `.csv.gz`, `.tsv`, `.tsv.gz`, `.parquet`) or a folder of images.

    Args:
        path: Path of the file or folder.
        target: Target column of a table, or several.
        drop: Columns of a table to leave out.
        columns: What columns of a table are; see `from_table`.
        header: Whether the first row of a table names the columns; None finds out.
        task: "classification" or "regression"; None is classification.
        image_size: (height, width) in pixels that images of a folder are resized to.
        seed: Random seed of the split.
        text: How texts become tokens.
        kind: How arrays [N, A, B] are read; see `from_arrays`.
        channels: "first" or "last", of arrays; see `from_arrays`.

    Raises:
        ValueError: if the path or an argument is invalid; the message names it and what is wrong.
    """
    found = existing(path, "file" if suffix_of(Path(path)) else "file or folder")
    suffix = suffix_of(found)
    table = suffix in TABLES and not found.is_dir()
    options: dict[str, Any] = {"image_size": None if found.is_dir() else image_size}
    of_table: dict[str, Any] = {"target": target, "drop": drop, "columns": columns, "header": header}
    options |= {} if table else of_table
    arrays = suffix in ARRAYS and not found.is_dir()
    options |= {} if arrays else {"kind": kind, "channels": channels}
    for option, value in options.items():
        if is_given(value):
            raise ValueError(f"{option}={value!r} {OPTIONS[option]}, and {str(path)!r} is none; leave it out")
    if table:
        return from_table(found, **of_table, task=task or "classification", seed=seed, text=text)
    if arrays:
        return from_npz(found, task=task or "classification", seed=seed, text=text, kind=kind, channels=channels)
    if not found.is_dir():
        raise ValueError(f"file {str(path)!r} is of no known kind; give one of {', '.join(SUFFIXES)}, or a folder")
    if task is not None:
        raise ValueError(f"task={task!r} is for arrays and tables, and {str(path)!r} is a folder; leave it out")
    return from_folder(found, image_size, seed=seed)


def from_npz(
    path: str | os.PathLike,
    *,
    task: str = "classification",
    name: str | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
    kind: str | None = None,
    channels: str | None = None,
) -> Dataset:
    """Return the Dataset in an `.npz` file that `numpy.savez` wrote, with arrays as in `from_arrays`.

    The file holds `x` and `y`, which are split 60/20/20; or `x_train`, `y_train`, `x_test` and `y_test`. The latter may
    come with `x_valid` and `y_valid`; otherwise a fifth of the training examples is held out.

    Args:
        path: Path of the file.
        task: "classification" or "regression".
        name: Name of the data set; None is the file's name.
        seed: Random seed of the split.
        text: How texts become tokens, if `x` holds strings.
        kind: How arrays [N, A, B] are read; see `from_arrays`.
        channels: "first" or "last"; see `from_arrays`.

    Raises:
        ValueError: if the file or an array is invalid; the message names it and what is wrong.
    """
    file = existing(path, "file")
    try:
        with file.open("rb") as stream:  # np.load would leave a damaged file open
            arrays = read_npz(stream, lambda names: _choose(names, str(path)))
    except _LayoutError:
        raise
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        refuse_unreadable(file, error)  # ValueError also for objects, RuntimeError where there is a password
    options: dict[str, Any] = {
        "name": stem_of(file) if name is None else name,
        "seed": seed,
        "text": text,
        "task": task,
    }
    options |= {"kind": kind, "channels": channels}
    if set(arrays) == set(_WHOLE):
        return from_arrays(arrays["x"], arrays["y"], **options)
    test = arrays["x_test"], arrays["y_test"]
    valid = None if set(arrays) == set(_SPLIT) else (arrays["x_valid"], arrays["y_valid"])
    return from_arrays(arrays["x_train"], arrays["y_train"], test=test, valid=valid, **options)


class _LayoutError(ValueError):
    """The arrays of an archive have other names."""


def _choose(names: set[str], path: str) -> tuple[str, ...]:
    """Return the names of the arrays to read."""
    for wanted in (_WHOLE, _SPLIT, _SPLIT + _VALID):
        if names & set(_WHOLE + _SPLIT + _VALID) == set(wanted):
            return wanted
    there = ", ".join(sorted(names)) or "no arrays"
    wanted = f"{' and '.join(_WHOLE)}, or {', '.join(_SPLIT)} (and {', '.join(_VALID)})"
    raise _LayoutError(f"file {path!r} holds {there}; name them {wanted}")
