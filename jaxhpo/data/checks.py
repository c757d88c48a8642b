"""Checks of the user's own texts, labels, targets and other numbers."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxhpo.machine.bounds import check_memory

TASKS = ("classification", "regression")

Label = str | int | float | bool
"""A class as a user names it."""

_MANY = 20  # different numbers beyond which labels may be amounts
_ROWS = "fill or drop such rows"


def check_seed(seed: Any) -> None:
    """Raise ValueError if a value is no random seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed!r} must be an integer in [0, 2**32)")


def check_task(task: Any) -> None:
    """Raise ValueError if `task` is not one of `TASKS`."""
    if task not in TASKS:
        raise ValueError(f"task={task!r} is unknown; use one of {', '.join(TASKS)}")


def read_texts(name: str, value: Any, remedy: str = _ROWS) -> list[str] | None:
    """Return the texts if `value` holds texts, else None; raise ValueError if only some of its values are texts."""
    if isinstance(value, np.ndarray):
        values = value.tolist() if value.ndim == 1 and value.dtype.kind in "OUST" else []
    else:
        of_pandas = hasattr(value, "to_list") or hasattr(value, "categories")  # a Categorical has no to_list
        values = list(value) if isinstance(value, list | tuple) or of_pandas else []
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


def read_labels(name: str, value: Any) -> tuple[np.ndarray, tuple[Label, ...] | None]:
    """Return training labels as [N] int32 in 0 .. K - 1, and the sorted labels as they were given, or None.

    None stands for whole numbers that are 0 .. K - 1 already. `label_dtype` has the dtype of the labels.

    Args:
        name: Name of the labels in error messages.
        value: Texts, bools or whole numbers, [N] or [N, 1], as anything that `numpy.asarray` takes.

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
    present, codes = np.unique(y, return_inverse=True)
    classes, rows = len(present), len(y)
    if classes == 1:
        raise ValueError(f"{name} holds the single class {present[0]}; give at least two")
    if classes > 2 and rows < (5 if classes > _MANY else 3) * classes:
        problem = f"{name} holds {classes} different numbers in {rows} rows, which read as amounts"
        raise ValueError(f"{problem}: task='regression'; if they are classes, merge rare ones or give them as texts")
    counted = y.dtype != bool and np.array_equal(present, np.arange(classes))
    return codes.reshape(-1).astype(np.int32), None if counted else tuple(present.tolist())


def label_dtype(value: Any) -> str | None:
    """Return the dtype in which `read_labels`' labels were given, such as "int64" or "bytes"; None for strings."""
    if _words("y", value) is None:
        return str(_whole("y", value).dtype)
    first = np.asarray(value).ravel()[0]
    return "bytes" if isinstance(first, bytes) else None


def label_notes(name: str, y: np.ndarray, names: tuple[Label, ...] | None) -> tuple[str, ...]:
    """Return a sentence if labels, [N] int32, were so many different numbers that they may be amounts."""
    classes = len(np.unique(y))
    if classes <= _MANY or (names is not None and isinstance(names[0], str)):
        return ()
    return (f"the {classes} different numbers in {name} are taken for classes; task='regression' predicts amounts",)


def read_more_labels(name: str, value: Any, classes: int, names: tuple[Label, ...] | None) -> np.ndarray:
    """Return the labels of another split, [N] int32, of the classes that `read_labels` found in the training labels."""
    words = _words(name, value)
    texts = names is not None and isinstance(names[0], str)
    if (words is not None) != texts:
        theirs, ours = ("numbers", "texts") if words is None else ("texts", "numbers")
        raise ValueError(f"{name} holds {theirs} and the training labels are {ours}; give labels of one kind")
    given = np.array(words) if words is not None else _whole(name, value)
    known = np.arange(classes) if names is None else np.array(names)
    strange = ~np.isin(given, known)
    if strange.any():
        row = int(strange.argmax())
        raise ValueError(f"{name} holds the label {given[row].item()!r} in row {row}, which no training example has")
    return np.searchsorted(known, given).astype(np.int32)


