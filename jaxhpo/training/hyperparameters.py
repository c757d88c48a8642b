"""The hyperparameters that training understands: names, aliases, defaults, limits, and how a lane reads its own."""

from difflib import get_close_matches
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.models import CELLS, MODELS
from jaxhpo.space import Choice, Dimension, Float, Int, Space
from jaxhpo.training.optimizers import OPTIMIZERS
from jaxhpo.types import Array

DEFAULTS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 64,
    "layers": 2,
    "units": 32,
    "l1": 0.0,
    "l2": 0.0,
    "dropout": 0.0,
    "optimizer": "adam",
    "cell": "gru",
}
"""Every hyperparameter, with the value it has where a space leaves it out."""

TRACED, MASKABLE, STRUCTURAL = "traced", "maskable", "structural"

KINDS = dict.fromkeys(DEFAULTS, TRACED) | {"layers": MASKABLE, "units": MASKABLE, "cell": STRUCTURAL}
"""How a hyperparameter reaches the compiled program: as an argument; as the used part of a larger network, so that
lanes that differ in it may share a program; or as the program itself, so that they may not."""

_MODELS = {"cell": ("rnn",)}  # which models take a hyperparameter that not all do

ALIASES = {
    "lr": "learning_rate",
    "batch": "batch_size",
    "num_layers": "layers",
    "n_layers": "layers",
    "depth": "layers",
    "num_units": "units",
    "n_units": "units",
    "hidden_size": "units",
    "neurons": "units",
    "width": "units",
    "l1_reg": "l1",
    "l2_reg": "l2",
    "dropout_rate": "dropout",
    "optim": "optimizer",
    "cell_type": "cell",
    "rnn_cell": "cell",
}
"""Other names under which a space may hold a hyperparameter."""

_SMALL_SIDE = 16  # pixels
_REPRESENTATIVES = 32  # of an Int's values

_LIMITS = {
    # name: (lowest, highest, whether the lowest is allowed, whether whole numbers are needed)
    "learning_rate": (0.0, np.inf, False, False),
    "batch_size": (1, 2**20, True, True),
    "layers": (1, 64, True, True),
    "units": (1, 2**16, True, True),
    "l1": (0.0, np.inf, True, False),
    "l2": (0.0, np.inf, True, False),
    "dropout": (0.0, 1.0, True, False),  # highest excluded, below
}


_NAMED = {"optimizer": OPTIMIZERS, "cell": tuple(CELLS)}


class Hyper(NamedTuple):
    """One lane's hyperparameters as the training step reads them; scalars, or [B] each."""

    learning_rate: Array  # float32
    batch_size: Array  # int32
    layers: Array  # int32
    units: Array  # int32
    l1: Array  # float32
    l2: Array  # float32
    dropout: Array  # float32
    optimizer: Array  # int32: index into `Ranges.optimizers`


class Ranges(NamedTuple):
    """What a space asks of the one compiled program: the static facts."""

    micro_batch: int  # the smallest batch size, of which the others are multiples
    largest_batch: int
    layers_values: tuple[int, ...]  # a space's depths; where they are many, some that stand for all
    units_values: tuple[int, ...]
    optimizers: tuple[str, ...]
    drops: bool  # whether any lane may use dropout
    cells: tuple[str, ...]  # of recurrent networks


def default_space(model: str, shape: tuple[int, ...] = (), examples: int | None = None) -> Space:
    """Return the space that `tune` searches where the user names none: all eight hyperparameters.

    468,000 configurations on its grid. The ranges are those from which practice usually picks for small networks:
    learning rates by factors of 1.8, penalties by factors of ten, dropout up to one half. A CNN gets up to 64
    channels on small images and up to 32 on those of more than 16 pixels a side, where each costs more. Batches of
    32 to 256 shrink where there are fewer than 256 training examples.

    Args:
        model: "mlp", "cnn" or "rnn", whose space has its cell as a ninth.
        shape: one example's, as `Dataset.shape`.
        examples: how many the model trains on; None is many.

    Raises:
        ValueError: there is no such model.
    """
    if model not in MODELS:
        raise ValueError(f"model={model!r} is unknown; use one of {', '.join(MODELS)}")
    if model == "mlp":
        units = (32, 64, 128, 256)
    elif model == "rnn":
        units = (16, 32, 48, 64)
    else:
        units = (8, 16, 24, 32) if max(shape[:2], default=0) > _SMALL_SIDE else (16, 32, 48, 64)
    smallest = 32
    while examples is not None and 8 * smallest > examples and smallest > 1:
        smallest //= 2
    penalties = (0.0, 1e-6, 1e-5, 1e-4, 1e-3)
    return Space(
        {
            "learning_rate": Float(1e-4, 1e-1, log=True, levels=13),
            "batch_size": Choice((smallest, 2 * smallest, 4 * smallest, 8 * smallest)),
            "layers": Int(1, 3),
            "units": Choice(units),
            "l1": Choice(penalties),
            "l2": Choice(penalties),
            "dropout": Float(0.0, 0.5, levels=6),
            "optimizer": Choice(OPTIMIZERS),
        }
        | ({"cell": Choice(tuple(CELLS))} if model == "rnn" else {})
    )


