"""The 1,797 handwritten digits of 8x8 pixels that scikit-learn ships. They need no download."""

import numpy as np

from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import three_way

_SPLIT = 0  # fixed, so that studies with different seeds can be compared


def load() -> Dataset:
    """Return digits: [N, 8, 8, 1] uint8 in 0 .. 16, 1,077/360/360 train/valid/test, ten classes.

    Source: Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (CC BY 4.0), its test part.
    """
    from sklearn.datasets import load_digits  # more than a second to import

    x, y = load_digits(return_X_y=True)
    x, y = x.reshape(-1, 8, 8, 1).astype(np.uint8), y.astype(np.int32)
    train, valid, test = three_way(y, _SPLIT)
    return Dataset("digits", x[train], y[train], x[valid], y[valid], x[test], y[test], 10, split="fixed")
