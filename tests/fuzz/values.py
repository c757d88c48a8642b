"""Odd numbers, texts and objects."""

import numpy as np
from hypothesis import strategies as st

ODD_TEXTS = ("", " ", "\x1b[31m", "\x00", "\u202e", "a\nb", "é世", "\ud800", "constraints", "x" * 5000, "nan", "1e999")
PLAIN = st.sampled_from(["units", "layers", "x", "y", "lr", "optimizer"])


def one_in(number: int) -> st.SearchStrategy[bool]:
    """Draw True once in `number` times, which is nowhere near the ends that are drawn more often."""
    return st.integers(0, 10**6).map(lambda drawn: drawn % number == number // 2)


def seldom(odd: st.SearchStrategy, plain: st.SearchStrategy, number: int = 8) -> st.SearchStrategy:
    """Draw something odd once in `number` times."""
    return one_in(number).flatmap(lambda is_odd: odd if is_odd else plain)


NAMES = seldom(st.sampled_from(["a b", "type", "score", *ODD_TEXTS]), PLAIN)
NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.floats(-2, 2),
    st.sampled_from([0.0, -0.0, 1e-30, 1e-46, 3e38, 1e39, 1e308, float("inf"), float("nan")]),
    st.sampled_from([2**24, 2**24 + 1, 2**31, -(2**31), 2**63, 10**18, 10**400, 10**4000]),
)
ATOMS = st.one_of(NUMBERS, st.booleans(), st.none(), NAMES)
VALUES = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
OBJECTS = st.one_of(
    VALUES,
    st.binary(max_size=4),
    st.sets(st.integers(0, 3), max_size=3),
    st.sampled_from([np.float32(0.5), np.int64(3), np.bool_(True), np.nan, object(), 1j, range(10**12), len]),
)


def maybe(value: st.SearchStrategy, number: int = 40) -> st.SearchStrategy:
    """Draw a value, and seldom one that makes no sense there."""
    return seldom(VALUES, value, number)
