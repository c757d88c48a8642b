"""Checks of the user's own examples, texts, labels and targets."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

TASKS = ("classification", "regression")

_ENCODER = "use sklearn's LabelEncoder"
_ROWS = "fill or drop such rows"


def check_task(task: Any) -> None:
    """Raise ValueError if `task` is not one of `TASKS`."""
    if task not in TASKS:
        raise ValueError(f"task={task!r} is unknown; use one of {', '.join(TASKS)}")


def read_examples(name: str, value: Any) -> np.ndarray | list[str]:
    """Return examples as the network's input: [N, F] or [N, H, W, C], uint8 or float32; or texts.

    Args:
        name: Name of the examples in error messages.
        value: Numbers [N, F], [N, H, W] or [N, H, W, C], as anything that `numpy.asarray` takes; or texts, [N].

    Raises:
        ValueError: if the examples are invalid; the message says what is wrong and where.
    """
    texts = read_texts(name, value)
    if texts is not None:
        return texts
    x = _array(name, value)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim not in (2, 4):
        raise ValueError(
            f"{name} has shape {x.shape}; give [N, features], [N, height, width] or [N, height, width, channels]"
        )
    return x if x.dtype == np.uint8 else _float32(name, x)


def read_texts(name: str, value: Any, remedy: str = _ROWS) -> list[str] | None:
    """Return the texts if `value` holds texts, else None; raise ValueError if only some of its values are texts."""
    if isinstance(value, np.ndarray):
        values = value.tolist() if value.ndim == 1 and value.dtype.kind in "OUST" else []
    else:
        values = list(value) if isinstance(value, list | tuple) or hasattr(value, "to_list") else []
    if not any(isinstance(text, str | bytes) for text in values):
        return None
    found = []
    for row, text in enumerate(values):
        if not isinstance(text, str | bytes):
            raise ValueError(f"{name} holds {text!r} in row {row}, not a text; {remedy}")
        try:
            found.append(text if isinstance(text, str) else text.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} holds text in row {row} that is not UTF-8 ({error.reason}); mend it") from None
    return found


def read_labels(name: str, value: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return training labels as [N] int32 in 0 .. K - 1, and the sorted names of the classes if the labels are texts.

    Args:
        name: Name of the labels in error messages.
        value: Whole numbers 0 .. K - 1, each of them used, [N] or [N, 1]; or texts.

    Raises:
        ValueError: if the labels are invalid; the message says what is wrong and where.
    """
    words = _words(name, value)
    if words is not None:
        names = tuple(sorted(set(words)))
        if len(names) == 1:
            raise ValueError(f"{name} holds the single class {names[0]!r}; give at least two")
        return _encode(words, names), names
    y = _whole(name, value)
    if y.min() < 0:
        raise ValueError(f"{name} holds the label {int(y.min())}; labels must be 0 .. K - 1: {_ENCODER}")
    present = np.unique(y)
    if present[-1] < 2**62:  # larger ones would overflow, and are shown unchanged
        present = present.astype(np.int64)
    if len(present) == 1:
        raise ValueError(f"{name} holds the single class {present[0]}; give at least two")
    if present[-1] != len(present) - 1:
        missing = int(np.setdiff1d(np.arange(len(present)), present)[0])
        from_one = present[0] == 1 and present[-1] == len(present)
        remedy = "subtract 1" if from_one else f"{_ENCODER}, or task='regression' for amounts"
        labels = f"labels {present[0]} .. {present[-1]} but none is {missing}"
        raise ValueError(f"{name} holds {labels}; labels must be 0 .. K - 1: {remedy}")
    return y.astype(np.int32), None


def read_more_labels(name: str, value: Any, classes: int, names: tuple[str, ...] | None) -> np.ndarray:
    """Return the labels of another split, [N] int32, of the classes that `read_labels` found in the training labels."""
    words = _words(name, value)
    if (words is None) != (names is None):
        theirs, ours = ("numbers", "texts") if words is None else ("texts", "numbers")
        raise ValueError(f"{name} holds {theirs} and the training labels are {ours}; give labels of one kind")
    if words is not None and names is not None:
        for row, word in enumerate(words):
            if word not in names:
                raise ValueError(f"{name} holds the label {word!r} in row {row}, which no training example has")
        return _encode(words, names)
    y = _whole(name, value)
    outside = (y < 0) | (y >= classes)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(f"{name} holds the label {int(y[row])} in row {row}, which no training example has")
    return y.astype(np.int32)


def read_targets(name: str, value: Any) -> np.ndarray:
    """Return regression targets as finite float32: [N] or [N, K]; [N, 1] becomes [N]."""
    y = _one_column(_array(name, value))
    if y.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {y.shape}; give one number an example, [N], or K of them, [N, K]")
    small = _float32(name, y)
    for k, column in enumerate(y.reshape(len(y), -1).T):
        check_resolved(name if y.ndim == 1 else f"{name}[:, {k}]", column)
    return small


def check_resolved(name: str, values: np.ndarray) -> None:
    """Raise ValueError if numbers, [N], differ too little for float32, in which the network computes."""
    size = np.abs(values).max()
    small = values.std(dtype=np.float64) < 100 * np.spacing(np.float32(size))
    if small and (values != values[0]).any():
        problem = f"{name} holds numbers of about {size:.3g} that differ too little for float32"
        raise ValueError(f"{problem}; subtract their mean")


def check_varied(name: str, y: np.ndarray, rows: str = "row") -> None:
    """Raise ValueError if targets, [N] or [N, K], have the same number in every row."""
    same = np.atleast_1d((y == y[0]).all(0))
    if same.any():
        k = int(same.argmax())
        which = name if y.ndim == 1 else f"{name}[:, {k}]"
        number = np.atleast_1d(y[0])[k]
        raise ValueError(f"{which} holds the same number {number} in every {rows}; there is nothing to learn")


def _words(name: str, value: Any) -> list[str] | None:
    """Return labels if they are texts, else None."""
    if getattr(value, "ndim", 1) == 2:
        value = _one_column(np.asarray(value))
    words = read_texts(name, value, f"{_ROWS}, or give numbers alone")
    if words is not None and "" in words:
        raise ValueError(f"{name} holds an empty label in row {words.index('')}; {_ROWS}")
    return words


def _encode(words: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes[word] for word in words], np.int32)


def _whole(name: str, value: Any) -> np.ndarray:
    """Return labels that are whole numbers, [N], in their own dtype."""
    y = _one_column(_array(name, value))
    if y.ndim != 1:
        raise ValueError(f"{name} has shape {y.shape}; give one integer label an example, [N]")
    whole = y == np.floor(y)
    if not whole.all():
        row = int(np.argmin(whole))
        remedy = "give class labels 0 .. K - 1, or task='regression'"
        raise ValueError(f"{name} holds {y[row]} in row {row}, not a whole number; {remedy}")
    return y


def _one_column(array: np.ndarray) -> np.ndarray:
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


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
        raise ValueError(f"{name} holds {bad} first in row {row}; {_ROWS}")
    return array


def _float32(name: str, array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        small = array.astype(np.float32)
    if not np.isfinite(small).all():
        row = int(np.argwhere(~np.isfinite(small))[0][0])
        raise ValueError(f"{name} holds a number beyond float32 first in row {row}; scale it down")
    return small
