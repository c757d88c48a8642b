"""A data set: arrays on the host, split in three, and how the network sees them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from jaxhpo.data.splits import subset
from jaxhpo.data.text import Vocabulary

_MOST_TOKENS = 2**24  # whole numbers that float32 tells apart


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples for classification.

    Images are [N, H, W, C], vectors [N, F], text [N, T] int32 tokens; labels int32 in 0 .. classes - 1. Trials train
    on `train`, are compared on `valid`, and the winner alone is scored, once, on `test`.
    """

    name: str
    x_train: np.ndarray  # as stored: uint8 images stay uint8
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int
    vocabulary: int | None = None  # tokens are 0 .. vocabulary - 1, 0 is padding; None where the data are no text
    words: Vocabulary | None = None  # what the tokens mean, where jaxhpo made them

    def __post_init__(self) -> None:
        if isinstance(self.classes, bool) or not isinstance(self.classes, int | np.integer) or self.classes < 2:
            raise ValueError(f"classes={self.classes!r} must be an integer of at least 2")
        for split in ("train", "valid", "test"):
            x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
            for what, array in (("x", x), ("y", y)):
                if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
                    is_ = getattr(array, "dtype", type(array).__name__)
                    raise ValueError(f"{what}_{split} is {is_}; give a numpy array of numbers, or use from_arrays")
            if x.dtype.kind == "f" and not np.isfinite(x).all():
                raise ValueError(f"x_{split} holds nan or infinite values; fill or drop such rows")
            if x.ndim not in (2, 4) or x.shape[1:] != self.shape:
                wanted = "[N, features] or [N, height, width, channels], alike in all splits"
                raise ValueError(f"x_{split} has shape {x.shape}; give {wanted}")
            if y.shape != (len(x),) or y.dtype != np.int32 or len(y) == 0:
                raise ValueError(f"y_{split} must be int32 labels [{len(x)}], one or more, not {y.dtype} {y.shape}")
            if y.min() < 0 or y.max() >= self.classes:
                raise ValueError(f"y_{split} has labels {y.min()} .. {y.max()}, outside 0 .. {self.classes - 1}")

        if self.vocabulary is not None:
            self._check_tokens(self.vocabulary)

    def _check_tokens(self, vocabulary: int) -> None:
        if isinstance(vocabulary, bool) or not isinstance(vocabulary, int) or not 2 <= vocabulary <= _MOST_TOKENS:
            raise ValueError(f"vocabulary={vocabulary!r} must be an integer in [2, {_MOST_TOKENS}], or None")
        for split in ("train", "valid", "test"):
            x = getattr(self, f"x_{split}")
            if x.ndim != 2 or x.dtype != np.int32:
                raise ValueError(f"x_{split} of text must be int32 tokens [N, T], not {x.dtype} {x.shape}")
            if len(x) and (x.min() < 0 or x.max() >= vocabulary):
                raise ValueError(f"x_{split} has tokens {x.min()} .. {x.max()}, outside 0 .. {vocabulary - 1}")

    @property
    def kind(self) -> str:
        """One of "image", "vector" and "text"."""
        if self.vocabulary is not None:
            return "text"
        return "image" if self.x_train.ndim == 4 else "vector"

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's shape."""
        return self.x_train.shape[1:]

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        if self.kind == "text":  # tokens reach the network as they are, in the dtype that it computes in
            return np.zeros(1, np.float32), np.ones(1, np.float32)
        # Images share one mean and deviation; a vector's features have their own. Training data only.
        axes = 0 if self.kind == "vector" else None
        x = self.x_train
        mean, deviation = x.mean(axes, np.float64), x.std(axes, np.float64)
        ones = (1,) * (len(self.shape) if self.kind == "image" else 0)
        # A constant feature says nothing, whatever it is divided by; relative, as rounding alone gives it a deviation.
        constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
        scale = np.where(constant, 1.0, 1 / np.where(constant, 1.0, deviation))
        mean, scale = (np.reshape(a, ones or a.shape).astype(np.float32) for a in (mean, scale))
        return mean, scale

    @property
    def offset(self) -> np.ndarray:
        """Float32, broadcastable to one example: the network sees ``(x - offset) * scale``."""
        return self._moments[0]

    @property
    def scale(self) -> np.ndarray:
        """Float32, broadcastable to one example: one over the training examples' standard deviation."""
        return self._moments[1]

    def take(self, train_examples: int, *, seed: int = 0) -> "Dataset":
        """Return the data set with a seeded, stratified part of its training examples, normalised anew."""
        if isinstance(train_examples, bool) or not isinstance(train_examples, int | np.integer) or train_examples < 1:
            raise ValueError(f"train_examples={train_examples!r} must be an integer of at least 1")
        there = len(self.y_train)
        if train_examples > there:
            raise ValueError(f"train_examples={train_examples} exceeds the {there} of {self.name}; use at most {there}")
        if train_examples == there:
            return self
        rows = subset(self.y_train, int(train_examples), seed)
        return replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])

    def __repr__(self) -> str:
        sizes = "/".join(str(len(y)) for y in (self.y_train, self.y_valid, self.y_test))
        return f"Dataset({self.name!r}, {self.kind} {self.shape}, {self.classes} classes, {sizes} train/valid/test)"
