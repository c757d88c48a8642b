"""Features of hyperparameters by their names: numbers with the same meaning in every space."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.space import Choice, Float, Space

_STEPS = 1024  # number of points of a dimension at which its values are tabulated
_PLAIN = ("sgd", "momentum", "nesterov", "noisy_sgd")
_ADAPTIVE = ("adam", "adamw", "nadam", "nadamw", "radam", "adamax", "rmsprop", "adabelief", "lion")
_FARTHEST = 4.0  # bound of the features; nothing was learned beyond it


class Meaning(NamedTuple):
    """The meaning of one kind of hyperparameter.

    Attributes:
        feature: Function from a value to the feature, about -2 to 2 over common ranges.
        names: Other names of the same hyperparameter; a number at the end of a name is ignored.
    """

    feature: Callable[[Any], float]
    names: tuple[str, ...]


def _logarithm(base: float, centre: float, scale: float, least: float) -> Callable[[Any], float]:
    return lambda value: (math.log(max(float(value), least), base) - centre) / scale


def _adaptive(value: Any) -> float:
    """Return 1 for an optimizer that divides by the size of the gradient, and so needs small learning rates, else -1.

    The result is 0 for an unknown optimizer.
    """
    name = str(value).lower()
    return 1.0 if name in _ADAPTIVE else -1.0 if name in _PLAIN else 0.0


MEANINGS = {
    "learning_rate": Meaning(_logarithm(10, -2.0, 1.2, 1e-8), ("lr", "init_lr", "learning_rate_init", "step_size")),
    "batch_size": Meaning(_logarithm(2, 5.5, 1.5, 1.0), ("batch", "minibatch_size")),
    "momentum": Meaning(lambda value: (-math.log10(1.0 - min(float(value), 0.999)) - 0.5) / 0.5, ()),
    "weight_decay": Meaning(_logarithm(10, -3.5, 1.5, 1e-7), ("wd", "l2", "l2_reg", "alpha")),
    "layers": Meaning(lambda value: (float(value) - 2.5) / 1.2, ("num_layers", "n_layers", "depth")),
    "units": Meaning(
        _logarithm(2, 5.0, 1.3, 1.0), ("num_units", "n_units", "hidden_size", "neurons", "width", "channels")
    ),
    "dropout": Meaning(lambda value: (float(value) - 0.3) / 0.2, ("dropout_rate",)),
    "optimizer": Meaning(_adaptive, ("optim",)),
}
"""By name. Where a space holds several of one kind (`units_1`, `units_2`), their mean counts."""

_NAMES = {other: name for name, meaning in MEANINGS.items() for other in (name, *meaning.names)}


class Meant(NamedTuple):
    """The meaning of one dimension of a space.

    Attributes:
        feature: Index in MEANINGS.
        dimension: Index of the dimension.
        table: Feature along the dimension, divided by the number of dimensions of the same kind: [_STEPS] float32.
    """

    feature: int
    dimension: int
    table: np.ndarray


def meaning_of(name: str) -> str | None:
    """Return the meaning of a hyperparameter's name, a key of `MEANINGS`; None if it is unknown."""
    name = name.lower()
    return _NAMES.get(name, _NAMES.get(re.sub(r"_?\d+$", "", name)))  # "l2" is a name of its own, not the second "l"


def read(space: Space) -> list[Meant]:
    """Return the dimensions of a space whose names have a meaning."""
    found = [(meaning_of(name), i, dimension) for i, (name, dimension) in enumerate(space.items())]
    known = [(name, i, dimension) for name, i, dimension in found if name is not None and _reads(name, dimension)]
    kinds, named = list(MEANINGS), [name for name, _, _ in known]
    result = []
    for name, i, dimension in known:
        # Not rounded to the decimals that users see, which would change the last bits of features.
        value_of = dimension.exact_value if isinstance(dimension, Float) else dimension.to_value
        at = [MEANINGS[name].feature(value_of((step + 0.5) / _STEPS)) for step in range(_STEPS)]
        table = np.clip(np.array(at), -_FARTHEST, _FARTHEST) / named.count(name)
        result.append(Meant(kinds.index(name), i, table.astype(np.float32)))
    return result


def _reads(name: str, dimension: Any) -> bool:
    """Return whether a dimension's values fit its name: numbers, or names of optimizers."""
    if name == "optimizer" or not isinstance(dimension, Choice):
        return isinstance(dimension, Choice) or name != "optimizer"
    return all(isinstance(option, int | float) and not isinstance(option, bool) for option in dimension.options)


def features(meant: list[Meant], space: Space, point: Any, xp: Any) -> Any:
    """Return the features of configurations: [M, D] -> [M, F] float32.

    A feature is 0, its middle, if the space has no such hyperparameter or it is inactive.

    Args:
        meant: Dimensions with a meaning.
        space: Search space.
        point: Configurations.
        xp: `numpy` or `jax.numpy`.
    """
    columns = [xp.zeros(point.shape[0], xp.float32)] * len(MEANINGS)
    active = space.active(point) if space.conditional else None
    for feature, dimension, table in meant:
        step = xp.clip((point[:, dimension] * _STEPS).astype(xp.int32), 0, _STEPS - 1)
        value = xp.asarray(table)[step]
        columns[feature] = columns[feature] + (value if active is None else xp.where(active[:, dimension], value, 0.0))
    return xp.stack(columns, axis=1)
