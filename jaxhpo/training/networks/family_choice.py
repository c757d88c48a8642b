"""Which networks a study trains: jaxhpo's own, by name, or the user's."""

from typing import Any

from jaxhpo.data import Dataset
from jaxhpo.space import Space
from jaxhpo.training.config.default_spaces import default_space
from jaxhpo.training.networks.builtin import Builtin
from jaxhpo.training.networks.families import Family, fitting_model
from jaxhpo.training.networks.user import UserFamily
from jaxhpo.training.step.scoring import Goal


def make_family(data: Dataset, model: Any, space: Space | None, goal: Goal, epochs: int) -> Family:
    """Return the networks that a model, a space and the data describe.

    Args:
        data: The examples.
        model: A name of jaxhpo's, None for the one that fits the data, or the user's own.
        space: What varies; None is the default of a model of jaxhpo's.
        goal: The loss and the metric.
        epochs: The most that a trial is trained.

    Raises:
        ValueError: if `space` is no Space, is missing for a model of the user's, or does not go with model and data.
    """
    if space is not None and not isinstance(space, Space):
        raise ValueError(f"space={space!r} must be a jaxhpo.Space")
    if model is None or isinstance(model, str):
        name = fitting_model(model, data)
        space = default_space(name, data.shape, len(data.y_train)) if space is None else space
        return Builtin(name, data, space, goal, epochs)
    if space is None:
        raise ValueError("space=None cannot go with a model of your own; say what varies")
    return UserFamily(model, data, space, goal, epochs)
