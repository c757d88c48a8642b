"""What a space asks of the compiled programs, and how a lane reads its own hyperparameters."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.models import FAMILIES, Variant
from jaxhpo.models.family import STRUCTURAL, Limits
from jaxhpo.space import Choice, Dimension, Float, Int, Space
from jaxhpo.training.config.hyperparameters import DEFAULTS, HYPERPARAMETERS, KINDS, canonical_name
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.optimizers import DECAYS
from jaxhpo.types import Array

_REPRESENTATIVES = 32  # of an Int's values
_LACKING = {"momentum": 0.9, "schedule": "constant"}
"""What a lane has whose hyperparameter is inactive, where DEFAULTS has None: if not these, 0, or its own decay."""
_DEEPEST = 8  # convolutions of a network whose channels grow; each depth is a program


_WHOLE = ("batch_size", "layers", "units", "optimizer", "schedule", "crop", "cutout")


class Ranges(NamedTuple):
    """What a space asks of the one compiled program: the static facts."""

    micro_batch: int  # the smallest batch size, of which the others are multiples
    largest_batch: int
    layers_values: tuple[int, ...]  # a space's depths; where they are many, some that stand for all
    units_values: tuple[int, ...]
    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    drops: bool  # whether any lane may use dropout
    variants: tuple[Variant, ...]  # of the network; no two share a program


class Structure(NamedTuple):
    """What decides which program a configuration runs in, and what it costs."""

    batch_size: int
    layers: int
    units: int
    variant: Variant


def read_ranges(space: Space, model: str = "mlp", *, image: tuple[int, ...] | None = None) -> Ranges:
    """Return what the programs of one of jaxhpo's models must hold for every configuration of a space.

    `image` is height and width of the data's images, None where they are none.

    Raises ValueError where the space has an unknown hyperparameter, the same one under two names, one that the model
    or the data cannot take, a value that training cannot take, or batch sizes that are not multiples of the smallest.
    """
    by_name = read_names(space, image)
    for known, (name, _) in by_name.items():
        if model not in HYPERPARAMETERS[known].models:
            remedy = " or ".join(repr(m) for m in HYPERPARAMETERS[known].models)
            raise ValueError(
                f"space has {KINDS[known]} hyperparameter {name!r}, which model={model!r} cannot take; leave it out "
                f"or use model={remedy}"
            )
    ranges = ranges_of(by_name)._replace(variants=_variants(by_name, model))
    micro, batches = ranges.micro_batch, by_name["batch_size"][1] if "batch_size" in by_name else None
    odd = [b for b in possible("batch_size", batches) if b % micro] if batches else []
    if odd or (isinstance(batches, Int) and micro > 1):
        raise ValueError(
            f"space batch_size: {odd[0] if odd else batches!r} is not among multiples of the smallest, "
            f"{micro}; use a Choice such as Choice(({micro}, {2 * micro}, {4 * micro}))"
        )
    if any(variant.exact_depth for variant in ranges.variants) and ranges.layers_values[-1] > _DEEPEST:
        raise ValueError(f"space layers: {ranges.layers_values[-1]} is too deep for growth 2; use at most {_DEEPEST}")
    return ranges


def read_names(space: Mapping[str, Dimension], image: tuple[int, ...] | None) -> dict[str, tuple[str, Dimension]]:
    """Return what a space says of each hyperparameter that training knows: the name it has there, and its range."""
    by_name: dict[str, tuple[str, Dimension]] = {}
    for name, dimension in space.items():
        known = canonical_name(name)
        if known in by_name:
            raise ValueError(f"space holds {known} twice, once as {name!r}; keep one")
        by_name[known] = name, dimension
        if HYPERPARAMETERS[known].images and image is None:
            raise ValueError(
                f"space has hyperparameter {name!r}, which is for images, and the data are none; leave it out"
            )
        _check_values(known, dimension)
        if known in ("crop", "cutout") and image is not None and max(extremes(dimension)) >= min(image):
            problem = f"{max(extremes(dimension))!r} pixels are too many for images of {image[0]}x{image[1]}"
            raise ValueError(f"space {known}: {problem}; use less than {min(image)}")
    return by_name


def ranges_of(by_name: Mapping[str, tuple[str, Dimension]]) -> Ranges:
    """Return the ranges of hyperparameters that were checked."""

    def values(name: str) -> tuple[Any, ...]:
        return possible(name, by_name[name][1]) if name in by_name else (DEFAULTS[name],)

    def whole(name: str) -> tuple[int, ...]:
        return _whole(by_name[name][1] if name in by_name else None, values(name))

    return Ranges(
        micro_batch=min(values("batch_size")),
        largest_batch=max(values("batch_size")),
        layers_values=whole("layers"),
        units_values=whole("units"),
        optimizers=tuple(values("optimizer")),
        schedules=tuple(values("schedule")),
        drops=max(values("dropout")) > 0,
        variants=(Variant(),),
    )


def _variants(by_name: Mapping[str, tuple[str, Dimension]], model: str) -> tuple[Variant, ...]:
    """Return the variants of a model of jaxhpo's that a space holds."""
    family = FAMILIES[model]
    options = {name: possible(name, by_name[name][1]) for name in family.structure if name in by_name}
    return tuple(family.variant(dict(zip(options, chosen, strict=True))) for chosen in product(*options.values()))


