"""The requirements of a space for the compiled programs, and the hyperparameters of a lane."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.models import BY_QUANTILES, FAMILIES, Variant
from jaxhpo.models.family import STRUCTURAL, Limits
from jaxhpo.space import Choice, Dimension, Float, Int, Space
from jaxhpo.training.config.hyperparameters import DEFAULTS, HYPERPARAMETERS, KINDS, canonical_name
from jaxhpo.training.step.hyper import Hyper
from jaxhpo.training.step.optimizers import DECAYS
from jaxhpo.types import Array

_REPRESENTATIVES = 32  # largest number of an Int's values that are considered
_LACKING = {"momentum": 0.9, "schedule": "constant"}
"""Values of inactive hyperparameters whose default is None; others have 0, or the weight decay of the optimizer."""
_DEEPEST = 8  # largest depth of a network whose channels grow; each depth is a program


_WHOLE = ("batch_size", "layers", "units", "optimizer", "schedule", "crop", "cutout")


class Ranges(NamedTuple):
    """The static facts about a space that the compiled programs need.

    Attributes:
        micro_batch: Smallest batch size; all others are multiples of it.
        largest_batch: Largest batch size.
        layers_values: Depths of the space, or representatives if there are many.
        units_values: Widths of the space, or representatives if there are many.
        optimizers: Optimizers of the space.
        schedules: Schedules of the space.
        drops: Whether any lane may use dropout.
        variants: Variants of the network, each with a program of its own.
        quantiles: Whether any of them reads the quantiles of the training examples' numbers.
    """

    micro_batch: int
    largest_batch: int
    layers_values: tuple[int, ...]
    units_values: tuple[int, ...]
    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    drops: bool
    variants: tuple[Variant, ...]
    quantiles: bool = False


class Structure(NamedTuple):
    """The part of a configuration that determines its program and its cost.

    Attributes:
        batch_size: Batch size.
        layers: Number of layers.
        units: Number of units.
        variant: Variant of the network.
    """

    batch_size: int
    layers: int
    units: int
    variant: Variant


def default_batch_size(examples: int) -> int:
    """Return the batch size of a space without one, for a number of training examples.

    The default, or where it exceeds the examples the largest power of two that leaves four batches.
    """
    usual = int(DEFAULTS["batch_size"])
    return usual if examples >= usual else 2 ** (max(examples // 4, 1).bit_length() - 1)


def read_ranges(
    space: Space, model: str = "mlp", *, image: tuple[int, ...] | None = None, batch_size: int | None = None
) -> Ranges:
    """Return the requirements of a space for the programs of one of jaxhpo's networks.

    Args:
        space: Search space.
        model: Name of the network.
        image: Height and width of the data's images; None if the data are not images.
        batch_size: Where the space leaves it out; None is that of `DEFAULTS`.

    Raises:
        ValueError: if the space has an unknown hyperparameter or one under two names, if the network or the data cannot
            use one, if a value is invalid, or if batch sizes are not multiples of the smallest.
    """
    by_name = read_names(space, image)
    for known, (name, _) in by_name.items():
        if model not in HYPERPARAMETERS[known].models:
            remedy = " or ".join(repr(m) for m in HYPERPARAMETERS[known].models)
            raise ValueError(
                f"space has {KINDS[known]} hyperparameter {name!r}, which model={model!r} cannot take; leave it out "
                f"or use model={remedy}"
            )
    variants = _variants(by_name, model)
    quantiles = any(dict(variant.built_with).get("representation") in BY_QUANTILES for variant in variants)
    ranges = ranges_of(by_name, batch_size)._replace(variants=variants, quantiles=quantiles)
    micro, batches = ranges.micro_batch, by_name["batch_size"][1] if "batch_size" in by_name else None
    odd = [b for b in possible("batch_size", batches) if b % micro] if batches else []
    if isinstance(batches, Int):
        odd += [b for b in batches.values if b % micro]
    if odd:
        raise ValueError(
            f"space batch_size: {odd[0]} is not among multiples of the smallest, {micro}; use a Choice such as "
            f"Choice(({micro}, {2 * micro}, {4 * micro})), or an Int with step={micro}"
        )
    if any(variant.exact_depth for variant in ranges.variants) and ranges.layers_values[-1] > _DEEPEST:
        raise ValueError(f"space layers: {ranges.layers_values[-1]} is too deep for growth 2; use at most {_DEEPEST}")
    return ranges


def read_names(space: Mapping[str, Dimension], image: tuple[int, ...] | None) -> dict[str, tuple[str, Dimension]]:
    """Return the name in the space and the dimension of each hyperparameter, by its canonical name."""
    by_name: dict[str, tuple[str, Dimension]] = {}
    for name, dimension in space.items():
        known = canonical_name(name)
        if known in by_name:
            raise ValueError(f"space holds {known} twice, as {by_name[known][0]!r} and as {name!r}; keep one")
        by_name[known] = name, dimension
        if HYPERPARAMETERS[known].images and image is None:
            raise ValueError(
                f"space has hyperparameter {name!r}, which is for images, and the data are none; leave it out"
            )
        if HYPERPARAMETERS[known].vectors and image is not None:
            raise ValueError(
                f"space has hyperparameter {name!r}, which is for tables and vectors, and the data are images; leave "
                "it out"
            )
        _check_values(known, dimension)
        if known in ("crop", "cutout") and image is not None and max(extremes(dimension)) >= min(image):
            problem = f"{max(extremes(dimension))!r} pixels are too many for images of {image[0]}x{image[1]}"
            raise ValueError(f"space {known}: {problem}; use less than {min(image)}")
    return by_name


def _left_out(batch_size: int | None) -> dict[str, Any]:
    return DEFAULTS if batch_size is None else DEFAULTS | {"batch_size": batch_size}


def ranges_of(by_name: Mapping[str, tuple[str, Dimension]], batch_size: int | None = None) -> Ranges:
    """Return the ranges of checked hyperparameters; `batch_size` stands in for one that is left out."""
    left_out = _left_out(batch_size)

    def values(name: str) -> tuple[Any, ...]:
        return possible(name, by_name[name][1]) if name in by_name else (left_out[name],)

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
    """Return the options of a dimension, or its ends."""
    return dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def possible(name: str, dimension: Dimension) -> tuple[Any, ...]:
    """Return the options of a hyperparameter, or its ends, and its value if it is inactive."""
    values = extremes(dimension)
    return values if dimension.when is None or lacking(name) in values else (*values, lacking(name))


def lacking(name: str) -> Any:
    """Return the value of an inactive hyperparameter."""
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
    """Return the values of a dimension of whole numbers in order, or representatives if there are many."""
    if isinstance(dimension, Int) and dimension.step > 1:
        every = dimension.values
        some = np.linspace(0, len(every) - 1, min(_REPRESENTATIVES, len(every))).round().astype(int)
        return tuple(sorted({*(every[i] for i in some), *values}))
    if isinstance(dimension, Int):
        count = min(_REPRESENTATIVES, dimension.high - dimension.low + 1)
        between = np.geomspace if dimension.log else np.linspace
        inside = between(dimension.low, dimension.high, count).tolist()
        return tuple(sorted({*(round(value) for value in inside), *values}))
    return tuple(sorted(int(value) for value in values))


def read_structure(config: dict[str, Any], model: str | None, batch_size: int | None = None) -> Structure:
    """Return the structure of a configuration of one of jaxhpo's models, its defaults and `batch_size` filled in."""
    left_out = _left_out(batch_size)
    values = left_out | {canonical_name(name): value for name, value in config.items()}
    variant = Variant() if model is None else FAMILIES[model].variant(values)
    return Structure(int(values["batch_size"]), int(values["layers"]), int(values["units"]), variant)


