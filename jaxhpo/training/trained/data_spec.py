"""The properties of the training data that a trained network keeps, and the conversion of new examples."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxhpo.data import Dataset, Vocabulary
from jaxhpo.data.checks import Label
from jaxhpo.data.shapes import dimensions, pad_sequences, read_sequences
from jaxhpo.data.tables.by_name import features_of
from jaxhpo.data.tables.plan import Column, find_columns, read_features
from jaxhpo.data.tables.readers import is_frame


@dataclass(frozen=True)
class DataSpec:
    """The properties of the training data that a network needs for predictions.

    Attributes:
        name: Name of the data set.
        kind: "image", "sequence", "vector" or "text".
        shape: Shape of one example.
        task: "classification" or "regression".
        classes: Number of classes; None for regression.
        outputs: Number of the network's outputs.
        vocabulary: Number of tokens; None unless the data are texts.
        targets: Number of axes of one example's target: 0 or 1.
        class_names: The classes as the user names them, or None.
        feature_names: Column names of a table, or None.
        keep: "first" or "last": the words that are kept of a text longer than `shape`.
        label_dtype: Dtype in which labels come back; None is int32, or that of strings.
        columns: What becomes of the columns of a table; None for other data, and for models of earlier releases.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    task: str
    classes: int | None
    outputs: int
    vocabulary: int | None
    targets: int
    class_names: tuple[Label, ...] | None
    feature_names: tuple[str, ...] | None
    keep: str
    label_dtype: str | None = None
    columns: tuple[Column, ...] | None = None

    @classmethod
    def of(cls, data: Dataset) -> "DataSpec":
        """Return the spec of a data set."""
        alike = {name: getattr(data, name) for name in ("name", "kind", "shape", "task", "outputs")}
        keep = data.words.keep if data.words is not None else "first"
        return cls(
            **alike,
            classes=None if data.classes is None else int(data.classes),
            vocabulary=data.vocabulary,
            targets=data.y_train.ndim - 1,
            class_names=data.class_names,
            feature_names=data.feature_names,
            keep=keep,
            label_dtype=data.label_dtype,
            columns=data.columns,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain data, from which `of_json` makes it."""
        columns = None if self.columns is None else [column.to_json() for column in self.columns]
        # Models had no dtype of labels and no columns before; one that needs none is written as it was then.
        added = {"label_dtype": self.label_dtype, "columns": columns}
        rest = {name: value for name, value in vars(self).items() if name not in added}
        return rest | {name: value for name, value in added.items() if value is not None}

    @classmethod
    def of_json(cls, row: Any) -> "DataSpec":
        """Return the spec that `to_json` wrote; raise KeyError, TypeError or ValueError where it is none."""
        lists = {name: None if row[name] is None else tuple(row[name]) for name in ("class_names", "feature_names")}
        columns = row.get("columns")
        columns = None if columns is None else tuple(map(Column.from_json, columns))
        spec = cls(**row | lists | {"shape": tuple(row["shape"]), "columns": columns})
        np.dtype(spec.label_dtype)
        if len(spec.shape) != {"vector": 1, "text": 1, "sequence": 2, "image": 3}[spec.kind]:
            raise ValueError(f"shape {spec.shape} is not that of a {spec.kind}")
        return spec

    def labels(self, codes: np.ndarray) -> np.ndarray:
        """Return classes, [N] int32, as the training labels were given: [N]."""
        if self.class_names is None:
            return codes if self.label_dtype is None else codes.astype(self.label_dtype)
        if self.label_dtype == "bytes":
            return np.array([str(name).encode() for name in self.class_names])[codes]
        return np.array(self.class_names, self.label_dtype)[codes]

    @property
    def dtype(self) -> Any:
        """The dtype of the network's input."""
        return np.int32 if self.kind == "text" else np.float32


def read_examples(x: Any, spec: DataSpec, words: Vocabulary | None) -> np.ndarray:
    """Return new examples in the form of the stored training examples: [N, ...].

    Args:
        x: Arrays; texts as strings, if there is a vocabulary; or a DataFrame with the columns of the training table.
        spec: Properties of the training data.
        words: Vocabulary of its texts, or None.

    Raises:
        ValueError: if the examples do not match the training data.
    """
    if is_frame(x):
        if spec.columns is not None:
            named = find_columns(x, [column.name for column in spec.columns])
            x = _texts(named[0]) if spec.kind == "text" else read_features(x, spec.columns)
        elif spec.feature_names is not None:
            x = features_of(x, spec.feature_names)
        elif spec.kind == "text" and x.shape[1] == 1:
            x = x.iloc[:, 0]
    if spec.kind == "text" and words is not None and getattr(x, "dtype", np.dtype(object)).kind not in "iufb":
        texts = [x] if isinstance(x, str) else list(x)
        if odd := [text for text in texts if not isinstance(text, str)]:
            raise ValueError(f"x holds {odd[0]!r}, not a text; give a list of strings")
        x = words.encode(texts, length=spec.shape[0], keep=spec.keep)
    if spec.kind == "sequence":
        return _read_sequences(x, spec.shape)
    x = np.asarray(x)
    if spec.kind == "vector" and x.ndim > 2 and math.prod(x.shape[1:]) == spec.shape[0]:
        x = x.reshape(len(x), -1)
    if spec.kind == "image" and x.shape[1:] != spec.shape and x.shape[1:] == (spec.shape[-1], *spec.shape[:-1]):
        x = np.moveaxis(x, 1, -1)  # the channels come first, as they did in the training data
    if x.shape[1:] == spec.shape[:-1] and spec.kind == "image" and spec.shape[-1] == 1:
        x = x[..., None]
    if x.shape[1:] != spec.shape or x.dtype.kind not in "iufb" or len(x) == 0:
        wanted = ", ".join(map(str, ("N", *spec.shape)))
        raise ValueError(f"x has shape {x.shape} and dtype {x.dtype}; give numbers [{wanted}], at least one example")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ValueError("x holds nan or infinite values; fill or drop such rows")
    if spec.vocabulary is not None and (x.min() < 0 or x.max() >= spec.vocabulary or np.any(x != x.astype(int))):
        raise ValueError(f"x holds {x.min()} .. {x.max()}; give whole numbers, tokens 0 .. {spec.vocabulary - 1}")
    return x.astype(spec.dtype)


def _texts(column: Any) -> list[str]:
    """Return a column of texts, of which a missing one has no words, as in training."""
    return ["" if missing else str(text) for text, missing in zip(column, column.isna(), strict=True)]


def _read_sequences(x: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return sequences padded to the steps of the training data: [N, T, F] float32."""
    steps, features = shape
    first = dimensions(x) == 3 and np.shape(x)[1:] == (features, steps) and steps != features
    x = read_sequences("x", x, "first" if first else None)
    if x.shape[2] != features:
        raise ValueError(f"x has {x.shape[2]} features a step; give sequences [N, steps, {features}]")
    if x.shape[1] > steps:
        raise ValueError(f"x has a sequence of {x.shape[1]} steps, and the training data {steps} at most; cut it")
    return pad_sequences(x, steps)
