"""The examples of a data set on the device, as programs take them."""

from dataclasses import replace

import jax
import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.training.step.examples import Split, TrainingData, group_texts
from jaxhpo.training.step.folds import FoldSizes
from jaxhpo.training.trained.network import scaling_of


def training_data(data: Dataset, lengths: tuple[int, ...], folds: FoldSizes | None) -> TrainingData:
    """Return the training and validation examples on the device.

    Args:
        data: The examples; with folds the validation examples are those of the last fold, and the training examples
            those of the others in order.
        lengths: Lengths of the groups of texts; empty if examples have one shape.
        folds: The folds, or None.
    """
    if folds is None:
        train, valid = _split(data.x_train, data.y_train, lengths), sorted_split(data.x_valid, data.y_valid, lengths)
        return jax.device_put(TrainingData(train, valid, **scaling_of(data)))
    each = scalings(data, folds)
    scaling = {name: np.stack([own[name] for own in each]) for name in each[0]}
    data = pool_of(data, lengths, folds)
    x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
    return jax.device_put(TrainingData(_split(x, y, lengths), None, **scaling))


def validation_targets(data: TrainingData) -> np.ndarray:
    """Return the targets of the examples that trials are scored on, [N, ...]: of the pool where there are folds."""
    return np.asarray(data.train.y if data.valid is None else data.valid.y)


def pool_of(data: Dataset, lengths: tuple[int, ...], folds: FoldSizes) -> Dataset:
    """Return the data with the texts of each fold in the order of their groups, as folds are evaluated."""
    if not lengths:
        return data
    x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
    group = group_texts(x, lengths)
    rows = np.concatenate([np.argsort(group[own], kind="stable") + own.start for own in folds.slices()])
    return _divided(data, x[rows], y[rows], folds.slices()[-1])


def fold_of(data: Dataset, folds: FoldSizes, fold: int) -> Dataset:
    """Return the data whose validation examples are those of a fold, and whose training examples are the others."""
    x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
    return _divided(data, x, y, folds.slices()[fold])


def sorted_split(x: np.ndarray, y: np.ndarray, lengths: tuple[int, ...]) -> Split:
    """Return examples as they are evaluated: texts with their groups, in the order of these."""
    if not lengths:
        return Split(x, y)
    rows = np.argsort(group_texts(x, lengths), kind="stable")
    return _split(x[rows], y[rows], lengths)


def scalings(data: Dataset, folds: FoldSizes | None) -> list[dict[str, np.ndarray]]:
    """Return offset and scale of examples and targets, by their names in `TrainingData`; those of each fold."""
    if folds is None:
        return [scaling_of(data)]
    return [scaling_of(fold_of(data, folds, fold)) for fold in range(folds.count)]


def _split(x: np.ndarray, y: np.ndarray, lengths: tuple[int, ...]) -> Split:
    return Split(x, y, group_texts(x, lengths)) if lengths else Split(x, y)


def _divided(data: Dataset, x: np.ndarray, y: np.ndarray, valid: slice) -> Dataset:
    rest = np.r_[0 : valid.start, valid.stop : len(y)]
    return replace(data, x_train=x[rest], y_train=y[rest], x_valid=x[valid], y_valid=y[valid])
