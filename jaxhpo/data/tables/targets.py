"""The target columns of a table: which they are, and their labels or numbers."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.data.checks import Label, check_varied, label_dtype, label_notes, read_labels, read_targets
from jaxhpo.data.splits import rare_notes
from jaxhpo.data.tables.cells import COMMA, counted, words_of
from jaxhpo.data.tables.kinds import read_column
from jaxhpo.data.tables.readers import Table

_TARGETS = ("target", "label", "y", "class")


def choose_targets(table: Table, target: Any, task: str) -> list[str]:
    """Return the names of the target columns.

    Args:
        table: The table.
        target: A name, or several for regression; a whole number names a column of numbered ones, and -1 is the last
            column; None takes the only column called target, label, y or class.
        task: "classification" or "regression".

    Raises:
        ValueError: if `target` is none of this.
    """
    columns = list(table.frame.columns)
    if target is None:
        found = [column for column in columns if column.lower() in _TARGETS]
        if len(found) != 1:
            problem = f"has the columns {listed(found)}" if found else f"has no column called {', '.join(_TARGETS)}"
            raise ValueError(f"{table.title} {problem}; give target=, one of {listed(columns)}")
        return found
    given = list(target) if isinstance(target, list | tuple) else [target]
    targets = [column_of(each, columns) for each in given]
    if not targets or None in targets or len(set(targets)) < len(targets):
        raise ValueError(f"target={target!r} must be a column's name, or a list of different ones")
    for column in targets:
        if column not in columns:
            raise ValueError(f"target={column!r} is no column of {table.title}; it has {listed(columns)}")
    if task == "classification" and len(targets) > 1:
        raise ValueError(f"target={target!r} names {len(targets)} columns; give one, or task='regression'")
    return [str(column) for column in targets]


def column_of(given: Any, columns: list[str]) -> str | None:
    """Return the name of a column that a user names, or whose number a user gives; None if it is neither.

    A negative number counts from the last column, unless a column has that name.
    """
    if isinstance(given, bool) or not isinstance(given, str | int | np.integer):
        return None
    name = str(given).strip()
    negative = name.startswith("-") and name[1:].isdecimal()
    if name not in columns and negative and 0 < int(name[1:]) <= len(columns):
        return columns[int(name)]
    return given if isinstance(given, str) and given in columns else name


def with_targets(table: Table, targets: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return which rows have a value in every target column, [N] bool, and a sentence that tells how many have none.

    Raises:
        ValueError: if fewer than two rows have one.
    """
    there = np.ones(len(table.frame), bool)
    for name in targets:
        there &= np.array([word is not None for word in words_of(table.column(name))])
    called = ", ".join(map(repr, targets))
    if there.sum() < 2:
        problem = f"has a value in {there.sum()} of {len(there)} rows"
        raise ValueError(f"{table.title}: column {called} {problem}; give the column to predict: target=")
    if there.all():
        return there, ()
    lacking = int((~there).sum())
    return there, (f"{counted(lacking, 'row')} without a value of {called} {'is' if lacking == 1 else 'are'} left out",)


class Targets(NamedTuple):
    """What is predicted.

    Attributes:
        y: Labels, [N] int32; or targets, [N] or [N, K] float32.
        names: The classes as the table names them, or None.
        dtype: Dtype of the labels as they were given, or None.
        notes: What was understood of them, a sentence each.
    """

    y: np.ndarray
    names: tuple[Label, ...] | None = None
    dtype: str | None = None
    notes: tuple[str, ...] = ()


def read_target(table: Table, targets: list[str], task: str, rows: np.ndarray) -> Targets:
    """Return the labels or targets of a table.

    Args:
        table: The table.
        targets: Names of the target columns.
        task: "classification" or "regression".
        rows: Which rows have a value in each of them, [N] bool.

    Raises:
        ValueError: if they hold no labels, or no numbers for regression.
    """
    if task == "classification":
        what = f"{table.title}: column {targets[0]!r}"
        labels = _labels(table, targets[0], rows)
        y, names = read_labels(what, labels)
        notes = label_notes(f"column {targets[0]!r}", y, names) + rare_notes(y, 3, names)
        return Targets(y, names, label_dtype(labels), notes)
    values, notes = [], []
    for name in targets:
        what = f"{table.title}: column {name!r}"
        reading = read_column(table, name)
        if reading.problem:
            raise ValueError(f"{table.title}: {reading.problem}")
        if reading.kind not in ("number", "identifier") or reading.values is None:
            held = "dates" if reading.kind == "date" else "words"
            raise ValueError(f"{what} holds {held}, not numbers; regression needs numbers to predict")
        unknown = rows & np.isnan(reading.values)
        if unknown.any():
            place = table.place(int(unknown.argmax()))
            raise ValueError(f"{what} holds no finite number first in {place}; mend, scale or drop such rows")
        if reading.dressed:
            notes.append("column {!r} is predicted in numbers: {!r} is {:g}".format(name, *reading.dressed))
        values.append(read_targets(what, reading.values[rows]))
        check_varied(what, values[-1])
    return Targets(values[0] if len(values) == 1 else np.stack(values, 1), notes=tuple(notes))


def _labels(table: Table, name: str, rows: np.ndarray) -> Any:
    """Return a column's labels as the table has them; of words those without blanks around them."""
    import pandas as pd

    column = table.column(name)[rows]
    values = column.tolist()
    if all(isinstance(value, str) for value in values):
        words = [value.strip() for value in values]
        if table.decimal == COMMA and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", word) for word in words):
            return np.array(words).astype(np.int64)  # of a file that was read as words
        return words
    held = pd.api.types.infer_dtype(column)
    if held in ("mixed", "mixed-integer"):
        what = f"{table.title}: column {name!r} holds {held} values"
        raise ValueError(f"{what}, numbers and words among them; make them one or the other")
    if table.from_text and column.dtype == np.float64 and (column % 1 == 0).all() and (abs(column) < 2**53).all():
        return column.astype(np.int64)  # a cell without a value had made floats of them
    return column


def listed(columns: list[str]) -> str:
    """Return columns with commas between them, the first 20 of more."""
    shown = ", ".join(columns[:20])
    return shown if len(columns) <= 20 else f"{shown} and {len(columns) - 20} more"
