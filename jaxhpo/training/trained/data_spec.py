"""The properties of the training data that a trained network keeps, and the conversion of new examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxhpo.data import Dataset, Vocabulary
from jaxhpo.data.tables.columns import features_of
from jaxhpo.data.tables.readers import is_frame


@dataclass(frozen=True)
class DataSpec:
    """The properties of the training data that a network needs for predictions.

    Attributes:
        name: Name of the data set.
        kind: "image", "vector" or "text".
        shape: Shape of one example.
        task: "classification" or "regression".
        classes: Number of classes; None for regression.
        outputs: Number of the network's outputs.
        vocabulary: Number of tokens; None unless the data are texts.
        targets: Number of axes of one example's target: 0 or 1.
        class_names: Names of the classes, or None.
        feature_names: Column names of a table, or None.
        keep: "first" or "last": the words that are kept of a text longer than `shape`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    task: str
    classes: int | None
    outputs: int
    vocabulary: int | None
    targets: int
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    keep: str

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
        )

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
        if spec.feature_names is not None:
            x = features_of(x, spec.feature_names)
        elif spec.kind == "text" and x.shape[1] == 1:
            x = x.iloc[:, 0]
    if spec.kind == "text" and words is not None and getattr(x, "dtype", np.dtype(object)).kind not in "iufb":
        texts = [x] if isinstance(x, str) else list(x)
        if odd := [text for text in texts if not isinstance(text, str)]:
            raise ValueError(f"x holds {odd[0]!r}, not a text; give a list of strings")
        x = words.encode(texts, length=spec.shape[0], keep=spec.keep)
    x = np.asarray(x)
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