def extremes(dimension: Dimension) -> tuple[Any, ...]:
    """Return a dimension's options, or its ends."""
    return dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def possible(name: str, dimension: Dimension) -> tuple[Any, ...]:
    """Return a hyperparameter's options, or its ends, and what it is while it is inactive, where it may be."""
    values = extremes(dimension)
    return values if dimension.when is None or lacking(name) in values else (*values, lacking(name))


def lacking(name: str) -> Any:
    """Return what training takes where a configuration lacks a hyperparameter that others have."""
    return _LACKING.get(name, 0) if DEFAULTS[name] is None else DEFAULTS[name]


def _check_values(name: str, dimension: Dimension) -> None:
    allowed, values = HYPERPARAMETERS[name].allowed, extremes(dimension)
    if isinstance(allowed, Limits):
        _check_numbers(name, allowed, values, not isinstance(dimension, Float))
        return
    bad = [o for o in values if not any(o == known and type(o) is type(known) for known in allowed)]
    if bad or not isinstance(dimension, Choice):
        raise ValueError(f"space {name}: {bad or dimension!r} must be a Choice among {', '.join(map(str, allowed))}")


def _check_numbers(name: str, limits: Limits, values: tuple[Any, ...], whole_type: bool) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"space {name}: option {value!r} is not a number")
        if limits.whole and (not whole_type or value != int(value)):
            raise ValueError(f"space {name}: {value!r} must be a whole number; use Int or Choice of integers")
        if value not in limits:
            raise ValueError(f"space {name}: {value!r} is outside {limits}")


def _whole(dimension: Dimension | None, values: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the values of a dimension of whole numbers in order, or some that stand for many."""
    if isinstance(dimension, Int):
        count = min(_REPRESENTATIVES, dimension.high - dimension.low + 1)
        between = np.geomspace if dimension.log else np.linspace
        inside = between(dimension.low, dimension.high, count).tolist()
        return tuple(sorted({*(round(value) for value in inside), *values}))
    return tuple(sorted(int(value) for value in values))


def read_structure(config: dict[str, Any], model: str = "mlp") -> Structure:
    """Return the structure of a configuration of one of jaxhpo's models, its defaults filled in."""
    values = DEFAULTS | {canonical_name(name): value for name, value in config.items()}
    variant = FAMILIES[model].variant(values)
    return Structure(int(values["batch_size"]), int(values["layers"]), int(values["units"]), variant)


def read_hyper(space: Space, point: Array, own: Collection[str] = (), defaults: Mapping[str, Any] = {}) -> Hyper:
    """Return the lanes' hyperparameters: [B, D] float32 -> [B] each; those in `own` are for a user's model.

    An inactive one is what it is where a space leaves it out; one in `own` is what `defaults` says.
    """
    decoded = space.decode(point)
    names = {canonical_name(name): name for name in space if name not in own}
    lanes = point.shape[:-1]
    idle = _inactive(space, point)

    def read(name: str, dtype: Any, default: Callable[[], Any]) -> Array:
        value = decoded[name].astype(dtype)
        return jnp.where(idle[name], jnp.asarray(default(), dtype), value) if name in idle else value

    floats = {n: read(n, jnp.float32, partial(defaults.get, n)) for n in own if isinstance(space[n], Float)}
    found: dict[str, Any] = {"own": floats or None}
    for name in Hyper._fields[:-1]:
        dtype = jnp.int32 if name in _WHOLE else jnp.float32
        if name in names:
            found[name] = read(names[name], dtype, partial(_lacking_number, name, space, names, found))
        elif DEFAULTS[name] is None:
            found[name] = None
        else:
            found[name] = jnp.full(lanes, 0 if name == "optimizer" else DEFAULTS[name], dtype)
    return Hyper(**found)


def _inactive(space: Space, point: Array) -> dict[str, Array]:
    """Return where each hyperparameter that may be inactive is so: [B] bool by name."""
    if not space.conditional:
        return {}
    active = space.active(point)
    return {name: ~active[..., i] for i, (name, d) in enumerate(space.items()) if d.when is not None}


def _lacking_number(name: str, space: Space, names: Mapping[str, str], found: Mapping[str, Any]) -> Any:
    """Return what `Hyper` has of an inactive hyperparameter; `found` is what it has so far."""
    if name in ("optimizer", "schedule"):
        return possible(name, space[names[name]]).index(lacking(name))
    if name == "weight_decay":
        optimizers = (
            possible("optimizer", space[names["optimizer"]]) if "optimizer" in names else (lacking("optimizer"),)
        )
        return jnp.asarray(np.array([DECAYS[one] for one in optimizers], np.float32))[found["optimizer"]]
    return lacking(name)


assert set(Hyper._fields) - {"own"} == {name for name, kind in KINDS.items() if kind != STRUCTURAL}
