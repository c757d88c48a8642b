"""Cells of tables: numbers and dates as people write them."""

import numpy as np
import pytest

from jaxhpo.data.tables.cells import COMMA, ORDERS, POINT, read_date, read_number


@pytest.mark.parametrize(
    ("word", "point", "comma"),
    [
        ("7", 7, 7),
        ("-1.5e3", -1500, None),
        ("1,5", None, 1.5),
        ("1,200", 1200, 1.2),
        ("1.200", 1.2, 1200),
        ("0,123", None, 0.123),  # no group begins with 0
        ("1,234,567.8", 1234567.8, None),
        ("1.234.567,8", None, 1234567.8),
        ("12,34,567", 1234567, None),
        ("1 234 567", 1234567, 1234567),
        ("1\u00a0234,5", None, 1234.5),
        ("1'234.5", 1234.5, None),
        ("$1,200.50", 1200.5, None),
        ("-$3", -3, -3),
        ("($3)", -3, -3),
        ("\u20ac 4,50", None, 4.5),
        ("5 EUR", 5, 5),
        ("45 %", 45, 45),
        ("\u22125", -5, -5),
        *[(word, None, None) for word in ("", "-", "%", "$", "--5", "1 2", "1.2.3", "12:30", "5 kg", "x", "1,2,3")],
    ],
)
def test_numbers_in_words(word, point, comma):
    assert (read_number(word, POINT), read_number(word, COMMA)) == (point, comma)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("2020-01-31", ["2020-01-31", None, None, None]),
        ("2020/1/5", ["2020-01-05", None, None, None]),
        ("20200131", ["2020-01-31", None, None, None]),
        ("1949-12", ["1949-12-01", None, None, None]),
        ("2020-01-31T18:30:00Z", ["2020-01-31T18:30", None, None, None]),
        ("31 Jan 2020", [None, "2020-01-31", None, None]),
        ("January 31st, 2020", [None, "2020-01-31", None, None]),
        ("Fri, 31 January 2020 6:30 pm", [None, "2020-01-31T18:30", None, None]),
        ("31-Jan-99", [None, "1999-01-31", None, None]),
        ("31.1.20", [None, None, "2020-01-31", None]),
        ("1/2/2020", [None, None, "2020-02-01", "2020-01-02"]),
        ("2/30/2020", [None] * 4),
        ("31 Jam 2020", [None] * 4),
        ("10:30", [None] * 4),
    ],
)
def test_dates_in_words(word, found):
    days = [
        None if d is None else (np.datetime64(d, "m") - np.datetime64("1970", "m")).astype(int) / 1440 for d in found
    ]
    assert [read_date(word, order) for order in ORDERS] == days
