"""The user's own arrays and texts, checked at the door."""

import contextlib
from typing import Any

import numpy as np

from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import three_way
from jaxhpo.data.text import TextOptions, tokenise


def from_arrays(x: Any, y: Any, *, name: str = "arrays", seed: int = 0, text: TextOptions | None = None) -> Dataset:
    """Return a Dataset of the user's own examples, split 60/20/20 by `seed`, every class in proportion.

    Args:
        x: numbers, [N, F] vectors or images [N, H, W] or [N, H, W, C], anything that `numpy.asarray` takes; or texts.
        y: [N] integer labels, 0 .. K - 1, every one of them used.
        name: what to call it.
        seed: of the split.
        text: how texts become tokens; None is `TextOptions()`.

    Raises:
        ValueError: naming the argument, what is wrong with it and where.
    """
    given = _texts(x)
    x, y = _examples(x) if given is None else given, _labels(y)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} examples and y {len(y)}; give one label an example")
    train, valid, test = three_way(y, seed)
    if given is not None:
        parts = ([given[i] for i in rows] for rows in (train, valid, test))
        (a, b, c), words = tokenise(*parts, options=text)
        classes = int(y.max()) + 1
        return Dataset(name, a, y[train], b, y[valid], c, y[test], classes, vocabulary=len(words), words=words)
    return Dataset(name, x[train], y[train], x[valid], y[valid], x[test], y[test], int(y.max()) + 1)


def _texts(value: Any) -> list[str] | None:
    """Return the texts where examples are texts, else None."""
    if isinstance(value, np.ndarray):
        values = value.tolist() if value.ndim == 1 and value.dtype.kind in "OUST" else []
    else:
        values = list(value) if isinstance(value, list | tuple) or hasattr(value, "to_list") else []
    if not any(isinstance(text, str | bytes) for text in values):
        return None
    found = []
    for row, text in enumerate(values):
        if not isinstance(text, str | bytes):
            raise ValueError(f"x holds {text!r} in row {row}, not a text; fill or drop such rows")
        try:
            found.append(text if isinstance(text, str) else text.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"x holds text in row {row} that is not UTF-8 ({error.reason}); mend it") from None
    return found


def _array(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:  # ragged lists
        raise ValueError(f"{name} has rows of different lengths; give a rectangular array") from None
    if array.size == 0:
        raise ValueError(f"{name} is empty, of shape {array.shape}; give at least one example")
    if array.shape == ():
        raise ValueError(
            f"{name} of type {type(value).__name__} is not an array; give a dense array, a list or a table"
        )
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind == "O":  # a DataFrame of mixed columns, a list with a None
        with contextlib.suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} has dtype {array.dtype}, not numbers; encode text and categories first")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        bad = array[row].ravel()[~np.isfinite(array[row]).ravel()][0]
        raise ValueError(f"{name} holds {bad} first in row {row}; fill or drop such rows")
    return array


def _examples(value: Any) -> np.ndarray:
    x = _array("x", value)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim not in (2, 4):
        raise ValueError(
            f"x has shape {x.shape}; give [N, features], [N, height, width] or [N, height, width, channels]"
        )
    if x.dtype == np.uint8:
        return x
    with np.errstate(over="ignore"):
        small = x.astype(np.float32)
    if not np.isfinite(small).all():
        row = int(np.argwhere(~np.isfinite(small))[0][0])
        raise ValueError(f"x holds a number beyond float32 first in row {row}; scale it down")
    return small


def _labels(value: Any) -> np.ndarray:
    y = _array("y", value)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}; give one integer label an example, [N]")
    whole = y == np.floor(y)
    if not whole.all():
        row = int(np.argmin(whole))
        raise ValueError(f"y holds {y[row]} in row {row}, not a whole number; give class labels 0 .. K - 1")
    if y.min() < 0:
        raise ValueError(f"y holds the label {int(y.min())}; labels must be 0 .. K - 1: use sklearn's LabelEncoder")
    present = np.unique(y)
    if present[-1] < 2**62:  # beyond it a cast would wrap, and they show as they are
        present = present.astype(np.int64)
    if len(present) == 1:
        raise ValueError(f"y holds the single class {present[0]}; give at least two")
    if present[-1] != len(present) - 1:
        missing = int(np.setdiff1d(np.arange(len(present)), present)[0])
        remedy = "subtract 1" if present[0] == 1 and present[-1] == len(present) else "use sklearn's LabelEncoder"
        raise ValueError(
            f"y holds labels {present[0]} .. {present[-1]} but none is {missing}; labels must be 0 .. K - 1: {remedy}"
        )
    return y.astype(np.int32)
