"""Quantiles of the numbers in the training examples, by which networks may represent them."""

import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.data.tables.plan import number_places

KNOTS = 129
"""Quantiles of a number: at ranks 0, 1/128, ..., 1 of the training examples."""


def quantiles_of(data: Dataset) -> np.ndarray:
    """Return quantiles of each number of tables or vectors in the training examples: [numbers, KNOTS] float32.

    They lie on straight lines between neighbours in the order of the examples, as `numpy.quantile` and scikit-learn
    have it. Numbers that are equal in all examples have equal quantiles.

    Args:
        data: The examples. Features for categories and missing cells are no numbers.
    """
    x = np.asarray(data.x_train)[:, list(number_places(data.columns, data.shape[0]))].astype(np.float32)
    found = np.quantile(x.astype(np.float64), np.linspace(0, 1, KNOTS), axis=0).T
    return np.maximum.accumulate(found, axis=1).astype(np.float32)  # rounding may break the order
