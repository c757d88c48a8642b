"""What a trained network has to know of its data, and new examples made into what it saw."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxhpo.data import Dataset, Vocabulary
from jaxhpo.data.tables.columns import features_of
from jaxhpo.data.tables.readers import is_frame


@dataclass(frozen=True)
class DataSpec:
    """What a network has to know of the data that it was trained on."""

    name: str
    kind: str  # "image", "vector" or "text"
    shape: tuple[int, ...]  # one example's
    task: str  # "classification" or "regression"
    classes: int | None
    outputs: int
    vocabulary: int | None
    targets: int  # axes of one example's target
    class_names: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None  # of a table
    keep: str  # which words of a text that is longer than `shape`

    @classmethod
    def of(cls, data: Dataset) -> "DataSpec":
        """Return a data set's spec."""
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
        """The dtype of examples as a network takes them."""
        return np.int32 if self.kind == "text" else np.float32


def read_examples(x: Any, spec: DataSpec, words: Vocabulary | None) -> np.ndarray:
    """Return new examples as the training examples were stored: [N, ...].

    Args:
        x: arrays; texts as strings where there are `words`; or a DataFrame with the columns of the training table.
        spec: of the training data.
        words: of its texts.

    Raises:
        ValueError: the examples are not like those.
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