def read_hyper(
    space: Space,
    point: Array,
    own: Collection[str] = (),
    defaults: Mapping[str, Any] = {},
    *,
    batch_size: int | None = None,
) -> Hyper:
    """Return the hyperparameters of lanes: [B, D] float32 -> [B] each.

    An inactive hyperparameter has the value that it has if a space does not have it; one in `own` has that of
    `defaults`.

    Args:
        space: Search space.
        point: Configurations: [B, D] float32.
        own: Names of the hyperparameters of a user's model.
        defaults: Values of these hyperparameters if they are inactive.
        batch_size: Where the space leaves it out; None is that of `DEFAULTS`.
    """
    left_out = _left_out(batch_size)
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
        elif left_out[name] is None:
            found[name] = None
        else:
            found[name] = jnp.full(lanes, 0 if name == "optimizer" else left_out[name], dtype)
    return Hyper(**found)


def _inactive(space: Space, point: Array) -> dict[str, Array]:
    """Return whether each hyperparameter with a condition is inactive: [B] bool by name."""
    if not space.conditional:
        return {}
    active = space.active(point)
    return {name: ~active[..., i] for i, (name, d) in enumerate(space.items()) if d.when is not None}


def _lacking_number(name: str, space: Space, names: Mapping[str, str], found: Mapping[str, Any]) -> Any:
    """Return the value in `Hyper` of an inactive hyperparameter; `found` holds the values found so far."""
    if name in ("optimizer", "schedule"):
        return possible(name, space[names[name]]).index(lacking(name))
    if name == "weight_decay":
        optimizers = (
            possible("optimizer", space[names["optimizer"]]) if "optimizer" in names else (lacking("optimizer"),)
        )
        return jnp.asarray(np.array([DECAYS[one] for one in optimizers], np.float32))[found["optimizer"]]
    return lacking(name)


assert set(Hyper._fields) - {"own"} == {name for name, kind in KINDS.items() if kind != STRUCTURAL}
