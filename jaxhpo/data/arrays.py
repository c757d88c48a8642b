"""The user's own arrays and texts, as a Dataset."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from jaxhpo.data.checks import (
    Label,
    check_task,
    check_varied,
    label_dtype,
    label_notes,
    read_labels,
    read_more_labels,
    read_targets,
    read_texts,
)
from jaxhpo.data.dataset import Dataset, remember
from jaxhpo.data.shapes import check_reading, pad_sequences, read_examples
from jaxhpo.data.splits import rare_notes, three_way, two_way
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
    kind: str | None = None,
    channels: str | None = None,
) -> Dataset:
    """Return a Dataset of the user's own arrays or texts, split 60/20/20.

    Every split has the classes in the same proportions. Of a class of 3 or 4 examples one is a validation and one a
    test example; a class of fewer is in the training examples alone, and `notes` say so.

    Args:
        x: Examples: vectors [N, F], images [N, H, W] or [N, H, W, C], or sequences [N, T, F], as anything that
            `numpy.asarray` takes; sequences of several lengths as a list of [T_i, F], or with steps of nan at the end;
            or a list of strings.
        y: Labels, [N] or [N, 1]: strings, bools or whole numbers, whichever; predictions come back as labels, in their
            dtype. For regression the targets: numbers [N] or [N, K].
        name: Name of the data set.
        seed: Random seed of the split.
        text: How texts become tokens; None is `TextOptions()`.
        task: "classification" or "regression".
        test: Test split `(x, y)`; then `x` and `y` are the training examples. None splits `x` and `y`.
        valid: Validation split `(x, y)`, only with `test`; None holds out a fifth of the training examples.
        kind: "image", "sequence" or "vector": how numbers [N, A, B] are read. None takes them for images where they are
            bytes, or whole and within 0 to 255, or square and within -1 to 1, and refuses others.
        channels: "first" for images [N, C, H, W] and sequences [N, F, T]; None is "last".

    Raises:
        ValueError: if an argument is invalid; the message names it and what is wrong with it.

    Example:
        >>> import numpy as np, jaxhpo
        >>> x, y = np.random.default_rng(0).random((50, 8, 8)), np.arange(50) % 2
        >>> jaxhpo.data.from_arrays(x, y, name="noise")
        Dataset('noise', image (8, 8, 1), 2 classes, 30/10/10 train/valid/test)
    """
    check_task(task)
    check_reading(kind, channels)
    if test is None and valid is not None:
        raise ValueError("valid= goes with test=; give both, or neither for a split 60/20/20")
    suffix = "" if test is None else "_train"
    dtype, given = None, y
    x, kind, notes = read_examples(f"x{suffix}", x, kind, channels)
    y, names = _targets(x, y, suffix, task)
    if task == "classification":
        dtype = label_dtype(given)
        parts = 3 if test is None else 2 if valid is None else 1
        notes += label_notes(f"y{suffix}", y, names) + rare_notes(y, parts, names)
    if test is None:
        rows = three_way(y, seed, names=names)
    else:
        splits = [("test", test)] if valid is None else [("valid", valid), ("test", test)]
        others = [_another(split, given, (x, y), names, kind, channels) for split, given in splits]
        rows = two_way(y, seed, names=names) if valid is None else (np.arange(len(y)),)
    parts = [(_pick(x, part), y[part]) for part in rows]
    if test is not None:
        parts += others
    split = "made" if valid is None else "given"
    return assemble(name, parts, split=split, text=text, names=names, dtype=dtype, notes=notes)


def assemble(
    name: str,
    parts: Sequence[tuple[Examples, np.ndarray]],
    *,
    split: str,
    text: TextOptions | None = None,
    names: tuple[Label, ...] | None = None,
    dtype: str | None = None,
    features: tuple[str, ...] | None = None,
    notes: tuple[str, ...] = (),
    columns: tuple[Any, ...] | None = None,
) -> Dataset:
    """Return the Dataset of checked examples.

    Args:
        name: Name of the data set.
        parts: Training, validation and test examples `(x, y)`. x: numbers [N, F], [N, T, F] or [N, H, W, C], or texts.
            y: [N] int32 labels, or [N] or [N, K] float32 targets.
        split: Where the validation examples come from: "given" or "made".
        text: How texts become tokens.
        names: The classes as the user names them, or None.
        dtype: Dtype of the labels as they were given, or None.
        features: Names of the features of vectors, or None.
        notes: What was understood of the examples and done to them, a sentence each.
        columns: What becomes of the columns of a table, or None.

    Raises:
        ValueError: if all training targets are equal, or `text` is given with numbers.
    """
    x, y = [part[0] for part in parts], [part[1] for part in parts]
    classes = None if y[0].dtype.kind == "f" else int(y[0].max()) + 1
    if classes is None:
        check_varied("y", y[0], "training row")
    named: dict[str, Any] = {"class_names": names, "label_dtype": dtype, "notes": notes, "columns": columns}
    named |= {"classes": classes, "split": split}
    if not isinstance(x[0], list):
        if len({np.asarray(part).dtype for part in x}) > 1:  # bytes in one, floats in another
            x = [np.asarray(part, np.float32) for part in x]
        if np.ndim(x[0]) == 3:
            steps = max(np.shape(part)[1] for part in x)
            x = [pad_sequences(np.asarray(part), steps) for part in x]
        arrays: list[Any] = [array for pair in zip(x, y, strict=True) for array in pair]
        dataset = Dataset(name, *arrays, feature_names=features, **named)
        check_text(dataset, text)
        return dataset
    check_options(text)
    tokens = _tokens(x, text, pooled=False)
    labels = dict(zip(("y_train", "y_valid", "y_test"), y, strict=True))
    dataset = Dataset(name, **tokens, **labels, **named)
    return dataset if split == "given" else remember(dataset, partial(_tokens, x, text, pooled=True))


def _tokens(x: Sequence[Sequence[str]], text: TextOptions | None, *, pooled: bool) -> dict[str, Any]:
    """Return the fields of a Dataset that texts become, by a vocabulary of the training texts or of the pooled ones."""
    rows, words = tokenise(*x, options=text, pooled=pooled)
    return dict(zip(("x_train", "x_valid", "x_test"), rows, strict=True)) | {"vocabulary": len(words), "words": words}


def check_text(dataset: Dataset, text: TextOptions | None) -> None:
    """Raise ValueError if `text` is neither None nor TextOptions, or if it is given with data that are not texts."""
    check_options(text)
    if text is not None and dataset.words is None:
        raise ValueError(f"text={text!r} is for texts, and {dataset.name!r} holds {dataset.kind} data; leave it out")


def _targets(x: Examples, y: Any, suffix: str, task: str) -> tuple[np.ndarray, tuple[Label, ...] | None]:
    """Return labels or targets of the training examples, and the classes."""
    what, names = f"y{suffix}", None
    if task == "regression":
        y = read_targets(what, y)
        check_varied(what, y)
    else:
        y, names = read_labels(what, y)
    _check_lengths(x, y, suffix)
    return y, names


def _another(
    split: str,
    given: tuple[Any, Any],
    train: tuple[Examples, np.ndarray],
    names: tuple[Label, ...] | None,
    kind: str,
    channels: str | None,
) -> tuple[Examples, np.ndarray]:
    """Return the examples of another split, which must be of the same kind as the training examples."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"{split} of type {type(given).__name__} must be a tuple (x, y)")
    x_train, y_train = train
    texts = read_texts(f"x_{split}", given[0])
    if (texts is not None) != isinstance(x_train, list):
        kinds = ("texts", "numbers") if texts is not None else ("numbers", "texts")
        raise ValueError(f"x_{split} holds {kinds[0]} and x_train {kinds[1]}; give examples of one kind")
    x = read_examples(f"x_{split}", given[0], kind, channels).x if texts is None else texts
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
