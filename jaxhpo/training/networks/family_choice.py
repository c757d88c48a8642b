"""Which networks a study trains: jaxhpo's own, by name, or the user's."""

import warnings
from typing import Any

import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.data.tables.plan import number_places
from jaxhpo.space import Space
from jaxhpo.training.config.default_spaces import default_space
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.builtin import Builtin
from jaxhpo.training.networks.families import Family, fitting_model
from jaxhpo.training.networks.user import UserFamily

_LARGE = 10  # size of targets' mean or deviation from which a network that begins near 0 is slow to reach them


def make_family(data: Dataset, model: Any, space: Space | None, goal: Goal, epochs: int, *, folds: int = 1) -> Family:
    """Return the networks that a model, a space and the data describe.

    Args:
        data: The examples.
        model: A name of jaxhpo's, None for the one that fits the data, or the user's own.
        space: What varies; None is the default of a model of jaxhpo's.
        goal: The loss and the metric.
        epochs: The most that a trial is trained.
        folds: How many folds trials train on, of which the data are `Folds.last`; 1 for none.

    Raises:
        ValueError: if `space` is no Space, is missing for a model of the user's, or does not go with model and data.
    """
    if space is not None and not isinstance(space, Space):
        raise ValueError(f"space={space!r} must be a jaxhpo.Space")
    goal = goal._replace(standardised=goal.loss is not None and data.scale_targets is True)
    if model is None or isinstance(model, str):
        name = fitting_model(model, data)
        if space is None:
            numbers = len(number_places(data.columns, data.shape[0])) if data.kind == "vector" else 0
            space = default_space(name, data.shape, len(data.y_train), numbers=numbers)
        return Builtin(name, data, space, goal, epochs, folds=folds)
    if space is None:
        raise ValueError("space=None cannot go with a model of your own; say what varies")
    family = UserFamily(model, data, space, goal, epochs, folds=folds)
    if goal.loss is not None and data.scale_targets is None:
        _warn_of_large_targets(data)
    return family


def _warn_of_large_targets(data: Dataset) -> None:
    """Warn where a model and a loss of the user's own are to learn regression targets that are far from 1 in size."""
    if data.task != "regression":
        return
    mean, deviation = np.abs(data.target_offset).max(), data.target_scale.max()
    if max(mean, deviation) > _LARGE:
        warnings.warn(
            f"your own loss and model see the targets of {data.name} as they are, of mean {mean:.3g} and deviation "
            f"{deviation:.3g} in size, which networks learn slowly; standardise them: "
            "data=jaxhpo.data.load(..., scale_targets=True), or say that it is meant: scale_targets=False",
            RuntimeWarning,
            stacklevel=3,
        )
