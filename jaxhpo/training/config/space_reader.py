"""The requirements of a space for the compiled programs."""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from jaxhpo.models import BY_QUANTILES, FAMILIES, STANDARD, Variant, names_of
from jaxhpo.models.family import Limits
from jaxhpo.models.representations import REPRESENTATION, SHARING
from jaxhpo.space import Choice, Dimension, Float, Int, Space
from jaxhpo.training.config.hyperparameters import DEFAULTS, HYPERPARAMETERS, KINDS, canonical_name

_REPRESENTATIVES = 32  # largest number of an Int's values that are considered
_LACKING = {"momentum": 0.9, "schedule": "constant"}
"""Values of inactive hyperparameters whose default is None; others have 0, or the weight decay of the optimizer."""
_DEEPEST = 8  # largest depth of a network whose channels grow; each depth is a program


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
        representations: The representations of numbers that lanes of a program may have, in order; none where that is
            at most one.
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
    representations: tuple[str, ...] = ()


class Structure(NamedTuple):
    """The part of a configuration that determines its program and its cost.

    Attributes:
        batch_size: Batch size.
        layers: Number of layers.
        units: Number of units.
        variant: Variant of the network.
        program: Variant of its program; None where that is the same.
    """

    batch_size: int
    layers: int
    units: int
    variant: Variant
    program: Variant | None = None


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
    represented = [name for v in variants for name in names_of(dict(v.built_with).get("representation", STANDARD))]
    ranges = ranges_of(by_name, batch_size)._replace(
        variants=variants,
        quantiles=any(name in BY_QUANTILES for name in represented),
        representations=sharing(by_name["representation"][1]) if "representation" in by_name else (),
    )
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


def left_out_of(batch_size: int | None) -> dict[str, Any]:
    """Return the values of hyperparameters that a space leaves out."""
    return DEFAULTS if batch_size is None else DEFAULTS | {"batch_size": batch_size}


def ranges_of(by_name: Mapping[str, tuple[str, Dimension]], batch_size: int | None = None) -> Ranges:
    """Return the ranges of checked hyperparameters; `batch_size` stands in for one that is left out."""
    left_out = left_out_of(batch_size)

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
    if "representation" in options and (shared := sharing(by_name["representation"][1])):
        options["representation"] = (shared, *(one for one in options["representation"] if one not in shared))
    return tuple(family.variant(dict(zip(options, chosen, strict=True))) for chosen in product(*options.values()))


def sharing(dimension: Dimension) -> tuple[str, ...]:
    """Return the representations of a dimension that share a program, in the order in which programs have them."""
    values = possible("representation", dimension)
    shared = tuple(name for name in REPRESENTATION.allowed if name in values and name in SHARING)
    return shared if len(shared) > 1 else ()


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


def read_structure(
    config: dict[str, Any], model: str | None, batch_size: int | None = None, representations: tuple[str, ...] = ()
) -> Structure:
    """Return the structure of a configuration of one of jaxhpo's models, its defaults and `batch_size` filled in.

    `representations` are those that the lanes of a program may have, where these are several.
    """
    left_out = left_out_of(batch_size)
    values = left_out | {canonical_name(name): value for name, value in config.items()}
    variant, program = Variant() if model is None else FAMILIES[model].variant(values), None
    if model is not None and values["representation"] in representations:
        program = FAMILIES[model].variant(values | {"representation": representations})
    return Structure(int(values["batch_size"]), int(values["layers"]), int(values["units"]), variant, program)
