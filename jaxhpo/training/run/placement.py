"""The examples of a data set on the device, as programs take them."""

import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.data.folds import Folds
from jaxhpo.training.step.examples import Split, TrainingData, group_texts
from jaxhpo.training.trained.network import scaling_of
from jaxhpo.training.trained.quantiles import quantiles_of


def training_data(
    data: Dataset, lengths: tuple[int, ...], folds: Folds | None, quantiles: bool = False
) -> TrainingData:
    """Return the training and validation examples on the device.

    Args:
        data: The examples.
        lengths: Lengths of the groups of texts; empty if examples have one shape.
        folds: The folds of the data, or None.
        quantiles: Whether networks read the quantiles of numbers.
    """
    if folds is None:
        train, valid = _split(data.x_train, data.y_train, lengths), sorted_split(data.x_valid, data.y_valid, lengths)
        return jax.device_put(TrainingData(train, valid, **scaling_of(data, quantiles)))
    x, y = folds.pool(data)
    if lengths:  # the texts of each fold in the order of their groups, as they are evaluated
        group = group_texts(x, lengths)
        rows = [np.argsort(group[own], kind="stable") + own.start for own in folds.slices]
        x, y = x[np.concatenate(rows)], y[np.concatenate(rows)]
    return jax.device_put(TrainingData(_split(x, y, lengths), None, **_moments(data, folds, quantiles)))


def validation_targets(data: TrainingData) -> np.ndarray:
    """Return the targets of the examples that trials are scored on, [N, ...]: of the pool where there are folds."""
    return np.asarray(data.train.y if data.valid is None else data.valid.y)


def sorted_split(x: np.ndarray, y: np.ndarray, lengths: tuple[int, ...]) -> Split:
    """Return examples as they are evaluated: texts with their groups, in the order of these."""
    if not lengths:
        return Split(x, y)
    rows = np.argsort(group_texts(x, lengths), kind="stable")
    return _split(x[rows], y[rows], lengths)


def scalings(data: Dataset, folds: Folds | None, quantiles: bool = False) -> list[dict[str, np.ndarray]]:
    """Return what `scaling_of` does, of each fold."""
    if folds is None:
        return [scaling_of(data, quantiles)]
    moments = _moments(data, folds, quantiles)
    return [{name: values[fold] for name, values in moments.items()} for fold in range(folds.count)]


def _moments(data: Dataset, folds: Folds, quantiles: bool) -> dict[str, np.ndarray]:
    """Return what `scaling_of` does, of each fold: [folds, ...]."""
    moments = folds.moments(data)
    if quantiles:
        moments["quantiles"] = np.stack([quantiles_of(folds.dataset(data, fold)) for fold in range(folds.count)])
    return moments


def _split(x: np.ndarray, y: np.ndarray, lengths: tuple[int, ...]) -> Split:
    return Split(x, y, group_texts(x, lengths)) if lengths else Split(x, y)
