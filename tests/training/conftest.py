from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxhpo.data import Dataset, from_arrays


@pytest.fixture(scope="session")
def small_digits():
    """160 training examples of real digits: ten batches of 16 an epoch. Trials have no folds unless asked for."""
    x, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == label)[:27] for label in range(10)])
    made = from_arrays(x[rows].reshape(-1, 8, 8), y[rows], name="small digits").take(160)
    return replace(made, split="fixed")


@pytest.fixture(scope="session")
def small_text():
    """160 sequences of up to 9 tokens, of a class by whether words below 10 are in the majority."""
    random = np.random.default_rng(0)
    x = random.integers(1, 20, (240, 9)).astype(np.int32)
    x[np.arange(9)[None] >= random.integers(3, 10, 240)[:, None]] = 0
    y = (((x > 0) & (x < 10)).sum(1) > (x >= 10).sum(1)).astype(np.int32)
    return Dataset("small text", x[:160], y[:160], x[160:200], y[160:200], x[200:], y[200:], classes=2, vocabulary=20)


@pytest.fixture(scope="session")
def small_series():
    """160 sequences of 3 to 9 steps of 4 numbers, of a class by the sign of the first number's mean."""
    random = np.random.default_rng(0)
    x = (random.normal(size=(240, 9, 4)) * [1, 2, 30, 4] + [0, 5, -100, 0]).astype(np.float32)
    x[np.arange(9)[None] >= random.integers(3, 10, 240)[:, None]] = np.nan
    y = (np.nanmean(x[:, :, 0], axis=1) > 0).astype(np.int32)
    return Dataset("small series", x[:160], y[:160], x[160:200], y[160:200], x[200:], y[200:], classes=2)