def canonical_name(name: str) -> str:
    """Return the hyperparameter that a name or alias means; raise ValueError where there is none."""
    known = ALIASES.get(name, name)
    if known not in DEFAULTS:
        near = get_close_matches(name, [*DEFAULTS, *ALIASES], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"space has unknown hyperparameter {name!r}; {hint}it may hold {', '.join(DEFAULTS)}")
    return known


def _extremes(dimension: Dimension) -> tuple[Any, ...]:
    return dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def _check_numbers(name: str, values: tuple[Any, ...], whole_type: bool) -> None:
    lowest, highest, closed, whole = _LIMITS[name]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"space {name}: option {value!r} is not a number")
        if whole and (not whole_type or value != int(value)):
            raise ValueError(f"space {name}: {value!r} must be a whole number; use Int or Choice of integers")
        below = value < lowest if closed else value <= lowest
        above = value >= highest if name == "dropout" else value > highest
        if below or above:
            bounds = f"{'[' if closed else '('}{lowest}, {highest}{')' if name == 'dropout' else ']'}"
            raise ValueError(f"space {name}: {value!r} is outside {bounds}")


def read_ranges(space: Space, model: str = "mlp") -> Ranges:
    """Return what the programs must hold for every configuration of a space.

    Raises ValueError where the space has an unknown hyperparameter, the same one under two names, one that the model
    cannot take, a value that training cannot take, or batch sizes that are not multiples of the smallest.
    """
    by_name: dict[str, Dimension] = {}
    for name, dimension in space.items():
        known = canonical_name(name)
        if known in by_name:
            raise ValueError(f"space holds {known} twice, once as {name!r}; keep one")
        by_name[known] = dimension
        if model not in _MODELS.get(known, MODELS):
            takes = " or ".join(repr(m) for m in _MODELS[known])
            raise ValueError(
                f"space has {KINDS[known]} hyperparameter {name!r}, which model={model!r} cannot take; leave it out "
                f"or use model={takes}"
            )
        if known in _NAMED:
            bad = [o for o in _extremes(dimension) if o not in _NAMED[known] or not isinstance(o, str)]
            if bad or not isinstance(dimension, Choice):
                raise ValueError(
                    f"space {known}: {bad or dimension!r} must be a Choice among {', '.join(_NAMED[known])}"
                )
        else:
            _check_numbers(known, _extremes(dimension), not isinstance(dimension, Float))

    def values(name: str) -> tuple[Any, ...]:
        return _extremes(by_name[name]) if name in by_name else (DEFAULTS[name],)

    def whole(name: str) -> tuple[int, ...]:
        dimension = by_name.get(name)
        if isinstance(dimension, Int):
            count = min(_REPRESENTATIVES, dimension.high - dimension.low + 1)
            between = np.geomspace if dimension.log else np.linspace
            return tuple(sorted({round(value) for value in between(dimension.low, dimension.high, count).tolist()}))
        return tuple(sorted(int(value) for value in values(name)))

    batches = values("batch_size")
    micro = min(batches)
    odd = [b for b in batches if b % micro]
    if odd or (isinstance(by_name.get("batch_size"), Int) and micro > 1):
        raise ValueError(
            f"space batch_size: {odd[0] if odd else by_name['batch_size']!r} is not among multiples of the smallest, "
            f"{micro}; use a Choice such as Choice(({micro}, {2 * micro}, {4 * micro}))"
        )
    return Ranges(
        micro_batch=micro,
        largest_batch=max(batches),
        layers_values=whole("layers"),
        units_values=whole("units"),
        optimizers=tuple(values("optimizer")),
        drops=max(values("dropout")) > 0,
        cells=tuple(values("cell")),
    )


class Structure(NamedTuple):
    """What decides which program a configuration runs in, and what it costs."""

    batch_size: int
    layers: int
    units: int
    cell: str


def read_structure(config: dict[str, Any]) -> Structure:
    """Return a configuration's structure, its defaults filled in."""
    values = DEFAULTS | {canonical_name(name): value for name, value in config.items()}
    return Structure(int(values["batch_size"]), int(values["layers"]), int(values["units"]), values["cell"])


def read_hyper(space: Space, ranges: Ranges, point: Array) -> Hyper:
    """Return the lanes' hyperparameters: [B, D] float32 -> [B] each."""
    values = {canonical_name(name): value for name, value in space.decode(point).items()}
    lanes = point.shape[:-1]
    read = {}
    for name in Hyper._fields:
        default = DEFAULTS[name]
        dtype = jnp.int32 if name in ("batch_size", "layers", "units", "optimizer") else jnp.float32
        fixed = 0 if name == "optimizer" else default
        read[name] = values[name].astype(dtype) if name in values else jnp.full(lanes, fixed, dtype)
    return Hyper(**read)
