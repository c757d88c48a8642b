import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxhpo.data import from_arrays


@pytest.fixture(scope="session")
def small_digits():
    """160 training examples of real digits: ten batches of 16 an epoch."""
    x, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == label)[:27] for label in range(10)])
    return from_arrays(x[rows].reshape(-1, 8, 8), y[rows], name="small digits").take(160)
