"""Cells of a table: their words, and the numbers and dates that words mean."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd

POINT, COMMA = "point", "comma"
"""How numbers are written: 1,234.5 or 1.234,5."""

ORDERS = ("year first", "month by name", "day first", "month first")
"""How dates are written: 2020-01-31, 31 Jan 2020, 31/01/2020, 01/31/2020."""

_NOTHING = {"?", "-", "--", "---", ".", "..", "*", "n.a.", "n/a", "na", "#n/a", "nan", "nil", "none", "null", "missing"}
_NOTHING |= {"unknown", "<na>"}
_CURRENCY = r"(?:[A-Z]{0,2}[$]|[€£¥₹₽₩₺₫฿₴]|USD|EUR|GBP|CHF|JPY|CNY|INR)"
_DRESS = re.compile(rf"(?P<sign>[+-]?)\s*{_CURRENCY}?\s*(?P<number>[+-]?.*?)\s*(?:%|{_CURRENCY})?", re.DOTALL)
# Groups of thousands are three digits; before the last one also two, as in India. A group never begins with 0.
_GROUPS = r"[1-9]\d{{0,2}}(?P<gap>[{0}' _\u00a0\u202f\u2009\u2019])(?:\d{{2,3}}(?P=gap))*\d{{3}}"
_NUMBERS = {
    style: re.compile(rf"[+-]?(?:(?:\d+|{_GROUPS.format(group)})(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?")
    for style, group, point in ((POINT, ",", r"\."), (COMMA, ".", ","))
}
_SHOWN = 40  # characters of a word in a message
_LONGEST = 64  # characters of a number or a date; longer words are neither

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_TIME = (
    r"(?:(?:T|,? )(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)? ?(?P<half>[ap]m)?"
    r" ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?)?"
)
_DATES = {
    "year first": (
        r"(?P<year>\d{4})(?P<s>[-/.])(?P<month>\d{1,2})(?:(?P=s)(?P<day>\d{1,2}))?",
        r"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d)",
        r"(?P<year>(?:1[5-9]|20)\d\d)",
    ),
    "month by name": (
        _DAY + r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<name>[a-z]{3,9})\.?,?[ -](?P<year>\d{4}|\d\d)",
        _DAY + r"(?P<name>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})",
        r"(?P<name>[a-z]{3,9})\.?[ -](?P<year>\d{4})",
        r"(?P<year>\d{4})-(?P<name>[a-z]{3,9})-(?P<day>\d{1,2})",
    ),
    "day first": (r"(?P<day>\d{1,2})(?P<s>[-/.])(?P<month>\d{1,2})(?P=s)(?P<year>\d{4}|\d\d)",),
    "month first": (r"(?P<month>\d{1,2})(?P<s>[-/.])(?P<day>\d{1,2})(?P=s)(?P<year>\d{4}|\d\d)",),
}
_DATES = {order: [re.compile(form + _TIME, re.IGNORECASE) for form in forms] for order, forms in _DATES.items()}
_EPOCH = datetime(1970, 1, 1)


def words_of(column: pd.Series) -> list[str | None]:
    """Return the cells of a column as words without blanks around them; None for a cell without a value.

    A whole number has no decimal point, so that 5 is the same word whether other cells are missing or not.
    """
    missing, values = np.asarray(column.isna()), column.tolist()
    found: list[str | None] = []
    for value, gap in zip(values, missing.tolist(), strict=True):
        if gap:
            found.append(None)
        elif isinstance(value, str):
            found.append(value.strip() or None)
        elif isinstance(value, float) and value.is_integer():
            found.append(str(int(value)))
        else:
            found.append(str(value).strip() or None)
    return found


def shown(word: str) -> str:
    """Return a word in quotes for a message, and only the beginning of a long one."""
    return repr(word if len(word) <= _SHOWN else f"{word[:_SHOWN]}...")


def numbers_of(column: pd.Series, style: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's numbers, [N] float64 with nan for missing cells, and which of those hold words, [N] bool.

    Marks such as "?" are missing and no words.
    """
    import pandas as pd

    if column.dtype != object and pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan), np.zeros(len(column), bool)
    known: dict[str, float | None] = {}
    values, wrong = np.full(len(column), np.nan), np.zeros(len(column), bool)
    for i, (value, gap) in enumerate(zip(column.tolist(), np.asarray(column.isna()).tolist(), strict=True)):
        if gap:
            continue
        if not isinstance(value, str):
            try:
                values[i] = float(value)
            except OverflowError:
                values[i] = np.inf
            except (TypeError, ValueError):
                wrong[i] = True
            continue
        word = value.strip()
        if word not in known:
            known[word] = read_number(word, style)
        number = known[word]
        if number is None:
            wrong[i] = word != "" and not says_nothing(word)
        else:
            values[i] = number
    return values, wrong