def read_targets(name: str, value: Any) -> np.ndarray:
    """Return regression targets as finite float32: [N] or [N, K]; [N, 1] becomes [N]."""
    y = _one_column(read_numbers(name, value))
    if y.ndim not in (1, 2):
        raise ValueError(f"{name} has shape {y.shape}; give one number an example, [N], or K of them, [N, K]")
    small = to_float32(name, y)
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
    nested = isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple | np.ndarray)
    if nested or getattr(value, "ndim", 1) == 2:
        try:
            value = _one_column(np.asarray(value))
        except ValueError:  # ragged lists, which are refused as numbers
            return None
        if value.ndim > 1 and any(isinstance(item, str | bytes) for item in value.ravel()[:1].tolist()):
            raise ValueError(f"{name} has shape {value.shape}; give one label an example, [N]")
    words = read_texts(name, value, f"{_ROWS}, or give numbers alone")
    if words is not None and "" in words:
        raise ValueError(f"{name} holds an empty label in row {words.index('')}; {_ROWS}")
    return words


def _encode(words: Sequence[str], names: tuple[str, ...]) -> np.ndarray:
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes[word] for word in words], np.int32)


def _whole(name: str, value: Any) -> np.ndarray:
    """Return labels that are bools or whole numbers, [N], in their own dtype."""
    value = _narrowed(name, value)
    array = value if isinstance(value, np.ndarray) and value.dtype == bool and value.size else read_numbers(name, value)
    y = _one_column(array)
    if y.ndim != 1:
        ones = y.ndim == 2 and y.shape[1] > 1 and ((y != 0).sum(1) == 1).all() and (y.sum(1) == 1).all()
        if ones:
            raise ValueError(f"{name} has shape {y.shape}, one-hot rows; give the class of each row: y.argmax(1)")
        raise ValueError(f"{name} has shape {y.shape}; give one label an example, [N]")
    whole = y == np.floor(y) if y.dtype != bool else np.ones(len(y), bool)
    if not whole.all():
        row = int(np.argmin(whole))
        remedy = "give labels that are whole numbers or texts, or task='regression'"
        raise ValueError(f"{name} holds {y[row]} in row {row}, not a whole number; {remedy}")
    return y


def _narrowed(name: str, value: Any) -> Any:
    """Return an array of Python objects that are all bools, or all whole numbers, in such a dtype; others unchanged."""
    if isinstance(value, range):  # `read_numbers` looks at its length before it makes an array of it
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # ragged lists, which `read_numbers` refuses
        return value
    if array.dtype == bool:
        return array
    if array.dtype.kind != "O" or array.size == 0 or array.ndim == 0:
        return value
    values = [item.item() if isinstance(item, np.generic) else item for item in array.ravel().tolist()]
    for place, item in enumerate(values):
        if item is None or type(item).__name__ in ("NAType", "NaTType"):
            raise ValueError(f"{name} holds {item} first in row {place // (array.size // len(array))}; {_ROWS}")
    kinds = set(map(type, values))
    return np.array(values).reshape(array.shape) if kinds in ({bool}, {int}) else value


def _one_column(array: np.ndarray) -> np.ndarray:
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def read_numbers(name: str, value: Any, *, gaps: bool = False) -> np.ndarray:
    """Return numbers in their own dtype, bools as bytes.

    Args:
        name: Name of the numbers in error messages.
        value: Anything that `numpy.asarray` takes.
        gaps: Whether nan and infinite numbers are let through.

    Raises:
        ValueError: if they are no numbers, or none; the message says what is wrong and where.
    """
    if isinstance(value, range):  # which takes no memory, where an array does
        check_memory(f"{name}, {value!r}", 8 * ((value.stop - value.start) // value.step), "give fewer examples")
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
    if not gaps and array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        bad = array[row].ravel()[~np.isfinite(array[row]).ravel()][0]
        raise ValueError(f"{name} holds {bad} first in row {row}; {_ROWS}")
    return array


def to_float32(name: str, array: np.ndarray) -> np.ndarray:
    """Return numbers as float32; raise ValueError if a finite one is beyond it."""
    with np.errstate(over="ignore"):
        small = array.astype(np.float32)
    beyond = np.isfinite(array) & ~np.isfinite(small)
    if beyond.any():
        row = int(np.argwhere(beyond)[0][0])
        raise ValueError(f"{name} holds a number beyond float32 first in row {row}; scale it down")
    return small
