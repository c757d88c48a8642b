"""The kind of each column of a table: a stated rule, which a user may overrule by column.

Kinds are decided by all rows, because how cells are written says nothing of what is to be predicted. What is fitted to
values (`plan.py`) is fitted to the training rows alone.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from jaxhpo.data.tables.cells import (
    COMMA,
    ORDERS,
    POINT,
    dates_of,
    is_code,
    numbers_of,
    read_date,
    read_number,
    says_nothing,
    shown,
    words_of,
)
from jaxhpo.data.tables.readers import Table
from jaxhpo.data.text import split_words

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd

KINDS = ("number", "category", "date", "day first", "month first", "text", "drop")
"""What a user may say that a column is."""

_NUMBERS = ("boolean", "integer", "floating", "mixed-integer-float", "decimal")
_CELLS = (str, int, float, np.number, np.bool_, date, Decimal)
_DATES = ("datetime64", "datetime", "date")
_IDENTIFIER_ROWS = 20  # fewer rows may differ by chance
_IDENTIFIERS = re.compile(r"(?:.*[\W_])?(?:id|ids|idx|index|key|pk|uuid|guid|row|rowid|serial)", re.IGNORECASE)
_TIMES = re.compile(r"(?:.*[\W_])?(?:years?|yr|quarter|months?|weeks?|days?|hours?|time|date|age|t)", re.IGNORECASE)
_CAMEL = re.compile(r".*[a-z](?:Id|ID)")
_FEW = 50  # number of different words up to which a column is always categorical
_REPEATED = 3  # rows of a word, on average, from which few numbers with words among them are categories
_MOSTLY = 0.9  # share of numbers or dates from which other words among them are taken for faults
_TEXT_WORDS = 3
_SAMPLE = 1000  # words that are looked at first


@dataclass(frozen=True)
class Reading:
    """How a column is read, and its cells.

    Attributes:
        kind: "number", "date", "category" or "text"; or why it is left out: "identifier", "many", "empty", "drop".
        style: How its numbers are written, of `cells`.
        order: How its dates are written, of `cells.ORDERS`; None for dates that pandas holds.
        lenient: Whether cells that are no numbers or dates are missing: a user said what the column is.
        values: Numbers, or dates in days since 1970, [N] float64 with nan for missing cells; None for words.
        words: Words, [N], with None for missing cells; None for numbers and dates.
        infinite: Number of cells beyond float32, which are taken as missing.
        marks: Words that are taken as missing.
        dressed: A word and the number that it was read as, if the numbers are words with separators or units.
        codes: Whether words are digits after a 0.
        mixed: A word of categories that are numbers for the most part, or "".
        problem: What is wrong with the column, or "".
    """

    kind: str
    style: str = POINT
    order: str | None = None
    lenient: bool = False
    values: np.ndarray | None = None
    words: list[str | None] | None = None
    infinite: int = 0
    marks: tuple[str, ...] = ()
    dressed: tuple[str, float] | None = None
    codes: bool = False
    mixed: str = ""
    problem: str = ""


def read_column(table: Table, name: str, said: str | None = None) -> Reading:
    """Return how a column is read.

    Args:
        table: The table.
        name: The column.
        said: What the user says that it is, of `KINDS`; None decides by its cells.
    """
    import pandas as pd

    column = table.column(name)
    if said == "drop":
        return Reading("drop")
    if said in ("category", "text"):
        return Reading(said, words=words_of(column))
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    category = isinstance(column.dtype, pd.CategoricalDtype)
    if column.isna().all():
        return Reading("empty")
    if inferred in _DATES and not category:
        if said == "number":
            return _wrong(name, "holds dates, not numbers", "give another kind")
        return Reading("date", values=dates_of(column, None)[0])
    if inferred in _NUMBERS and not category and said in (None, "number"):
        values, _ = numbers_of(column, table.decimal)
        kind = "identifier" if said is None and _identifies(name, column, values) else "number"
        return _bounded(Reading(kind, table.decimal, values=values))
    if category and said is None:
        return Reading("category", words=words_of(column))
    if any(not isinstance(v, _CELLS) and not (pd.api.types.is_scalar(v) and pd.isna(v)) for v in column.tolist()):
        held = f"holds {inferred} values ({column.dtype})"
        return _wrong(name, held, "make it numbers or words")
    return _of_words(table, name, column, said)


def _of_words(table: Table, name: str, column: pd.Series, said: str | None) -> Reading:
    """Return how a column of words is read."""
    words = words_of(column)
    counts = Counter(word for word in words if word is not None)
    if not counts:
        return Reading("empty")
    said_nothing = tuple(word for word in counts if says_nothing(word))
    plain = {word: count for word, count in counts.items() if word not in said_nothing}
    codes = any(map(is_code, plain))
    faults = []
    if plain and (said == "number" or (said is None and not codes)):
        styles = (COMMA, POINT) if table.decimal == COMMA else (POINT, COMMA)
        style, share = _best(plain, styles, read_number, said is None)
        if share == 1 or (said == "number" and share > 0):
            values, wrong = numbers_of(column, style)
            marks = said_nothing if said is None else tuple({w for w, no in zip(words, wrong, strict=True) if no and w})
            reading = Reading("number", style, None, said is not None, values, marks=marks or said_nothing)
            if said is None and _identifies(name, column, values):
                return replace(reading, kind="identifier")
            return _bounded(replace(reading, dressed=_dressed(plain, style, table.decimal)))
        faults.append((share, "numbers", lambda word: read_number(word, style) is None))
    if plain and said in (None, "date", "day first", "month first"):
        orders = ORDERS if said in (None, "date") else (*ORDERS[:2], said)
        order, share = _best(plain, orders, read_date, said is None)
        if share == 1 or (said is not None and share > 0):
            word = _ambiguous(plain) if order == "day first" and said != "day first" else None
            if word is not None:
                held = f"holds dates such as {shown(word)}, whose day or month may come first"
                remedy = f"say which: columns={{{name!r}: 'day first'}} or 'month first'"
                return Reading("date", problem=f"column {name!r} {held}; {remedy}")
            return Reading("date", POINT, order, said is not None, dates_of(column, order)[0], marks=said_nothing)
        faults.append((share, "dates", lambda word: read_date(word, order) is None))
    if said is not None:
        what = "numbers" if said == "number" else "dates"
        return _wrong(name, f"holds no {what}, but {shown(next(iter(counts)))} first", "give another kind")
    for share, what, is_wrong in faults:
        if share >= _MOSTLY:
            row = next(i for i, word in enumerate(words) if word in plain and is_wrong(word))
            if len(counts) <= _FEW and len(counts) * _REPEATED <= len(words):
                return Reading("category", words=words, mixed=str(words[row]) if what == "numbers" else "")
            held = f"holds {shown(str(words[row]))} first in {table.place(row)}, among {what}"
            kind = "number" if what == "numbers" else "date"
            return _wrong(
                name, held, f"mend it, or say columns={{{name!r}: {kind!r}}}, which takes such cells as missing"
            )
    rows = sum(counts.values())
    kind = "category"
    if _is_text(list(counts), rows):
        kind = "text"
    elif len(counts) == rows and rows >= (2 if is_nameless(name) else _IDENTIFIER_ROWS):
        kind = "identifier"
    elif len(counts) > max(_FEW, rows / 2):
        kind = "many"
    return Reading(kind, words=words, codes=codes)


def is_nameless(name: str) -> bool:
    """Return whether a column has no name, as pandas and R write an index before the others."""
    return not name.strip() or re.fullmatch(r"Unnamed: 0(\.\d+)?", name) is not None


def _best(
    words: dict[str, int], ways: tuple[str, ...], read: Callable[[str, str], float | None], sampled: bool
) -> tuple[str, float]:
    """Return the first of the ways to read words that reads most of the cells, and its share of them.

    Where it is `sampled`, a way that reads less than half of some words is not tried on all.
    """
    sample = list(words)[:: max(1, len(words) // _SAMPLE)] if sampled else []
    shares = dict.fromkeys(ways, 0.0)
    for way in ways:
        if 2 * sum(read(word, way) is not None for word in sample) >= len(sample):
            shares[way] = sum(n for word, n in words.items() if read(word, way) is not None) / sum(words.values())
        if shares[way] == 1:
            break
    best = max(ways, key=lambda way: shares[way])
    return best, shares[best]


def _ambiguous(words: Iterable[str]) -> str | None:
    """Return a date that is another one with the month first, if all are dates then, too.

    None where there is none, or points tell the order.
    """
    found = None
    for word in words:
        month_first = read_date(word, "month first")
        if month_first is None or "." in word:
            return None
        if found is None and month_first != read_date(word, "day first"):
            found = word
    return found


def _dressed(words: dict[str, int], style: str, decimal: str) -> tuple[str, float] | None:
    """Return a word that is more than digits and the table's sign before decimals, and the number that it means."""
    for word in words:
        number = read_number(word, style)
        plain = word.replace(",", ".") if style == decimal == COMMA else word
        with contextlib.suppress(ValueError):
            if float(plain) == number:
                continue
        if number is not None:
            return word, number
    return None


