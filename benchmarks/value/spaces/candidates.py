"""Candidates for the default spaces: `q_learning:space=narrow` searches one of them.

"wide" is what `jaxhpo.default_space` was before these were compared. Each of the others differs from another in one
respect, so that it shows what that brings. "larger" is narrow without batches below 32. None of them follows the
default spaces, so that all stay what they were.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jaxhpo as jh
from jaxhpo.space import Dimension

_WIDE_OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam", "adamw")
_REPRESENTATIONS = {
    "represented": ("standard", "quantile", "piecewise", "periodic"),
    "quantiles": ("standard", "quantile"),
    "bins": ("standard", "piecewise"),
    "waves": ("standard", "periodic"),
}
NETWORKS = {"vector": "mlp", "image": "cnn", "text": "rnn"}
"""The network of each kind of data whose space is searched, unless `model=` names another."""

_OF_TEXTS = ("rnn", "dan")
_LARGER = 32  # examples of the smallest batch of "larger"
_SMALL_SIDE = 16  # pixels of an image up to which a CNN has twice as many channels

Ranges = dict[str, Dimension]


def wide(model: str, shape: tuple[int, ...], examples: int) -> Ranges:
    """Return the ranges from which practice picks: learning rates over three decades, five optimizers."""
    penalties = jh.Choice((0.0, 1e-6, 1e-5, 1e-4, 1e-3), default=0.0)
    return {
        "learning_rate": jh.Float(1e-4, 1e-1, log=True, levels=13, default=1e-3),
        "batch_size": _batches(examples, 32, 256),
        "layers": jh.Int(1, 3, default=2),
        "units": _units(_widths(model, shape)),
        "l1": penalties,
        "l2": penalties,
        "dropout": jh.Float(0.0, 0.5, levels=6, default=0.2),
        "optimizer": jh.Choice(_WIDE_OPTIMIZERS, default="adam"),
    } | ({"cell": jh.Choice(("gru", "lstm"), default="gru")} if model == "rnn" else {})


def narrow(model: str, shape: tuple[int, ...], examples: int) -> Ranges:
    """Return the ranges around what people write by hand: Adam, a decade of learning rates, no narrow networks.

    Networks for texts have one or two layers, others two or three.
    """
    penalties = jh.Choice((0.0, 1e-6, 1e-5, 1e-4), default=0.0)
    return wide(model, shape, examples) | {
        "learning_rate": jh.Float(3e-4, 5e-3, log=True, levels=8, default=1e-3),
        "batch_size": _batches(examples, 16, 128),
        "layers": jh.Int(1, 2, default=2) if model in _OF_TEXTS else jh.Int(2, 3, default=2),
        "units": _units(_widths(model, shape)[1:]),
        "l1": penalties,
        "l2": penalties,
        "optimizer": jh.Choice(("adam", "adamw"), default="adam"),
    }


def represented(names: tuple[str, ...], model: str, shape: tuple[int, ...], examples: int) -> Ranges:
    """Return the narrow ranges, and by which of these representations numbers reach the network."""
    return narrow(model, shape, examples) | {"representation": jh.Choice(names, default="standard")}


def cropped(model: str, shape: tuple[int, ...], examples: int) -> Ranges:
    """Return the narrow ranges, and random shifts of images by up to two pixels."""
    return narrow(model, shape, examples) | {"crop": jh.Choice((0, 1, 2), default=0)}


def paired(model: str, shape: tuple[int, ...], examples: int) -> Ranges:
    """Return the narrow ranges, and embeddings of pairs of neighbouring words or none."""
    return narrow(model, shape, examples) | {"bigrams": jh.Choice((0, 8192), default=0)}


SPACES: dict[str, Callable[[str, tuple[int, ...], int], Ranges]] = {
    "wide": wide,
    "narrow": narrow,
    "cropped": cropped,
    "paired": paired,
} | {name: partial(represented, names) for name, names in _REPRESENTATIONS.items()}

PARTS: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "larger": ("narrow", lambda config: config["batch_size"] >= _LARGER),
}
"""Candidates that are parts of others: of which, and which of its configurations they have."""


def space_of(name: str, data: Any, model: str) -> jh.Space:
    """Return the candidate of a name for a data set; raise ValueError where there is none.

    Args:
        name: One of `SPACES`.
        data: The data set that is tuned on.
        model: One of jaxhpo's networks.
    """
    if name not in SPACES:
        raise ValueError(f"space={name!r} is unknown; use one of {', '.join(SPACES)}")
    return jh.Space(SPACES[name](model, data.shape, len(data.y_train)))


def _batches(examples: int, least: int, most: int) -> jh.Choice:
    smallest = least
    while 8 * smallest > examples and smallest > 1:
        smallest //= 2
    sizes = tuple(size for size in (smallest * 2**i for i in range(4)) if size <= min(most, examples))
    return jh.Choice(sizes, default=_nearest(sizes, 64))


def _widths(model: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if model == "mlp":
        return (32, 64, 128, 256)
    return (8, 16, 24, 32) if model == "cnn" and max(shape[:2]) > _SMALL_SIDE else (16, 32, 48, 64)


def _units(sizes: tuple[int, ...]) -> jh.Choice:
    return jh.Choice(sizes, default=_nearest(sizes, 128))


def _nearest(sizes: tuple[int, ...], wanted: int) -> int:
    return min(sizes, key=lambda size: abs(size - wanted))
