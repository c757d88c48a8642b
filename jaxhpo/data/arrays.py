"""The user's own arrays and texts, as a Dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxhpo.data.checks import (
    check_task,
    check_varied,
    read_examples,
    read_labels,
    read_more_labels,
    read_targets,
)
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import three_way, two_way
from jaxhpo.data.text import TextOptions, check_options, tokenise

Examples = np.ndarray | list[str]
"""Numbers [N, ...], or texts."""


def from_arrays(
    x: Any,
    y: Any,
    *,
    name: str = "arrays",
    seed: int = 0,
    text: TextOptions | None = None,
    task: str = "classification",
    test: tuple[Any, Any] | None = None,
    valid: tuple[Any, Any] | None = None,
) -> Dataset:
    """Return a Dataset of the user's own examples, split 60/20/20 by `seed`, every class in proportion.

    Args:
        x: numbers, [N, F] vectors or images [N, H, W] or [N, H, W, C], anything that `numpy.asarray` takes; or texts.
        y: [N] integer labels, 0 .. K - 1, every one of them used, or labels that are texts, which get numbers in sorted
            order; for regression numbers, [N] or [N, K].
        name: what to call it.
        seed: of the split.
        text: how texts become tokens; None is `TextOptions()`.
        task: "classification" or "regression".
        test: `(x, y)` of the test split, where there is one; `x` and `y` are then the training examples.
        valid: `(x, y)` of the validation split; None holds out a fifth of the training examples.

    Raises:
        ValueError: naming the argument, what is wrong with it and where.
    """
    check_task(task)
    if test is None and valid is not None:
        raise ValueError("valid= goes with test=; give both, or neither for a split 60/20/20")
    suffix = "" if test is None else "_train"
    x, y, names = _training(x, y, suffix, task)
    if test is None:
        rows = three_way(y, seed, names=names)
    else:
        splits = [("test", test)] if valid is None else [("valid", valid), ("test", test)]
        others = [_another(split, given, x, y, names) for split, given in splits]
        rows = two_way(y, seed, names=names) if valid is None else (np.arange(len(y)),)
    parts = [(_pick(x, part), y[part]) for part in rows]
    if test is not None:
        parts += others
    return assemble(name, parts, text=text, names=names)


def assemble(
    name: str,
    parts: Sequence[tuple[Examples, np.ndarray]],
    *,
    text: TextOptions | None = None,
    names: tuple[str, ...] | None = None,
    features: tuple[str, ...] | None = None,
) -> Dataset:
    """Return the Dataset of checked train, validation and test examples `(x, y)`; float `y` is regression's.

    Args:
        name: what to call it.
        parts: three pairs: x [N, F] or [N, H, W, C] numbers, or texts; y [N] int32, or [N] or [N, K] float32.
        text: how texts become tokens.
        names: the classes', where they have some.
        features: the names of a vector's features, where they have some.

    Raises:
        ValueError: the training targets say nothing, or `text` is given with numbers.
    """
    x, y = [part[0] for part in parts], [part[1] for part in parts]
    classes = None if y[0].dtype.kind == "f" else int(y[0].max()) + 1
    if classes is None:
        check_varied("y", y[0], "training row")
    if not isinstance(x[0], list):
        if len({np.asarray(part).dtype for part in x}) > 1:  # bytes in one, floats in another
            x = [np.asarray(part, np.float32) for part in x]
        arrays: list[Any] = [array for pair in zip(x, y, strict=True) for array in pair]
        dataset = Dataset(name, *arrays, classes=classes, class_names=names, feature_names=features)
        check_text(dataset, text)
        return dataset
    check_options(text)
    rows, words = tokenise(*x, options=text)
    arrays = [array for pair in zip(rows, y, strict=True) for array in pair]
    return Dataset(name, *arrays, classes=classes, vocabulary=len(words), words=words, class_names=names)


def check_text(dataset: Dataset, text: TextOptions | None) -> None:
    """Raise ValueError where options for texts are none, or come with data that jaxhpo did not make from texts."""
    check_options(text)
    if text is not None and dataset.words is None:
        raise ValueError(f"text={text!r} is for texts, and {dataset.name} holds {dataset.kind} data; leave it out")


def _training(x: Any, y: Any, suffix: str, task: str) -> tuple[Examples, np.ndarray, tuple[str, ...] | None]:
    what, names = f"y{suffix}", None
    x = read_examples(f"x{suffix}", x)
    if task == "regression":
        y = read_targets(what, y)
        check_varied(what, y)
    else:
        y, names = read_labels(what, y)
    _check_lengths(x, y, suffix)
    return x, y, names


def _another(
    split: str, given: tuple[Any, Any], x_train: Examples, y_train: np.ndarray, names: tuple[str, ...] | None
) -> tuple[Examples, np.ndarray]:
    """Return another split's examples, of the training examples' kind."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{split} of type {type(given).__name__} must be a tuple (x, y)")
    x = read_examples(f"x_{split}", given[0])
    if isinstance(x, list) != isinstance(x_train, list):
        kinds = ("texts", "numbers") if isinstance(x, list) else ("numbers", "texts")
        raise ValueError(f"x_{split} holds {kinds[0]} and x_train {kinds[1]}; give examples of one kind")
    if y_train.dtype.kind == "f":
        y = read_targets(f"y_{split}", given[1])
    else:
        y = read_more_labels(f"y_{split}", given[1], int(y_train.max()) + 1, names)
    _check_lengths(x, y, f"_{split}")
    return x, y


def _check_lengths(x: Examples, y: np.ndarray, suffix: str) -> None:
    if len(x) != len(y):
        one = "target" if y.dtype.kind == "f" else "label"
        raise ValueError(f"x{suffix} has {len(x)} examples and y{suffix} {len(y)}; give one {one} an example")


def _pick(x: Examples, rows: np.ndarray) -> Examples:
    return [x[i] for i in rows] if isinstance(x, list) else x[rows]
