"""Tables with one row per example: CSV and parquet files, and DataFrames."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhpo.data.arrays import assemble
from jaxhpo.data.checks import (
    Label,
    check_task,
    check_varied,
    label_dtype,
    label_notes,
    read_labels,
    read_targets,
)
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.paths import existing, stem_of
from jaxhpo.data.splits import rare_notes, three_way
from jaxhpo.data.tables.columns import check_complete, check_features, encode, is_number, strings
from jaxhpo.data.tables.readers import Table, is_frame, read_file, read_frame
from jaxhpo.data.text import TextOptions

if TYPE_CHECKING:
    import pandas as pd

_TARGETS = ("target", "label", "y", "class")


def from_table(
    table: str | os.PathLike | pd.DataFrame,
    target: str | Sequence[str] | None = None,
    *,
    task: str = "classification",
    drop: str | Sequence[str] = (),
    name: str | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
) -> Dataset:
    """Return the Dataset of a table, split 60/20/20, with the classes in proportion.

    Columns of numbers and bools are features. Columns of texts and categories are one-hot: one feature for each
    category of the training rows, with a name like "colour=red"; other categories are encoded as zeros. If the only
    column besides the target holds texts, these are the examples and become tokens.

    Args:
        table: Path of a file, `.csv`, `.csv.gz`, `.tsv`, `.tsv.gz` or `.parquet` (which needs pyarrow); or a DataFrame.
        target: Target column, or several for regression; None takes the only column called target, label, y or class.
        task: "classification" or "regression".
        drop: Columns to leave out.
        name: Name of the data set; None is the file's name, or "table".
        seed: Random seed of the split.
        text: How texts become tokens.

    Raises:
        ValueError: if the table or an argument is invalid; the message names the file, the column and the row or line.

    Example:
        >>> import pandas as pd, jaxhpo
        >>> frame = pd.DataFrame({"area": range(20), "colour": ["red", "blue"] * 10, "price": range(100, 120)})
        >>> data = jaxhpo.data.from_table(frame, "price", task="regression")
        >>> data, data.feature_names
        (Dataset('table', vector (3,), regression, 12/4/4 train/valid/test), ('area', 'colour=blue', 'colour=red'))
    """
    import pandas as pd

    check_task(task)
    if is_frame(table):
        read, stem = read_frame(table), "table"
    else:
        path = existing(table, "file")
        read, stem = read_file(path), stem_of(path)
    read = _without(read, drop)
    targets = _choose_targets(read, target, task)
    features = [column for column in read.frame.columns if column not in targets]
    if not features:
        raise ValueError(f"{read.title} has no column beside the target {targets[0]!r}; give at least one feature")
    check_complete(read)
    y, names = _read_targets(read, targets, task)
    check_features(read, features)
    dtype, notes = None, ()
    if task == "classification":
        dtype = label_dtype(read.column(targets[0]))
        notes = label_notes(f"column {targets[0]!r}", y, names) + rare_notes(y, 3, names)
    parts = list(three_way(y, seed, names=names, what=f"{read.title}: column {targets[0]!r}"))
    labels = [y[rows] for rows in parts]
    options: dict[str, Any] = {"text": text, "names": names, "dtype": dtype, "notes": notes}
    only = read.column(features[0])
    if len(features) == 1 and not is_number(read, features[0]) and not isinstance(only.dtype, pd.CategoricalDtype):
        cells = strings(only)
        texts = [[cells[i] for i in rows] for rows in parts]
        return assemble(
            name or stem, list(zip(texts, labels, strict=True)), text=text, names=names, dtype=dtype, notes=notes
        )
    x, feature_names = encode(read, features, parts)
    return assemble(name or stem, list(zip(x, labels, strict=True)), features=feature_names, **options)


def _without(table: Table, drop: Any) -> Table:
    columns = list(table.frame.columns)
    if not isinstance(drop, str | list | tuple):
        raise ValueError(f"drop={drop!r} must be a column's name, or a list of them")
    drop = [drop] if isinstance(drop, str) else list(drop)
    for column in drop:
        if column not in columns:
            raise ValueError(f"drop={column!r} is no column of {table.title}; it has {_list(columns)}")
    table = table._replace(frame=table.frame.drop(columns=drop))
    nameless = [column for column in table.frame.columns if column.startswith("Unnamed: ") or not column]
    if nameless:
        problem = f"{table.title} has a column without a name, which pandas writes for an index"
        raise ValueError(f"{problem}; name it, or leave it out: drop=[{nameless[0]!r}]")
    return table


def _choose_targets(table: Table, target: Any, task: str) -> list[str]:
    """Return the target columns."""
    columns = list(table.frame.columns)
    if target is None:
        found = [column for column in columns if column.lower() in _TARGETS]
        if len(found) != 1:
            problem = f"has the columns {_list(found)}" if found else f"has no column called {', '.join(_TARGETS)}"
            raise ValueError(f"{table.title} {problem}; give target=, one of {_list(columns)}")
        return found
    targets = [target] if isinstance(target, str) else list(target) if isinstance(target, list | tuple) else []
    if not targets or not all(isinstance(column, str) for column in targets) or len(set(targets)) < len(targets):
        raise ValueError(f"target={target!r} must be a column's name, or a list of different ones")
    for column in targets:
        if column not in columns:
            raise ValueError(f"target={column!r} is no column of {table.title}; it has {_list(columns)}")
    if task == "classification" and len(targets) > 1:
        raise ValueError(f"target={target!r} names {len(targets)} columns; give one, or task='regression'")
    return targets


def _read_targets(table: Table, targets: list[str], task: str) -> tuple[np.ndarray, tuple[Label, ...] | None]:
    """Return labels, [N] int32, and the names of the classes; or targets, [N] or [N, K] float32, and None."""
    values = []
    for column in targets:
        what, series = f"{table.title}: column {column!r}", table.column(column)
        if not is_number(table, column):
            if task == "regression":
                raise ValueError(f"{what} holds texts, not numbers; regression needs numbers to predict")
            return read_labels(what, series)
        if task == "classification":
            return read_labels(what, series)
        values.append(read_targets(what, series.to_numpy(np.float64)))
        check_varied(what, values[-1])
    return (values[0] if len(values) == 1 else np.stack(values, 1)), None


def _list(columns: list[str]) -> str:
    shown = ", ".join(columns[:20])
    return shown if len(columns) <= 20 else f"{shown} and {len(columns) - 20} more"
