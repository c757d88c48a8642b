"""The user's own arrays, checked at the door."""

import contextlib
from typing import Any

import numpy as np

from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import three_way


def from_arrays(x: Any, y: Any, *, name: str = "arrays", seed: int = 0) -> Dataset:
    """Return a Dataset of the user's own examples, split 60/20/20 by `seed`, every class in proportion.

    Args:
        x: numbers, [N, F] vectors or images [N, H, W] or [N, H, W, C]; anything that `numpy.asarray` takes.
        y: [N] integer labels, 0 .. K - 1, every one of them used.
        name: what to call it.
        seed: of the split.

    Raises:
        ValueError: naming the argument, what is wrong with it and where.
    """
    x, y = _examples(x), _labels(y)
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} examples and y {len(y)}; give one label an example")
    train, valid, test = three_way(y, seed)
    return Dataset(name, x[train], y[train], x[valid], y[valid], x[test], y[test], int(y.max()) + 1)


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
