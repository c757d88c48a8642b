"""Problems whose trainings a method may learn from before it is judged on those of `benchmarks.quality.problems`.

No task is made of these. Their spaces hold the same hyperparameters in other ranges, most of them wider, so that what
is learned is what a learning rate means, not where in a range the best one lay.
"""

import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sklearn import datasets

from benchmarks.quality.problems import SEED, Examples, Problem, cancer, digits, vectors
from jaxhpo import data
from jaxhpo.data.text import TextOptions

_WORDS = 1000  # of the reviews, the most frequent
_TOKENS = _WORDS + 2  # padding and the unknown word as well

DataDir = str | os.PathLike | None


def _wine(data_dir: DataDir) -> Examples:
    return vectors(*datasets.load_wine(return_X_y=True))


def _iris(data_dir: DataDir) -> Examples:
    return vectors(*datasets.load_iris(return_X_y=True))


def _parity(data_dir: DataDir) -> Examples:
    x, y = digits(data_dir)
    return x, y % 2


def _alike(data_dir: DataDir) -> Examples:
    """Return the digits 3, 5, 8 and 9."""
    x, y = digits(data_dir)
    rows = np.isin(y, (3, 5, 8, 9))
    return x[rows], np.searchsorted((3, 5, 8, 9), y[rows]).astype(np.int32)


def _blurred(data_dir: DataDir) -> Examples:
    """Return the digits, whose pixels are 0 .. 16, with noise of a deviation of 6."""
    x, y = digits(data_dir)
    noisy = x + np.random.default_rng(SEED).normal(0, 6, x.shape)
    return np.rint(np.clip(noisy, 0, 16)).astype(np.uint8), y


def _moons(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_moons(2500, noise=0.25, random_state=SEED))


def _circles(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_circles(2500, noise=0.15, factor=0.6, random_state=SEED))


def _shells(data_dir: DataDir) -> Examples:
    return vectors(*datasets.make_gaussian_quantiles(n_samples=3500, n_features=5, n_classes=3, random_state=SEED))


def _hastie(data_dir: DataDir) -> Examples:
    x, y = datasets.make_hastie_10_2(4500, random_state=SEED)
    return vectors(x, y > 0)