def dates_of(column: pd.Series, order: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's dates in days since 1970, [N] float64 with nan for missing cells, and which cells are no dates.

    Args:
        column: Dates of pandas or of Python, whose zone does not change them; or words.
        order: How words are written, of `ORDERS`; None reads words in none but the first two.
    """
    import pandas as pd

    days, wrong = np.full(len(column), np.nan), np.zeros(len(column), bool)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        local = column.dt.tz_localize(None) if column.dt.tz is not None else column
        days = ((local - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1)).to_numpy(np.float64)
        return days, wrong
    orders = ORDERS[:2] if order is None else (order,)
    known: dict[str | None, float | None] = {None: np.nan}
    for i, (value, word) in enumerate(zip(column.tolist(), words_of(column), strict=True)):
        if isinstance(value, date) and word is not None:  # also datetime and Timestamp
            word = value.isoformat()[:19]
        if word not in known:
            found = (read_date(str(word), each) for each in orders)
            known[word] = next((number for number in found if number is not None), None)
        number = known[word]
        if number is None:
            wrong[i] = not says_nothing(str(word))
        else:
            days[i] = number
    return days, wrong


def counted(number: int, what: str) -> str:
    """Return "1 row" or "3 rows"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def says_nothing(word: str) -> bool:
    """Return whether a word among numbers or dates is a mark for a missing value, such as "?" or "n/a"."""
    return word.casefold() in _NOTHING


def read_number(word: str, style: str) -> float | None:
    """Return the number that a word means, or None.

    Separators of thousands, a percent sign, a currency and brackets for negative amounts are understood: "$1,200.50" is
    1200.5, "45 %" is 45, "(3)" is -3.

    Args:
        word: The word, without blanks around it.
        style: `POINT` or `COMMA`: the sign before decimals.
    """
    if len(word) > _LONGEST:
        return None
    word = word.replace("\u2212", "-")
    negative = word.startswith("(") and word.endswith(")")
    dress = _DRESS.fullmatch(word[1:-1].strip() if negative else word)
    if dress is None or (dress["sign"] and dress["number"][:1] in "+-"):
        return None
    form = _NUMBERS[style].fullmatch(dress["sign"] + dress["number"])
    if form is None:
        return None
    plain = form[0].replace(form["gap"] or " ", "")
    number = float(plain.replace(",", ".") if style == COMMA else plain)
    return -number if negative else number


def is_code(word: str) -> bool:
    """Return whether a word is digits after a 0, such as "01234": a code, which would not be the same as a number."""
    return len(word) > 1 and word[0] == "0" and word.isascii() and word.isdigit()


def read_date(word: str, order: str) -> float | None:
    """Return the date that a word means, in days since 1970 with the time of day as a fraction; None if it means none.

    Args:
        word: The word, without blanks around it. A zone behind the time does not change it: times are as written.
        order: One of `ORDERS`.
    """
    if len(word) > _LONGEST:
        return None
    for form in _DATES[order]:
        if found := form.fullmatch(word):
            return _days(found.groupdict())
    return None


def _days(parts: dict[str, str | None]) -> float | None:
    name, half = parts.get("name"), parts["half"]
    if name:
        month = next((i for i, full in enumerate(_MONTHS, 1) if full.startswith(name.lower())), 0)
    else:
        month = int(parts.get("month") or 1)
    year, hour = str(parts["year"]), int(parts["hour"] or 0)
    century = 0 if len(year) == 4 else 2000 if int(year) < 69 else 1900
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    try:
        clock = hour, int(parts["minute"] or 0), int(parts["second"] or 0)
        passed = datetime(century + int(year), month, int(parts.get("day") or 1), *clock) - _EPOCH
    except ValueError:  # there is no such day
        return None
    return passed.total_seconds() / 86_400
