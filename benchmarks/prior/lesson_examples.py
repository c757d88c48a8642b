"""The examples of lessons: what comes with scikit-learn or is drawn, and parts of prepared data sets."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import datasets

from benchmarks.quality.problems import SEED, Examples, digits, vectors
from jaxhpo import data
from jaxhpo.data.text import TextOptions

_WORDS = 1000  # of the reviews, the most frequent
TOKENS = _WORDS + 2
"""Padding and the unknown word as well."""

DataDir = str | os.PathLike | None
Make = Callable[[DataDir], Examples]
MANY = 6000
"""Examples that a generator draws, of which a problem takes some."""


def wine(data_dir: DataDir) -> Examples:
    return vectors(*datasets.load_wine(return_X_y=True))


def iris(data_dir: DataDir) -> Examples:
    return vectors(*datasets.load_iris(return_X_y=True))


def parity(data_dir: DataDir) -> Examples:
    x, y = digits(data_dir)
    return x, y % 2


def alike(data_dir: DataDir) -> Examples:
    """Return the digits 3, 5, 8 and 9."""
    x, y = digits(data_dir)
    rows = np.isin(y, (3, 5, 8, 9))
    return x[rows], np.searchsorted((3, 5, 8, 9), y[rows]).astype(np.int32)


def blurred(data_dir: DataDir) -> Examples:
    """Return the digits, whose pixels are 0 .. 16, with noise of a deviation of 6."""
    x, y = digits(data_dir)
    noisy = x + np.random.default_rng(SEED).normal(0, 6, x.shape)
    return np.rint(np.clip(noisy, 0, 16)).astype(np.uint8), y


def moons(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_moons(2500, noise=0.25, random_state=SEED))


def circles(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_circles(2500, noise=0.15, factor=0.6, random_state=SEED))


def shells(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_gaussian_quantiles(n_samples=3500, n_features=5, n_classes=3, random_state=SEED))


def hastie(data_dir: DataDir) -> Examples:
    x, y = datasets.make_hastie_10_2(4500, random_state=SEED)
    return vectors(x, y > 0)


def threes(data_dir: DataDir) -> Examples:
    x, y = digits(data_dir)
    return x, (y == 3).astype(np.int32)


def classes(seed: int, features: int, informative: int, **options: Any) -> Make:
    """Return what draws classes, some of them rare where `weights` say so."""

    def make(data_dir: DataDir) -> Examples:
        shape = {"n_features": features, "n_informative": informative, "n_redundant": (features - informative) // 3}
        return vectors(*datasets.make_classification(MANY, random_state=seed, **shape, **options))

    return make


def teacher(rng: np.random.Generator, inputs: int, outputs: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, and what a random network of two hidden layers says of them: [count, outputs]."""
    x = hidden = rng.normal(size=(count, inputs))
    for _ in range(2):
        hidden = np.tanh(hidden @ rng.normal(0, 2 / np.sqrt(hidden.shape[1]), (hidden.shape[1], 16)))
    return x, hidden @ rng.normal(size=(16, outputs))


def taught_classes(data_dir: DataDir) -> Examples:
    x, y = teacher(np.random.default_rng(SEED), 12, 5, 3000)
    return vectors(x, y.argmax(axis=1))


def taught_values(data_dir: DataDir) -> Examples:
    x, y = teacher(np.random.default_rng(SEED), 6, 1, 2500)
    noise = np.random.default_rng(SEED + 1).normal(0, 0.5, len(x))
    return vectors(x, y[:, 0] + noise, classes=False)


def sparse(data_dir: DataDir) -> Examples:
    made = datasets.make_regression(1500, 80, n_informative=8, noise=30.0, random_state=SEED)
    return vectors(*made[:2], classes=False)


def waves(data_dir: DataDir) -> Examples:
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (2000, 2))
    y = np.sin(4 * x[:, 0]) * np.sin(3 * x[:, 1] + 1) + rng.normal(0, 0.1, len(x))
    return vectors(x, y, classes=False)


def ripple(data_dir: DataDir) -> Examples:
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (1000, 1))
    return vectors(x, np.sin(6 * x[:, 0]) + rng.normal(0, 0.2, len(x)), classes=False)


def mnist(data_dir: DataDir) -> Examples:
    """Return 7x7 pixels of MNIST's training examples."""
    mnist = data.load("mnist", data_dir=data_dir)
    return _squares(mnist.x_train, 4), mnist.y_train


def _squares(images: np.ndarray, side: int) -> np.ndarray:
    """Average squares of pixels: [N, H, W, C] uint8 -> [N, H / side, W / side, C] uint8."""
    n, h, w, c = images.shape
    return np.rint(images.reshape(n, h // side, side, w // side, side, c).mean(axis=(2, 4))).astype(np.uint8)


def colour(data_dir: DataDir) -> Examples:
    """Return 8x8 pixels of CIFAR-10's training examples."""
    cifar = data.load("cifar10", data_dir=data_dir)
    return _squares(cifar.x_train[:10_000], 4), cifar.y_train[:10_000]


def grey(data_dir: DataDir) -> Examples:
    x, y = colour(data_dir)
    return np.rint(x.mean(axis=3, keepdims=True)).astype(np.uint8), y


def reviews(data_dir: DataDir) -> Examples:
    """Return the last 32 words of IMDB's training examples."""
    imdb = data.load("imdb", data_dir=data_dir, text=TextOptions(words=_WORDS, length=32, keep="last"))
    return imdb.x_train[:5000], imdb.y_train[:5000]
