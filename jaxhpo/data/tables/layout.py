"""The layout of a file of text: its separator, whether it has a header, and how its numbers are written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from jaxhpo.data.tables.cells import COMMA, ORDERS, POINT, is_code, read_date, read_number, says_nothing

_SEPARATORS = ("\t", ";", "|", ",")
_SAMPLE = 1000  # rows that are looked at


class Layout(NamedTuple):
    """The layout of a file.

    Attributes:
        separator: What stands between cells.
        header: Names of the columns in the first row; None if the first row is an example.
        decimal: How numbers are written: `cells.POINT` or `cells.COMMA`.
        codes: Positions of columns whose digits begin with 0, which a reader of numbers would drop.
    """

    separator: str
    header: list[str] | None
    decimal: str
    codes: tuple[int, ...]


def layout_of(text: str, header: bool | None, separator: str) -> Layout:
    """Return the layout of a file.

    A tab, ";", "|" or "," separates cells if it splits all rows into equally many. The first row is an example, and no
    header, if every column's first cell is what its other cells are: a number among numbers, a date among dates, a word
    that stands there again. Columns whose words are mostly different say nothing. But whole numbers at equal steps,
    such as 0, 1, 2 or years, are names, and so is a row that has no cell above an index.

    Args:
        text: Content of the file, not blank.
        header: Whether the first row has names; None finds out.
        separator: What is usual for such a file; it decides where rows have different numbers of cells.

    Raises:
        csv.Error: if the rows cannot be parsed.
    """
    named = re.match(r"sep=([,;|\t])\r?\n", text)
    separator = named[1] if named else _separator(text, separator)
    rows = _rows(text[named.end() :] if named else text, separator)
    if header is None:
        header = not _is_example(rows)
    examples = rows[1:] if header else rows
    columns = [[row[i] for row in examples if i < len(row) and row[i]] for i in range(max(map(len, rows)))]
    commas = any(cells and _style(cells) == COMMA for cells in columns)
    codes = tuple(i for i, cells in enumerate(columns) if any(map(is_code, cells)))
    return Layout(separator, rows[0] if header else None, COMMA if commas else POINT, codes)


def without_first_line(text: str) -> str:
    """Return the content of a file without the line "sep=;", in which Excel is told the separator, and blank lines."""
    return re.sub(r"^sep=[,;|\t]\r?\n", "", text).lstrip("\r\n")


def _rows(text: str, separator: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator, skipinitialspace=True)
    return [[cell.strip() for cell in row] for row in islice(reader, _SAMPLE) if row]


def _separator(text: str, usual: str) -> str:
    first = {}
    for separator in _SEPARATORS:
        rows = _rows(text, separator)
        first[separator] = len(rows[0])
        if first[separator] > 1 and len({len(row) for row in rows}) == 1:
            return separator
    return max(_SEPARATORS, key=lambda separator: (first[separator], separator == usual))


def _is_example(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row is an example."""
    first, rest = rows[0], rows[1:]
    if not rest or any(len(row) != len(first) for row in rest):
        return False
    votes, numbers = [], []
    for i, name in enumerate(first):
        if not name and all(row[i] for row in rest):
            return False  # the column of an index, which has no name
        cells = [row[i] for row in rest if row[i] and not says_nothing(row[i])]
        if not cells or not name or says_nothing(name):
            continue
        different = set(cells)
        style, order = _style(cells), _order(cells)
        if style is not None:
            number = read_number(name, style)
            votes.append(number is not None)
            numbers.append(number)
        elif order is not None:
            votes.append(read_date(name, order) is not None)
        elif name in different:
            votes.append(True)
        elif len(different) <= len(cells) / 2:
            votes.append(False)
    if not votes or not all(votes):
        return False
    steps = {b - a for a, b in pairwise(numbers)}
    return not (len(numbers) > 2 and len(steps) == 1 and min(steps) > 0 and not any(a % 1 for a in numbers))


def _style(cells: Sequence[str]) -> str | None:
    """Return how a column's numbers are written, if all cells but marks for missing ones are numbers."""
    plain = {cell for cell in cells if not says_nothing(cell)}
    if not plain:
        return None
    return next((s for s in (POINT, COMMA) if all(read_number(cell, s) is not None for cell in plain)), None)


def _order(cells: Sequence[str]) -> str | None:
    plain = {cell for cell in cells if not says_nothing(cell)}
    return next((o for o in ORDERS if all(read_date(cell, o) is not None for cell in plain)), None)
