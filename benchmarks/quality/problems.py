"""The problems whose trainings the tasks of the family "surrogates" are fitted to: examples, model, optimizer, epochs.

Methods are judged on these; what they may learn from beforehand is in `benchmarks.prior.lessons`. Each is small
enough that hundreds of networks train in a minute on one core, and they differ in what matters: how many examples there
are, how noisy they are, how long is trained, by which optimizer.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn import datasets

from jaxhpo import data
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import subset
from jaxhpo.space import Choice, Float, Int, Space

SEED = 0  # of the examples and of their split
_WRONG = 0.3  # share of the training labels that digits_noisy draws anew

Examples = tuple[np.ndarray, np.ndarray]
"""x and y, of all splits."""


@dataclass(frozen=True)
class Problem:
    """What is trained, and how."""

    make: Callable[[str | os.PathLike | None], Examples]  # of where prepared data sets lie
    about: str
    train: int  # examples; the next `valid` validate
    valid: int
    epochs: int
    model: str = "mlp"
    optimizer: str = "momentum"  # elsewhere momentum is irrelevant, as `HYPERPARAMETERS` says
    units: tuple[int, int] = (8, 128)
    configurations: int = 768
    repeats: int = 1
    wrong: float = 0.0  # share of the training labels that say nothing
    rates: tuple[float, float] = (1e-4, 1.0)
    batches: tuple[int, ...] = (16, 32, 64, 128)
    momenta: tuple[float, float] = (0.0, 0.99)
    decays: tuple[float, float] = (1e-6, 1e-1)
    layers: tuple[int, int] = (1, 4)
    dropouts: tuple[float, float] | None = (0.0, 0.6)  # None is none at all
    vocabulary: int | None = None  # of texts
    balanced: bool = False  # as many of every class validate: accuracy is balanced accuracy

    @property
    def space(self) -> Space:
        """What varies; one optimizer, so that every configuration has the same seven dimensions, or six."""
        dropout = {} if self.dropouts is None else {"dropout": Float(*self.dropouts)}
        return Space(
            {
                "learning_rate": Float(*self.rates, log=True),
                "batch_size": Choice(self.batches),
                "momentum": Float(*self.momenta),
                "weight_decay": Float(*self.decays, log=True),
                "layers": Int(*self.layers),
                "units": Int(*self.units, log=True),
                **dropout,
                "optimizer": Choice((self.optimizer,)),
            }
        )

    def examples(self, data_dir: str | os.PathLike | None = None) -> Dataset:
        """Return the examples; the test split is the validation's, and never scored."""
        x, y = self.make(data_dir)
        size = len(y) if self.balanced else min(self.train + self.valid, len(y))
        rows = subset(y, size, SEED) if size < len(y) else np.arange(len(y))
        if y.dtype.kind == "f":
            train, valid = rows[: self.train], rows[self.train :]
        else:  # every class in proportion
            inside = subset(y[rows], self.train, SEED)
            train, valid = rows[inside], np.delete(rows, inside)
        if self.balanced:
            each = min(self.valid // (y.max() + 1), np.bincount(y[valid]).min())
            valid = np.concatenate([valid[y[valid] == one][:each] for one in range(y.max() + 1)])
        taught = y[train]
        if self.wrong:
            rng = np.random.default_rng(SEED)
            drawn = rng.integers(0, y.max() + 1, len(taught), dtype=np.int32)
            taught = np.where(rng.random(len(taught)) < self.wrong, drawn, taught)
        classes = None if y.dtype.kind == "f" else int(y.max()) + 1
        split = (x[train], taught, x[valid], y[valid])
        return Dataset("recorded", *split, x[valid], y[valid], classes, self.vocabulary)


def vectors(x: np.ndarray, y: np.ndarray, *, classes: bool = True) -> Examples:
    """Return features as float32, labels as int32 or targets as float32."""
    return x.astype(np.float32), y.astype(np.int32 if classes else np.float32)


def digits(data_dir: str | os.PathLike | None) -> Examples:
    """Return scikit-learn's handwritten digits."""
    x, y = map(np.asarray, datasets.load_digits(return_X_y=True))
    return x.reshape(-1, 8, 8, 1).astype(np.uint8), y.astype(np.int32)


def _mnist(data_dir: str | os.PathLike | None) -> Examples:
    """Return MNIST's training examples, squares of four pixels averaged: what differs between networks stays."""
    mnist = data.load("mnist", data_dir=data_dir)
    x = mnist.x_train.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return np.rint(x)[..., None].astype(np.uint8), mnist.y_train


def cancer(data_dir: str | os.PathLike | None) -> Examples:
    """Return scikit-learn's tumours."""
    return vectors(*datasets.load_breast_cancer(return_X_y=True))


def _diabetes(data_dir: str | os.PathLike | None) -> Examples:
    return vectors(*datasets.load_diabetes(return_X_y=True), classes=False)


def _friedman(data_dir: str | os.PathLike | None) -> Examples:
    return vectors(*datasets.make_friedman1(2000, 10, noise=1.0, random_state=SEED), classes=False)


def _spirals(data_dir: str | os.PathLike | None) -> Examples:
    """Return three interleaved arms of a spiral with noise: no network without many units or layers parts them."""
    rng = np.random.default_rng(SEED)
    y = rng.integers(0, 3, 2000, dtype=np.int32)
    radius = np.sqrt(rng.uniform(0.02, 1, 2000))
    angle = 7 * radius + y * 2 * np.pi / 3
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return vectors(x + rng.normal(0, 0.04, x.shape), y)


def _classes(**options: float) -> Callable[[str | os.PathLike | None], Examples]:
    def make(data_dir: str | os.PathLike | None) -> Examples:
        x, y = datasets.make_classification(3000, random_state=SEED, **options)
        return vectors(x, y)

    return make


_CLUSTERS = _classes(n_features=10, n_informative=8, n_redundant=0, n_classes=4, n_clusters_per_class=4)
_NOISY = _classes(n_features=40, n_informative=8, n_redundant=4, n_classes=2, flip_y=0.25)
_WIDE = _classes(n_features=200, n_informative=12, n_redundant=20, n_classes=3, class_sep=1.5)

PROBLEMS = {
    "digits_few": Problem(digits, "digits", 150, 1600, 40),
    "digits_many": Problem(digits, "digits", 900, 890, 8),
    "digits_short": Problem(digits, "digits", 600, 1190, 3, optimizer="adam", repeats=2),
    "digits_noisy": Problem(digits, "digits, 30% of the labels drawn anew", 300, 1490, 30, wrong=_WRONG),
    "digits_conv": Problem(digits, "digits", 300, 1000, 5, "cnn", "adam", (2, 32), 512),
    "digits_conv_sgd": Problem(digits, "digits", 200, 1000, 8, "cnn", units=(2, 32), configurations=512),
    "cancer": Problem(cancer, "breast cancer Wisconsin", 140, 429, 15, repeats=2),
    "diabetes": Problem(_diabetes, "diabetes", 220, 222, 20, repeats=2),
    "friedman": Problem(_friedman, "Friedman's first function", 400, 1600, 15),
    "spirals": Problem(_spirals, "three spirals", 400, 1600, 40, optimizer="adam"),
    "clusters": Problem(_CLUSTERS, "16 clusters in 10 dimensions", 800, 2000, 12),
    "noisy_classes": Problem(_NOISY, "2 classes, 25% of the labels drawn anew", 300, 2000, 25, optimizer="adam"),
    "wide_classes": Problem(_WIDE, "3 classes in 200 dimensions", 300, 2000, 10, optimizer="adamw"),
    "mnist_dense": Problem(_mnist, "MNIST, 14x14 pixels", 1500, 2000, 5),
    "mnist_conv": Problem(_mnist, "MNIST, 14x14 pixels", 500, 1000, 3, "cnn", "adam", (2, 32), 512),
}
"""By name."""
