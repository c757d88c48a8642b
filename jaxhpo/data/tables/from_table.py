"""Tables with one row per example: CSV and parquet files, and DataFrames."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhpo.data.arrays import assemble
from jaxhpo.data.checks import check_task
from jaxhpo.data.dataset import Dataset, remember
from jaxhpo.data.paths import existing, stem_of
from jaxhpo.data.splits import three_way
from jaxhpo.data.tables.features import choose_features, encode
from jaxhpo.data.tables.kinds import KINDS, Reading
from jaxhpo.data.tables.leaks import find_leaks
from jaxhpo.data.tables.plan import Column
from jaxhpo.data.tables.readers import Table, is_frame, read_file, read_frame
from jaxhpo.data.tables.targets import choose_targets, column_of, listed, read_target, with_targets
from jaxhpo.data.text import TextOptions

if TYPE_CHECKING:
    import pandas as pd


def from_table(
    table: str | os.PathLike | pd.DataFrame,
    target: str | int | Sequence[str | int] | None = None,
    *,
    task: str = "classification",
    drop: str | int | Sequence[str | int] = (),
    columns: Mapping[str | int, str] | None = None,
    header: bool | None = None,
    name: str | None = None,
    seed: int = 0,
    text: TextOptions | None = None,
) -> Dataset:
    """Return the Dataset of a table, split 60/20/20, with the classes in proportion.

    What a column is follows from its cells, of all rows, in this order:

    - number: numbers and bools; also words such as "1,200", "$3.50", "45 %", and "1,5" where all cells fit. Missing
      cells get the median, and one more feature marks them.
    - date: its year, month, weekday (0 is Monday), hour where there are times, and days since the first date. The order
      of day and month follows from the column, or is asked for.
    - text: three words or more on average, and more than half of the cells different. If no other column is left, the
      texts are the examples and become tokens; otherwise the column is left out.
    - identifier: whole numbers that count the rows from 0 or 1, unless they are called year, day or the like, or that
      differ in every row and are called id, index or the like; or words that differ in every row; of 20 rows or more.
      It is left out.
    - category: other words, and pandas' categories. Each category has a feature, with a name like "colour=red". Rare
      ones share a feature: those in less than a thousandth of the training rows, and of more than 50 categories those
      in fewer than 5 rows, and all but the 200 most frequent. Missing cells are a category. A column with different
      words in more than half of its rows, and more than 50, is left out.

    Columns with the same value in every training row are left out, too. Medians, categories and the first date are
    those of the training rows; with folds, those of training and validation rows. `Dataset.notes` tells what was done,
    and predictions for a DataFrame do the same. A warning names columns that give the target away: the accuracy or R2
    with one of them alone is .999 or more.

    Args:
        table: Path of a file, `.csv`, `.csv.gz`, `.tsv`, `.tsv.gz` or `.parquet` (which needs pyarrow); or a DataFrame.
            Commas, semicolons, tabs or "|" separate the cells of a file.
        target: Target column, or several for regression; None takes the only column called target, label, y or class.
            -1 is the last column. Rows without a value there are left out.
        task: "classification" or "regression".
        drop: Columns to leave out.
        columns: What columns are, by name, where it is not to follow from their cells: "number", "category", "date",
            "day first" or "month first" for dates such as 1/2/2020, "text" or "drop".
        header: Whether the first row of a file names the columns. None takes it for an example if it looks like the
            rows below. Columns without a header are named "0", "1" and so on.
        name: Name of the data set; None is the file's name, or "table".
        seed: Random seed of the split.
        text: How texts become tokens.

    Raises:
        ValueError: if the table or an argument is invalid; the message names the file, and all columns that are.

    Example:
        >>> import pandas as pd, jaxhpo
        >>> frame = pd.DataFrame({"area": [30.5, 41, 52, 60] * 5, "colour": ["red", "blue"] * 10, "price": range(20)})
        >>> data = jaxhpo.data.from_table(frame, "price", task="regression")
        >>> data, data.feature_names
        (Dataset('table', vector (3,), regression, 12/4/4 train/valid/test), ('area', 'colour=blue', 'colour=red'))
    """
    check_task(task)
    if header is not None and not isinstance(header, bool):
        raise ValueError(f"header={header!r} must be True, False or None")
    said = _check_columns(columns)
    if is_frame(table):
        if header is not None:
            raise ValueError(f"header={header!r} is for files, and the table is a DataFrame; leave it out")
        read, stem = read_frame(table), "table"
    else:
        path = existing(table, "file")
        kept = [column for column, kind in said.items() if kind != "number"]
        read, stem = read_file(path, header=header, words=kept), stem_of(path)
    read = _without(read, drop)
    targets = choose_targets(read, target, task)
    _check_known(read, said, targets)
    if read.frame.shape[1] == len(targets):
        raise ValueError(f"{read.title} has no column beside the target {targets[0]!r}; give at least one feature")
    rows, notes = with_targets(read, targets)
    found, wrong = None, []
    try:
        found = read_target(read, targets, task, rows)
    except ValueError as error:
        wrong.append(str(error).removeprefix(f"{read.title}: "))
    features, left_out = choose_features(read, targets, said, wrong)
    assert found is not None  # or `choose_features` has told what is wrong
    parts = three_way(found.y, seed, names=found.names, what=f"{read.title}: column {targets[0]!r}")
    labels = [found.y[part] for part in parts]
    parts = [np.flatnonzero(rows)[part] for part in parts]
    notes = (*read.notes, *notes, *found.notes, *left_out)
    options: dict[str, Any] = {"split": "made", "text": text, "names": found.names, "dtype": found.dtype}
    column, first = next(iter(features.items()))
    if first.kind == "text" and first.words is not None:
        texts = [[first.words[i] or "" for i in part] for part in parts]
        plan = (Column(column, "text"),)
        notes += (f"column {column!r} holds texts, which become tokens",)
        pairs = list(zip(texts, labels, strict=True))
        return assemble(name or stem, pairs, columns=plan, notes=notes, **options)
    x, plan, fitted = encode(read.title, features, parts)
    pairs = list(zip(x, labels, strict=True))
    _warn_of_leaks(plan, x, labels)
    names = _feature_names(plan)
    dataset = assemble(name or stem, pairs, features=names, columns=plan, notes=notes + fitted, **options)
    return remember(dataset, partial(_pooled, read.title, features, parts, notes))


def _pooled(
    title: str, features: Mapping[str, Reading], parts: Sequence[np.ndarray], notes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields of a Dataset for columns that are fitted to training and validation rows."""
    x, plan, fitted = encode(title, features, parts, pooled=True)
    fields = dict(zip(("x_train", "x_valid", "x_test"), x, strict=True))
    return fields | {"feature_names": _feature_names(plan), "columns": plan, "notes": notes + fitted}