def _identifies(name: str, column: pd.Series, values: np.ndarray) -> bool:
    """Return whether numbers only tell rows apart: they count them, or differ under no name or one such as "id"."""
    import pandas as pd

    rows, whole = (
        len(values),
        not pd.api.types.is_float_dtype(column.dtype) and bool((values == np.floor(values)).all()),
    )
    if rows < 2 or not np.isfinite(values).all() or len(np.unique(values)) < rows:
        return False
    if is_nameless(name):
        return True
    named = _IDENTIFIERS.fullmatch(name) or _CAMEL.fullmatch(name)
    counting = values[0] in (0, 1) and (np.diff(values) == 1).all() and not _TIMES.fullmatch(name)
    return rows >= _IDENTIFIER_ROWS and whole and bool(named or counting)


def _is_text(words: list[str], rows: int) -> bool:
    """Return whether cells read as text: several words in each, on average, and mostly different ones."""
    if len(words) <= rows / 2:
        return False
    sample = words[:: max(1, len(words) // _SAMPLE)]
    return sum(len(split_words(text)) for text in sample) >= _TEXT_WORDS * len(sample)


def _bounded(reading: Reading) -> Reading:
    """Return a reading of numbers with those beyond float32, in which the network computes, as missing."""
    assert reading.values is not None
    beyond = np.abs(reading.values) > np.finfo(np.float32).max
    if not beyond.any():
        return reading
    return replace(reading, values=np.where(beyond, np.nan, reading.values), infinite=int(beyond.sum()))


def _wrong(name: str, held: str, remedy: str) -> Reading:
    return Reading("drop", problem=f"column {name!r} {held}; {remedy}, or leave it out: drop=[{name!r}]")
