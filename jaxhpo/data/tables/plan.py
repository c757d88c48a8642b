"""What becomes of a table's columns: fitted to some rows, and done alike to all rows, also of new tables."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhpo.data.tables.cells import counted, dates_of, numbers_of, words_of
from jaxhpo.data.tables.kinds import Reading

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd

_FEW, _MOST = 50, 200  # categories of a column: up to which only the first rule of rarity holds; at most
_RARE = 1000  # a category is rare that has less than one in so many training rows
_RARE_ROWS = 5  # and, of many categories, one that has fewer training rows

_CALENDAR = ("year", "month", "weekday", "hour", "days")


@dataclass(frozen=True)
class Column:
    """What becomes of one column. All values are plain data.

    Attributes:
        name: Name of the column.
        kind: "number", "date", "category", or "text" for the only column of a text data set.
        style: How numbers are written in words, of `cells`.
        order: How dates are written in words, of `cells.ORDERS`, or None.
        lenient: Whether cells that are no numbers or dates are missing, and not refused.
        parts: Names of the numbers that it becomes: "value" for a number; for a date some of year, month (1 to 12),
            weekday (0 is Monday), hour (with its fraction) and days (since `first`).
        fill: What replaces each part where the cell is missing: the median of the training rows.
        first: The earliest date of the training rows, in days since 1970.
        categories: Words that become a feature each.
        others: Whether one more feature marks all other words.
        missing: Whether one more feature marks missing cells: some of the training rows had one.
    """

    name: str
    kind: str
    style: str = "point"
    order: str | None = None
    lenient: bool = False
    parts: tuple[str, ...] = ()
    fill: tuple[float, ...] = ()
    first: float = 0.0
    categories: tuple[str, ...] = ()
    others: bool = False
    missing: bool = False

    @property
    def features(self) -> tuple[str, ...]:
        """The names of its features, such as "size", "colour=red", "when year" and "size is missing"."""
        parts = (self.name if part == "value" else f"{self.name} {part}" for part in self.parts)
        words = (f"{self.name}={word}" for word in self.categories)
        marks = ("is another",) * self.others + ("is missing",) * self.missing
        return (*parts, *words, *(f"{self.name} {mark}" for mark in marks))

    @property
    def numbers(self) -> int:
        """How many of its first features are numbers; the others are 0 or 1."""
        return len(self.parts)

    def to_json(self) -> dict[str, Any]:
        """Return the column as plain data, which `json` writes."""
        row = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Column:
        """Return the column that `to_json` described; raise TypeError or KeyError where it is none."""
        known = {field.name for field in fields(cls)}
        if unknown := set(row) - known:
            raise KeyError(f"a column of a table has {', '.join(sorted(unknown))}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()})

    def encode(self, values: np.ndarray | None, words: Sequence[str | None] | None) -> np.ndarray:
        """Return the features of cells that `kinds` has read: [N, F] float32.

        Args:
            values: Numbers, or dates in days since 1970, [N] with nan for missing cells; or None.
            words: Words, [N] with None for missing cells; or None.
        """
        if values is None:
            assert words is not None
            places = {word: i for i, word in enumerate(self.categories)}
            if self.others:
                other = len(self.categories)
            block = np.zeros((len(words), len(self.features)), np.float32)
            for row, word in enumerate(words):
                if word is None:
                    place = block.shape[1] - 1 if self.missing else None
                else:
                    place = places.get(word, other if self.others else None)
                if place is not None:
                    block[row, place] = 1
            return block
        gaps = np.isnan(values)
        columns = []
        for part, fill in zip(self.parts, self.fill, strict=True):
            numbers = values if part == "value" else _calendar(np.where(gaps, self.first, values), part, self.first)
            columns.append(np.where(gaps, fill, numbers).astype(np.float32))
        if self.missing:
            columns.append(gaps.astype(np.float32))
        return np.stack(columns, 1) if columns else np.zeros((len(values), 0), np.float32)


def fit_column(name: str, reading: Reading, rows: np.ndarray) -> Column:
    """Return what becomes of a column.

    Args:
        name: Name of the column.
        reading: How it is read: as a number, date or category.
        rows: Row numbers of the examples that it is fitted to.
    """
    how: dict[str, Any] = {"style": reading.style, "order": reading.order, "lenient": reading.lenient}
    if reading.words is not None:
        words = [reading.words[row] for row in rows]
        counts = Counter(word for word in words if word is not None)
        least = max(len(words) / _RARE, _RARE_ROWS if len(counts) > _FEW else 0)
        kept = [word for word, n in counts.most_common(_MOST) if n >= least]
        others = len(kept) < len(counts)
        missing = len(words) > sum(counts.values())
        if len(kept) + others + missing == 1:  # the same in every training row
            kept, others, missing = [], False, False
        return Column(name, reading.kind, categories=tuple(sorted(kept)), others=others, missing=missing, **how)
    assert reading.values is not None
    values = reading.values[rows]
    known = values[~np.isnan(values)]
    missing = 0 < len(known) < len(values)
    first = float(known.min()) if reading.kind == "date" and len(known) else 0.0
    parts = {}
    for part in ("value",) if reading.kind == "number" else _CALENDAR:
        numbers = known if part == "value" else _calendar(known, part, first)
        if len(known) and (numbers != numbers[0]).any():
            parts[part] = float(np.median(numbers))
    fill = tuple(parts.values())
    return Column(name, reading.kind, parts=tuple(parts), fill=fill, first=first, missing=missing, **how)


def number_places(columns: Sequence[Column] | None, features: int) -> tuple[int, ...]:
    """Return the places of the numbers among the features of a table.

    Args:
        columns: Its columns; None for arrays, all of whose features are numbers.
        features: Number of features.
    """
    if columns is None:
        return tuple(range(features))
    marks = [place < column.numbers for column in columns for place in range(len(column.features))]
    return tuple(place for place, is_number in enumerate(marks) if is_number)


def read_features(frame: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Return a new table's features: [N, F] float32. Columns may come in any order and among others.

    One line warns of missing cells where the training rows had none, and of categories that they lack.

    Raises:
        ValueError: if the table lacks columns, or has words where the training table had numbers or dates.
    """
    blocks, problems, doubts = [], [], []
    for column, cells in zip(columns, find_columns(frame, [column.name for column in columns]), strict=True):
        called = f"column {column.name!r}"
        words, values = None, None
        if column.kind == "category":
            words = words_of(cells)
            gaps = np.array([word is None for word in words])
            known = set(column.categories)
            new = [word for word in words if word is not None and word not in known]
            if new and not column.others:
                doubts.append(
                    f"{called} has {new[0]!r} and other words that training lacks in {counted(len(new), 'row')}"
                )
        else:
            if column.kind == "number":
                values, wrong = numbers_of(cells, column.style)
            else:
                values, wrong = dates_of(cells, column.order)
            if wrong.any() and not column.lenient:
                row, what = int(wrong.argmax()), "number" if column.kind == "number" else "date"
                problems.append(f"x {called} holds {cells.iloc[row]!r} in row {row}, not a {what}")
            values = np.where(np.abs(values) > np.finfo(np.float32).max, np.nan, values)
            gaps = np.isnan(values)
        if gaps.any() and not column.missing:
            doubts.append(f"{called} has no value in {counted(int(gaps.sum()), 'row')}, and always had one in training")
        blocks.append(column.encode(values, words))
    if problems:
        raise ValueError("; ".join(problems))
    if doubts:
        warnings.warn(f"x: {'; '.join(doubts)}", RuntimeWarning, stacklevel=4)
    return np.concatenate(blocks, 1)