def _feature_names(plan: Sequence[Column]) -> tuple[str, ...]:
    return tuple(feature for column in plan for feature in column.features)


def _warn_of_leaks(plan: Sequence[Column], x: Sequence[np.ndarray], y: Sequence[np.ndarray]) -> None:
    """Warn of columns that give the target away, by the training and validation examples."""
    if leaks := find_leaks(plan, np.concatenate(x[:2]), np.concatenate(y[:2])):
        which = f"column {leaks[0]!r} alone gives" if len(leaks) == 1 else f"each of the columns {listed(leaks)} gives"
        remedy = f"if it is not known before the target is, leave it out: drop={leaks!r}"
        warnings.warn(f"{which} the target away, on rows not fitted; {remedy}", RuntimeWarning, stacklevel=4)


def _without(table: Table, drop: Any) -> Table:
    columns = list(table.frame.columns)
    if isinstance(drop, bool) or not isinstance(drop, str | int | list | tuple):
        raise ValueError(f"drop={drop!r} must be a column's name, or a list of them")
    found = [column_of(each, columns) for each in ([drop] if isinstance(drop, str | int) else drop)]
    for column in found:
        if column not in columns:
            raise ValueError(f"drop={column!r} is no column of {table.title}; it has {listed(columns)}")
    return table._replace(frame=table.frame.drop(columns=found))


def _check_columns(columns: Any) -> dict[str, str]:
    """Return what the user says of columns, by name."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ValueError(f"columns={columns!r} must be a dict, such as {{'zip': 'category'}}")
    for column, kind in columns.items():
        if kind not in KINDS:
            raise ValueError(f"columns={{{column!r}: {kind!r}}} is unknown; use one of {', '.join(KINDS)}")
    return {str(column): kind for column, kind in columns.items()}


def _check_known(table: Table, said: Mapping[str, str], targets: Sequence[str]) -> None:
    columns = list(table.frame.columns)
    for column, kind in said.items():
        if column in targets:
            raise ValueError(f"columns={{{column!r}: {kind!r}}} is for the target; leave it out, and see task=")
        if column not in columns:
            there = f"it has {listed(columns)}"
            raise ValueError(f"columns={{{column!r}: {kind!r}}} is for no column of {table.title}; {there}")
