"""A data set: arrays on the host in three splits, and their scaling."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from jaxhpo.data.checks import Label, check_seed
from jaxhpo.data.shapes import check_sequences
from jaxhpo.data.splits import subset
from jaxhpo.data.text import Vocabulary

SPLITS = ("given", "fixed", "made")
"""Where validation examples come from."""

Encode = Callable[[], dict[str, Any]]
"""Returns fields of a Dataset: its examples, encoded otherwise, and what encoded them."""

_MOST_TOKENS = 2**24  # the whole numbers that float32 represents exactly


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples for classification or regression, split into training, validation and test examples.

    Trials train on the training examples and are scored on the validation examples. Winner and
    ensemble alone are scored on the test examples, once each.

    Attributes:
        name: Name of the data set.
        x_train: Training examples: images [N, H, W, C] as stored (uint8 stays uint8), vectors [N, F], sequences
            of numbers [N, T, F] float32 in which steps after the end are nan, or texts as [N, T] int32 tokens.
        y_train: Training labels, [N] int32 in 0 .. classes - 1; for regression the targets, [N] or [N, K] float32.
        x_valid: Validation examples.
        y_valid: Validation labels or targets.
        x_test: Test examples.
        y_test: Test labels or targets.
        classes: Number of classes; None for regression.
        vocabulary: Number of tokens, 0 .. vocabulary - 1, where 0 is padding; None unless the data are texts.
        words: Vocabulary that turned texts into tokens; None if the tokens were given.
        class_names: The classes as the user names them, in the order of the labels: strings, bools, whole numbers; None
            names them 0 .. classes - 1.
        feature_names: Names of the features of vectors; or None.
        notes: What the loader understood of the data and did to them, a sentence each, for people to read.
        scale_targets: Whether networks learn standardised regression targets, ``(y - target_offset) / target_scale``.
            None standardises them, except for a model and a loss that are both the user's own. Predictions and metrics
            are in the targets' own units either way.
        label_dtype: Dtype in which predicted labels come back, such as "int64"; None is int32, or that of strings.
        columns: What becomes of the columns of a table, with which predictions read new tables; or None.
        split: Where the validation examples come from: "given" by the user, "fixed" for a data set that has a name, or
            "made" by a loader at random. Folds deal the validation examples out anew, so they need one of the latter.

    Raises:
        ValueError: if an array has the wrong shape, dtype or values; the message names it.

    Example:
        >>> import numpy as np, jaxhpo
        >>> x, y = np.random.default_rng(0).random((60, 4), np.float32), np.arange(60, dtype=np.int32) % 3
        >>> parts = {"x_train": x[:40], "x_valid": x[40:50], "x_test": x[50:]}
        >>> parts |= {"y_train": y[:40], "y_valid": y[40:50], "y_test": y[50:]}
        >>> jaxhpo.Dataset("own splits", **parts, classes=3)
        Dataset('own splits', vector (4,), 3 classes, 40/10/10 train/valid/test)
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int | None
    vocabulary: int | None = None
    words: Vocabulary | None = None
    class_names: tuple[Label, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    scale_targets: bool | None = None
    label_dtype: str | None = None
    columns: tuple[Any, ...] | None = None
    split: str = "given"
    # No field, so that `replace` drops it: it would not know of other arrays.
    _pooled: ClassVar[Encode | None] = None

    def __post_init__(self) -> None:
        classes = self.classes
        if classes is not None and (
            isinstance(classes, bool) or not isinstance(classes, int | np.integer) or classes < 2
        ):
            raise ValueError(f"classes={classes!r} must be an integer of at least 2, or None for regression")
        for split in ("train", "valid", "test"):
            x, y = getattr(self, f"x_{split}"), getattr(self, f"y_{split}")
            for what, array in (("x", x), ("y", y)):
                if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
                    is_ = getattr(array, "dtype", type(array).__name__)
                    raise ValueError(f"{what}_{split} is {is_}; give a numpy array of numbers, or use from_arrays")
            if x.dtype.kind == "f" and x.ndim != 3 and not np.isfinite(x).all():
                raise ValueError(f"x_{split} holds nan or infinite values; fill or drop such rows")
            if x.ndim not in (2, 3, 4) or x.shape[1:] != self.shape:
                wanted = "[N, features], [N, steps, features] or [N, height, width, channels], alike in all splits"
                raise ValueError(f"x_{split} has shape {x.shape}; give {wanted}")
            if x.ndim == 3:
                if x.dtype != np.float32:
                    raise ValueError(f"x_{split} of sequences must be float32 [N, steps, features], not {x.dtype}")
                check_sequences(f"x_{split}", x)
            if classes is None:
                self._check_targets(split, len(x), y)
            else:
                self._check_labels(split, len(x), y, classes)
        if self.vocabulary is not None:
            self._check_tokens(self.vocabulary)
        self._check_columns()
        if not isinstance(self.notes, tuple) or not all(isinstance(note, str) for note in self.notes):
            raise ValueError(f"notes={self.notes!r} must be a tuple of strings")
        if not isinstance(self.split, str) or self.split not in SPLITS:
            raise ValueError(f"split={self.split!r} is unknown; use one of {', '.join(SPLITS)}")
        if self.scale_targets is not None and not isinstance(self.scale_targets, bool):
            raise ValueError(f"scale_targets={self.scale_targets!r} must be True, False or None")
        if self.scale_targets is not None and classes is not None:
            problem = f"scale_targets={self.scale_targets} is for regression, and {self.name} has {classes} classes"
            raise ValueError(f"{problem}; leave it out")
        if self.label_dtype is not None:
            try:
                np.dtype(self.label_dtype)
            except TypeError:
                raise ValueError(f"label_dtype={self.label_dtype!r} is no dtype of numpy, such as 'int64'") from None
        self._check_names("class_names", classes, "classes")
        self._check_names("feature_names", self.shape[0] if self.kind == "vector" else None, "features")

    def _check_columns(self) -> None:
        if self.columns is None:
            return
        if not isinstance(self.columns, tuple) or not all(hasattr(column, "features") for column in self.columns):
            raise ValueError(f"columns={self.columns!r} must be those that a table was loaded with, or None")
        features = sum(len(column.features) for column in self.columns)
        if self.kind == "vector" and features != self.shape[0]:
            raise ValueError(f"columns have {features} features, but {self.name!r} has {self.shape[0]}; leave them out")

    def _check_labels(self, split: str, size: int, y: np.ndarray, classes: int) -> None:
        if y.shape != (size,) or y.dtype != np.int32 or size == 0:
            raise ValueError(f"y_{split} must be int32 labels [{size}], one or more, not {y.dtype} {y.shape}")
        if y.min() < 0 or y.max() >= classes:
            raise ValueError(f"y_{split} has labels {y.min()} .. {y.max()}, outside 0 .. {classes - 1}")

    def _check_targets(self, split: str, size: int, y: np.ndarray) -> None:
        targets = self.y_train.shape[1:]
        if y.dtype != np.float32 or y.shape != (size, *targets) or y.ndim not in (1, 2) or y.size == 0:
            wanted = f"float32 targets [{size}] or [{size}, K], one or more, alike in all splits"
            raise ValueError(f"y_{split} must be {wanted}, not {y.dtype} {y.shape}")
        if not np.isfinite(y).all():
            raise ValueError(f"y_{split} holds nan or infinite values; fill or drop such rows")

    def _check_names(self, field: str, wanted: int | None, what: str) -> None:
        names = getattr(self, field)
        if names is None:
            return
        kinds = Label if what == "classes" else str
        if not isinstance(names, tuple) or not all(isinstance(name, kinds) for name in names):
            alike = "strings, bools or numbers" if what == "classes" else "strings"
            raise ValueError(f"{field}={names!r} must be a tuple of {alike}, or None")
        if len(names) != (wanted or 0):
            raise ValueError(f"{field} holds {len(names)} names, but {self.name!r} has {wanted or 'no'} {what}")

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
        """One of "image", "sequence", "vector" and "text"."""
        if self.vocabulary is not None:
            return "text"
        return {2: "vector", 3: "sequence", 4: "image"}[self.x_train.ndim]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.x_train.shape[1:]

    @property
    def task(self) -> str:
        """One of "classification" and "regression"."""
        return "regression" if self.classes is None else "classification"

    @property
    def outputs(self) -> int:
        """The number of the network's outputs: the classes, or the targets of one example."""
        return math.prod(self.y_train.shape[1:]) if self.classes is None else int(self.classes)

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        if self.kind == "text":  # tokens are not scaled
            return np.zeros(1, np.float32), np.ones(1, np.float32)
        # One mean and deviation for images, one a feature of vectors and of steps; of the training examples only.
        x = self.x_train
        if self.kind == "sequence":  # of its steps, padding aside
            x = x[~np.isnan(x).all(-1)]
        mean, deviation = _mean_and_deviation(x, None if self.kind == "image" else 0)
        if self.kind == "vector":  # a rare category would be many deviations from the mean of its column
            marks = ((x == 0) | (x == 1)).all(0)
            mean, deviation = np.where(marks, 0.0, mean), np.where(marks, 1.0, deviation)
        shape = {"image": (1, 1, 1), "sequence": (1, self.shape[-1]), "vector": self.shape}[self.kind]
        mean, scale = (np.reshape(a, shape).astype(np.float32) for a in (mean, 1 / deviation))
        return mean, scale

    @property
    def offset(self) -> np.ndarray:
        """The mean of the training examples, float32, broadcastable to one example; 0 for texts.

        The network receives ``(x - offset) * scale``. Images have one mean; vectors and the steps of
        sequences have one for each feature. A feature of vectors that is 0 or 1 in all training examples, such as a
        category's, stays as it is: its offset is 0 and its scale 1.
        """
        return self._moments[0]

    @property
    def scale(self) -> np.ndarray:
        """One over the training examples' standard deviation, float32, broadcastable to one example; see `offset`."""
        return self._moments[1]

    @cached_property
    def _target_moments(self) -> tuple[np.ndarray, np.ndarray]:
        if self.classes is not None:
            return np.zeros((), np.float32), np.ones((), np.float32)
        if self.scale_targets is False:
            return np.zeros(self.y_train.shape[1:], np.float32), np.ones(self.y_train.shape[1:], np.float32)
        mean, deviation = _mean_and_deviation(self.y_train, 0)
        return np.asarray(mean, np.float32), np.asarray(deviation, np.float32)

    @property
    def target_offset(self) -> np.ndarray:
        """The mean of the training targets: [] or [K] float32; 0 where they are not standardised."""
        return self._target_moments[0]

    @property
    def target_scale(self) -> np.ndarray:
        """The standard deviation of the training targets: [] or [K] float32; 1 where they are not standardised.

        The network learns ``(y - target_offset) / target_scale``. Unlike `scale` it is not a reciprocal, so an error of
        the network times `target_scale` is in the units of the targets.
        """
        return self._target_moments[1]

    def take(self, train_examples: int, *, seed: int = 0) -> "Dataset":
        """Return the data set with a random part of its training examples, with the classes in proportion.

        Args:
            train_examples: Number of training examples to keep.
            seed: Random seed of the selection.

        Raises:
            ValueError: if `train_examples` is not an integer between 1 and the number of training examples, or `seed`
                not one in [0, 2**32).
        """
        check_seed(seed)
        if isinstance(train_examples, bool) or not isinstance(train_examples, int | np.integer) or train_examples < 1:
            raise ValueError(f"train_examples={train_examples!r} must be an integer of at least 1")
        there = len(self.y_train)
        if train_examples > there:
            raise ValueError(
                f"train_examples={train_examples} exceeds the {there} of {self.name!r}; use at most {there}"
            )
        if train_examples == there:
            return self
        rows = subset(self.y_train, int(train_examples), seed)
        taken = replace(self, x_train=self.x_train[rows], y_train=self.y_train[rows])
        return taken if self._pooled is None else remember(taken, partial(_of_rows, self._pooled, rows))

    def pooled(self) -> "Dataset":
        """Return the data set with its texts or table encoded by training and validation examples together.

        A loader takes the vocabulary, categories, medians and first dates from the training examples alone. Folds train
        on the validation examples, too. Of other data, and where arrays were replaced, examples stay as they are.

        Example:
            >>> import jaxhpo
            >>> data = jaxhpo.data.load(([f"word{i}" for i in range(20)], ["a", "b"] * 10))
            >>> data.vocabulary, data.pooled().vocabulary  # two tokens are no words
            (14, 18)
        """
        return replace(self, **({} if self._pooled is None else self._pooled()))

    def __repr__(self) -> str:
        sizes = "/".join(str(len(y)) for y in (self.y_train, self.y_valid, self.y_test))
        task = "regression" if self.classes is None else f"{self.classes} classes"
        return f"Dataset({self.name!r}, {self.kind} {self.shape}, {task}, {sizes} train/valid/test)"


def remember(data: Dataset, pooled: Encode | None) -> Dataset:
    """Return a data set that knows what `Dataset.pooled` replaces; it holds the data as they were before encoding."""
    object.__setattr__(data, "_pooled", pooled)
    return data


def carry(data: Dataset, old: Dataset) -> Dataset:
    """Return a data set whose examples are those of another one, and which knows what that one does of them."""
    return remember(data, old._pooled)


def _of_rows(pooled: Encode, rows: np.ndarray) -> dict[str, Any]:
    """Return what `pooled` does, with some of the training examples."""
    fields = pooled()
    return fields | {"x_train": fields["x_train"][rows]}


def _mean_and_deviation(array: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation in float64; a deviation of 0 is replaced by 1."""
    mean, deviation = np.asarray(array.mean(axis, np.float64)), np.asarray(array.std(axis, np.float64))
    # A constant feature carries no information. The comparison is relative: rounding alone gives it a small deviation.
    constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
    return mean, np.where(constant, 1.0, deviation)
