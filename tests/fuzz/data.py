"""Arrays and DataFrames."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import jaxhpo as jh
from tests.fuzz.values import NAMES, OBJECTS, maybe, seldom

DTYPES = st.sampled_from(
    ["f4", "f8", "f2", "i1", "u1", "i4", "i8", "u8", "?", "U3", "S2", "O", "c8", "M8[s]", "m8[s]", "V3"]
)


@st.composite
def arrays(draw: Callable[..., Any], rows: int, labels: bool = False) -> Any:
    """Draw an array of a few examples, of any dtype and any number of axes."""
    shape = [rows] + draw(st.lists(st.integers(0, 5), max_size=1 if labels else 4))
    dtype, noise = draw(DTYPES), draw(st.integers(0, 2**31))
    numbers = np.random.default_rng(noise).integers(0, draw(st.sampled_from([1, 2, 3, 200])), shape)
    if dtype in ("f4", "f8", "f2"):
        array = numbers * draw(st.sampled_from([1.0, 0.5, 1e30, 1e-40])) + draw(st.sampled_from([0.0, 1e8, -3.5]))
        with np.errstate(all="ignore"):
            array = array.astype(dtype)
        if array.size and draw(st.integers(0, 5)) == 0:
            array.flat[0] = draw(st.sampled_from([np.nan, np.inf]))
        return array
    if dtype == "O":
        odd = draw(st.lists(OBJECTS, min_size=1, max_size=3))
        flat = np.empty(numbers.size, object)
        for i, number in enumerate(numbers.ravel().tolist()):
            flat[i] = odd[number] if number < len(odd) else number
        return flat.reshape(shape)
    array = numbers.astype("U3") if dtype == "U3" else numbers.astype("U3").astype("S2") if dtype == "S2" else numbers
    if dtype in ("U3", "S2"):
        return array
    return (
        numbers.astype("i8").view(dtype)
        if dtype in ("M8[s]", "m8[s]")
        else numbers.astype(dtype)
        if dtype != "V3"
        else numbers.astype("i1").view("V1")
    )


@st.composite
def pairs(draw: Callable[..., Any]) -> Any:
    """Draw `(x, y)` with options of `load`."""
    rows = draw(st.sampled_from([0, 1, 3, 12, 30]))
    if draw(st.booleans()):  # one that is to be taken
        rows, noise = 40, np.random.default_rng(draw(st.integers(0, 2**31)))
        x = noise.normal(size=(rows, *draw(st.sampled_from([(3,), (1,), (4, 4), (4, 4, 3)])))) * draw(
            st.sampled_from([1, 9, 1e-8, 1e30])
        )
        with np.errstate(all="ignore"):
            x = x.astype(draw(st.sampled_from(["f4", "f8", "f2", "i4", "u1", "O"])))
        labels = draw(
            st.sampled_from([["a", "b"], [0, 1], [1, 2], [-1, 1], [True, False], [0.0, 1.0], [b"a", b"b"], ["", "b"]])
        )
        return x, [labels[i % 2] for i in range(rows)], {"seed": draw(st.integers(0, 9))}
    x = draw(
        st.one_of(arrays(rows), arrays(rows), st.lists(st.text(max_size=9), min_size=rows, max_size=rows), OBJECTS)
    )
    y = draw(
        st.one_of(arrays(rows, labels=True), st.lists(st.sampled_from("ab"), min_size=rows, max_size=rows), OBJECTS)
    )
    if draw(st.booleans()) and rows >= 12:
        y = [i % 2 for i in range(rows)]
    options = st.fixed_dictionaries(
        {},
        optional={
            "task": maybe(st.sampled_from(["classification", "regression"])),
            "train_examples": maybe(st.integers(1, 9)),
            "seed": st.integers(0, 9),
        },
    )
    return x, y, draw(options)


def run_arrays(drawn: tuple[Any, Any, dict[str, Any]]) -> None:
    x, y, options = drawn
    assert repr(jh.data.load((x, y), **options))


TABLE_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "target": seldom(NAMES, st.just("y")),
        "drop": maybe(NAMES, 3),
        "task": st.sampled_from(["classification", "regression"]),
    },
)


@st.composite
def frames(draw: Callable[..., Any]) -> Any:
    """Draw columns of a DataFrame and options of `load`."""
    rows = draw(st.sampled_from([0, 2, 12, 30]))
    columns = (
        {"y": [i % 2 for i in range(rows)], "x": [i * 0.7 % 1 for i in range(rows)]} if draw(st.booleans()) else {}
    )
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.one_of(NAMES, st.integers(0, 3), st.none(), st.just("y")))
        columns[name] = draw(
            arrays(rows, labels=True).filter(lambda array: array.ndim == 1 and array.dtype.kind not in "V")
        )
    return columns, draw(TABLE_OPTIONS)


def run_frame(drawn: tuple[dict[Any, Any], dict[str, Any]]) -> None:
    import pandas as pd

    columns, options = drawn
    try:
        frame = pd.DataFrame(columns)
    except Exception:  # what pandas does not take is none of ours
        return
    assert repr(jh.data.load(frame, **options))