def find_columns(frame: pd.DataFrame, names: Sequence[str]) -> list[pd.Series]:
    """Return a new table's columns of these names; raise ValueError if it lacks some, or has one twice."""
    there = [str(name).strip() for name in frame.columns]
    if lacking := [name for name in names if name not in there]:
        what = f"columns {', '.join(map(repr, lacking))}" if len(lacking) > 1 else f"column {lacking[0]!r}"
        raise ValueError(f"x lacks the {what}; it has {', '.join(there)}")
    if twice := [name for name in names if there.count(name) > 1]:
        raise ValueError(f"x has the column {twice[0]!r} twice; rename or drop one")
    return [frame.iloc[:, there.index(name)] for name in names]


def _calendar(days: np.ndarray, part: str, first: float) -> np.ndarray:
    """Return a part of dates, [N] float64.

    Args:
        days: Dates in days since 1970, with the time of day as a fraction.
        part: One of year, month, weekday, hour and days.
        first: Date that "days" counts from.
    """
    if part == "days":
        return days - first
    whole = np.floor(days)
    if part == "hour":
        return np.round((days - whole) * 24, 6)
    if part == "weekday":
        return (whole + 3) % 7  # the first day of 1970 was a Thursday
    day = whole.astype(np.int64).astype("datetime64[D]")
    if part == "year":
        return day.astype("datetime64[Y]").astype(np.int64) + 1970.0
    return day.astype("datetime64[M]").astype(np.int64) % 12 + 1.0
