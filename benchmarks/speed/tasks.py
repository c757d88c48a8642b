"""What is timed: three data sets with networks for them, one space, and the order in which all sides see the data."""

from typing import NamedTuple

import jax
import numpy as np

import jaxhpo as jh
from jaxhpo.data import load
from jaxhpo.training.step.examples import epoch_order

TRIALS = 64
SEED = 0
_REVIEWS, _TOKENS, _VOCABULARY = 5000, 100, 5000

SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-4, 1e-1, log=True),
        "batch_size": jh.Choice((32, 64, 128, 256)),
        "layers": jh.Int(1, 3),
        "units": jh.Choice((8, 16, 32, 64)),
        "l1": jh.Choice((0.0, 1e-6, 1e-5, 1e-4)),
        "l2": jh.Choice((0.0, 1e-6, 1e-5, 1e-4)),
        "dropout": jh.Float(0.0, 0.5),
        "optimizer": jh.Choice(("sgd", "momentum", "rmsprop", "adam", "adamw")),
    }
)


TITLES = {"mlp": "MLP, digits", "cnn": "CNN, MNIST 10,000", "gru": "GRU, made-up text"}


class Task(NamedTuple):
    """One column of the comparison."""

    data: jh.Dataset
    model: str
    epochs: int


def small_table() -> jh.Dataset:
    """Return 1,000 of scikit-learn's digits as a table of 32 numbers, split as a user's own arrays are.

    Every second pixel: with so many numbers the default space has `representation`, and its first layer is largest.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return jh.data.from_arrays(x[:1000, ::2].astype(np.float32), y[:1000])


def text(reviews: int, *, tokens: int = _TOKENS, vocabulary: int = _VOCABULARY, seed: int = 0) -> jh.Dataset:
    """Return a made-up text task, which of two groups of words is more frequent; reviews of 20 tokens and more."""
    random = np.random.default_rng(seed)
    counts = (reviews, 1000, 1000)
    total = sum(counts)
    # Zipf's law, as in a real text; the words of the two groups are neither the most nor the least frequent.
    chances = 1 / np.arange(1, vocabulary) ** 0.7
    x = random.choice(np.arange(1, vocabulary), size=(total, tokens), p=chances / chances.sum()).astype(np.int32)
    y = random.integers(0, 2, total).astype(np.int32)
    marked = random.random((total, tokens)) < 0.08
    group = np.where(random.random((total, tokens)) < 0.8, y[:, None], 1 - y[:, None])
    words = 50 + 2 * random.integers(0, 50, (total, tokens)) + group
    x = np.where(marked, words, x).astype(np.int32)
    length = random.integers(20, tokens + 1, total)
    x[np.arange(tokens)[None] >= length[:, None]] = 0
    parts = np.split(np.arange(total), np.cumsum(counts)[:2])
    arrays = [array for rows in parts for array in (x[rows], y[rows])]
    return jh.Dataset("made-up text", *arrays, classes=2, vocabulary=vocabulary)


def make(name: str, *, data_dir: str | None, quick: bool) -> Task:
    """Return a task by name: mlp, cnn or gru."""
    if name == "mlp":
        return Task(load("digits"), "mlp", 2 if quick else 20)
    if name == "cnn":
        if quick:
            return Task(load("digits", train_examples=512), "cnn", 1)
        return Task(load("mnist", data_dir=data_dir, train_examples=10_000), "cnn", 2)
    return Task(text(500 if quick else _REVIEWS), "rnn", 1 if quick else 2)


def normalised(data: jh.Dataset, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's examples as the networks see them, and labels."""
    x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
    if data.kind == "text":
        return x, y
    return ((x.astype(np.float32) - data.offset) * data.scale).astype(np.float32), y


def orders(data: jh.Dataset, epochs: int) -> list[np.ndarray]:
    """Return the order in which each epoch visits the examples, as a study with `SEED` does."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(SEED), 1), 1)
    return [np.asarray(epoch_order(key, np.int32(epoch), len(data.y_train))) for epoch in range(epochs)]