def _teacher(inputs: int, outputs: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs, and what a random network of two hidden layers says of them: [count, outputs]."""
    rng = np.random.default_rng(SEED)
    x = hidden = rng.normal(size=(count, inputs))
    for _ in range(2):
        hidden = np.tanh(hidden @ rng.normal(0, 2 / np.sqrt(hidden.shape[1]), (hidden.shape[1], 16)))
    return x, hidden @ rng.normal(size=(16, outputs))


def _taught_classes(data_dir: DataDir) -> Examples:
    x, y = _teacher(12, 5, 3000)
    return vectors(x, y.argmax(axis=1))


def _taught_values(data_dir: DataDir) -> Examples:
    x, y = _teacher(6, 1, 2500)
    noise = np.random.default_rng(SEED + 1).normal(0, 0.5, len(x))
    return vectors(x, y[:, 0] + noise, classes=False)


def _sparse(data_dir: DataDir) -> Examples:
    made = datasets.make_regression(1500, 80, n_informative=8, noise=30.0, random_state=SEED)
    return vectors(*made[:2], classes=False)


def _waves(data_dir: DataDir) -> Examples:
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (2000, 2))
    y = np.sin(4 * x[:, 0]) * np.sin(3 * x[:, 1] + 1) + rng.normal(0, 0.1, len(x))
    return vectors(x, y, classes=False)


def _ripple(data_dir: DataDir) -> Examples:
    rng = np.random.default_rng(SEED)
    x = rng.uniform(-1, 1, (1000, 1))
    return vectors(x, np.sin(6 * x[:, 0]) + rng.normal(0, 0.2, len(x)), classes=False)


def _mnist(data_dir: DataDir) -> Examples:
    """Return 7x7 pixels of MNIST's training examples."""
    mnist = data.load("mnist", data_dir=data_dir)
    return _squares(mnist.x_train, 4), mnist.y_train


def _squares(images: np.ndarray, side: int) -> np.ndarray:
    """Average squares of pixels: [N, H, W, C] uint8 -> [N, H / side, W / side, C] uint8."""
    n, h, w, c = images.shape
    return np.rint(images.reshape(n, h // side, side, w // side, side, c).mean(axis=(2, 4))).astype(np.uint8)


def _colour(data_dir: DataDir) -> Examples:
    """Return 8x8 pixels of CIFAR-10's training examples."""
    cifar = data.load("cifar10", data_dir=data_dir)
    return _squares(cifar.x_train[:10_000], 4), cifar.y_train[:10_000]


def _grey(data_dir: DataDir) -> Examples:
    x, y = _colour(data_dir)
    return np.rint(x.mean(axis=3, keepdims=True)).astype(np.uint8), y


def _reviews(data_dir: DataDir) -> Examples:
    """Return the last 32 words of IMDB's training examples."""
    imdb = data.load("imdb", data_dir=data_dir, text=TextOptions(words=_WORDS, length=32, keep="last"))
    return imdb.x_train[:5000], imdb.y_train[:5000]


class _Ranges(NamedTuple):
    """The ranges of a problem."""

    rates: tuple[float, float]
    batches: tuple[int, ...]
    units: tuple[int, int]
    layers: int  # at most
    decays: tuple[float, float]
    dropout: float  # at most
    momentum: float = 0.0  # at least

    def of(self, problem: Problem) -> Problem:
        """Return a problem with these."""
        plain = {"rates": self.rates, "batches": self.batches, "units": self.units, "decays": self.decays}
        layers, dropouts, momenta = (1, self.layers), (0.0, self.dropout), (self.momentum, 0.99)
        return replace(problem, **plain, layers=layers, dropouts=dropouts, momenta=momenta)


_PROBLEMS = {
    "wine": Problem(_wine, "wine", 60, 118, 20, repeats=2),
    "iris": Problem(_iris, "iris", 50, 100, 30, repeats=2),
    "cancer_few": Problem(cancer, "breast cancer Wisconsin", 40, 400, 30, optimizer="adam"),
    "digits_parity": Problem(_parity, "digits, odd or even", 400, 600, 8),
    "digits_alike": Problem(_alike, "the digits 3, 5, 8, 9", 100, 400, 30, optimizer="rmsprop"),
    "digits_blurred": Problem(_blurred, "digits, noisy pixels", 600, 600, 8),
    "moons": Problem(_moons, "two moons", 200, 500, 30),
    "circles": Problem(_circles, "two circles", 300, 500, 30),
    "shells": Problem(_shells, "3 shells in 5 dimensions", 1000, 600, 12),
    "hastie": Problem(_hastie, "2 classes by the sum of 10 squares", 2000, 600, 6, optimizer="adamw"),
    "taught_classes": Problem(_taught_classes, "5 classes of a random network", 600, 600, 10),
    "taught_values": Problem(_taught_values, "a random network's values with noise", 500, 500, 16),
    "sparse": Problem(_sparse, "8 of 80 features count", 180, 400, 30),
    "waves": Problem(_waves, "a product of sines", 300, 400, 40, optimizer="adam"),
    "ripple": Problem(_ripple, "a noisy sine", 100, 300, 60),
    "mnist_coarse": Problem(_mnist, "MNIST, 7x7 pixels", 1500, 500, 3),
    "mnist_few": Problem(_mnist, "MNIST, 7x7 pixels", 80, 500, 30),
    "cifar_grey": Problem(_grey, "CIFAR-10, 8x8 grey pixels", 1000, 500, 10),
    "mnist_coarse_conv": Problem(_mnist, "MNIST, 7x7 pixels", 300, 400, 4, "cnn", configurations=384),
    "cifar_conv": Problem(_colour, "CIFAR-10, 8x8 pixels", 800, 400, 7, "cnn", "adam", configurations=384),
    "reviews": Problem(_reviews, "IMDB, 32 words", 1500, 500, 5, "rnn", "adam", configurations=384, vocabulary=_TOKENS),
}

_RANGES = {
    "wine": _Ranges((1e-4, 3.0), (10, 20, 60), (4, 64), 5, (1e-6, 1.0), 0.6),
    "iris": _Ranges((1e-3, 3.0), (10, 50), (4, 32), 3, (1e-6, 0.1), 0.5),
    "cancer_few": _Ranges((1e-5, 0.3), (8, 16, 32), (4, 128), 3, (1e-6, 0.1), 0.8),
    "digits_parity": _Ranges((1e-3, 3.0), (16, 64, 256), (8, 160), 4, (1e-7, 0.01), 0.6),
    "digits_alike": _Ranges((1e-5, 0.1), (10, 20, 50, 100), (8, 128), 4, (1e-4, 1.0), 0.8),
    "digits_blurred": _Ranges((1e-5, 1.0), (32, 64, 128, 256), (16, 192), 3, (1e-6, 0.1), 0.8, 0.5),
    "moons": _Ranges((1e-4, 3.0), (8, 16, 32, 64), (4, 64), 6, (1e-6, 0.1), 0.5),
    "circles": _Ranges((1e-3, 1.0), (25, 50, 100, 300), (4, 64), 6, (1e-7, 0.1), 0.4),
    "shells": _Ranges((1e-3, 3.0), (16, 32, 64, 128, 256, 512), (4, 128), 5, (1e-6, 0.1), 0.5),
    "hastie": _Ranges((1e-4, 0.3), (40, 120, 480), (8, 192), 3, (1e-4, 1.0), 0.4),
    "taught_classes": _Ranges((1e-5, 3.0), (20, 40, 80, 160), (8, 128), 4, (1e-7, 1.0), 0.8),
    "taught_values": _Ranges((1e-4, 1.0), (25, 50, 100, 250), (8, 128), 5, (1e-6, 0.3), 0.5),
    "sparse": _Ranges((1e-4, 0.3), (15, 30, 90, 180), (4, 128), 3, (1e-5, 1.0), 0.6),
    "waves": _Ranges((3e-4, 0.3), (20, 60, 300), (8, 96), 5, (1e-7, 0.1), 0.3),
    "ripple": _Ranges((1e-3, 1.0), (10, 20, 100), (4, 96), 5, (1e-6, 0.01), 0.2),
    "mnist_coarse": _Ranges((1e-4, 3.0), (20, 60, 180, 540), (8, 256), 3, (1e-7, 0.1), 0.6),
    "mnist_few": _Ranges((1e-4, 1.0), (10, 20, 40, 80), (8, 192), 3, (1e-5, 1.0), 0.8),
    "cifar_grey": _Ranges((1e-4, 1.0), (25, 50, 100, 500), (16, 192), 3, (1e-7, 0.3), 0.6),
    "mnist_coarse_conv": _Ranges((1e-4, 1.0), (25, 50, 100), (2, 24), 3, (1e-6, 0.1), 0.6),
    "cifar_conv": _Ranges((1e-4, 0.1), (25, 50, 100), (4, 24), 3, (1e-6, 1.0), 0.8),
    "reviews": _Ranges((1e-4, 0.1), (20, 100), (4, 24), 2, (1e-6, 0.1), 0.6),
}

LESSONS = {name: _RANGES[name].of(problem) for name, problem in _PROBLEMS.items()}
"""By name."""
