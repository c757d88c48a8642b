"""What hyperparameters mean, by their names: numbers that say the same in every space that holds them."""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.space import Choice, Space

_STEPS = 1024  # of a dimension, at which its values are looked up
_PLAIN = ("sgd", "momentum", "nesterov", "noisy_sgd")
_ADAPTIVE = ("adam", "adamw", "nadam", "nadamw", "radam", "adamax", "rmsprop", "adabelief", "lion")
_FARTHEST = 4.0  # a feature beyond that is as this one: nothing was learned out there


class Meaning(NamedTuple):
    """Of hyperparameters of one kind."""

    feature: Callable[[Any], float]  # of a value: some -2 to 2 over what people search
    names: tuple[str, ...]  # other names of the same; numbers at a name's end do not count


def _logarithm(base: float, centre: float, scale: float, least: float) -> Callable[[Any], float]:
    return lambda value: (math.log(max(float(value), least), base) - centre) / scale


def _adaptive(value: Any) -> float:
    """Return whether an optimizer divides by the gradient's size, so that its learning rates are small: 1, or -1."""
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
    """What a space's dimensions mean."""

    feature: int  # a place in MEANINGS
    dimension: int  # of the space
    table: np.ndarray  # [_STEPS] float32: the feature along the dimension, as a share where it is one of several


def meaning_of(name: str) -> str | None:
    """Return what a hyperparameter of that name is, a key of `MEANINGS`; None where nothing is known of it."""
    name = name.lower()
    return _NAMES.get(name, _NAMES.get(re.sub(r"_?\d+$", "", name)))  # "l2" is one, not the second "l"


def read(space: Space) -> list[Meant]:
    """Return the dimensions of a space that mean something."""
    found = [(meaning_of(name), i, dimension) for i, (name, dimension) in enumerate(space.items())]
    known = [(name, i, dimension) for name, i, dimension in found if name is not None and _reads(name, dimension)]
    kinds, named = list(MEANINGS), [name for name, _, _ in known]
    result = []
    for name, i, dimension in known:
        at = [MEANINGS[name].feature(dimension.to_value((step + 0.5) / _STEPS)) for step in range(_STEPS)]
        table = np.clip(np.array(at), -_FARTHEST, _FARTHEST) / named.count(name)
        result.append(Meant(kinds.index(name), i, table.astype(np.float32)))
    return result


def _reads(name: str, dimension: Any) -> bool:
    """Return whether a dimension's values are what the name says: numbers, or names of optimizers."""
    if name == "optimizer" or not isinstance(dimension, Choice):
        return isinstance(dimension, Choice) or name != "optimizer"
    return all(isinstance(option, int | float) and not isinstance(option, bool) for option in dimension.options)


def features(meant: list[Meant], space: Space, point: Any, xp: Any) -> Any:
    """Return what configurations mean: [M, D] -> [M, F] float32.

    0, the middle, where the space says nothing, and where a hyperparameter is not active.

    Args:
        meant: of the space.
        space: whose configurations they are.
        point: configurations.
        xp: `numpy` or `jax.numpy`.
    """
    columns = [xp.zeros(point.shape[0], xp.float32)] * len(MEANINGS)
    active = space.active(point) if space.conditional else None
    for feature, dimension, table in meant:
        step = xp.clip((point[:, dimension] * _STEPS).astype(xp.int32), 0, _STEPS - 1)
        value = xp.asarray(table)[step]
        columns[feature] = columns[feature] + (value if active is None else xp.where(active[:, dimension], value, 0.0))
    return xp.stack(columns, axis=1)
