"""What tuning has to know of a network: its data, hyperparameters, default ranges; and one of its variants."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxhpo.space import Dimension

TRACED, MASKABLE, STRUCTURAL = "traced", "maskable", "structural"


class Limits(NamedTuple):
    """The numbers that a hyperparameter may be.

    Attributes:
        low: The least.
        high: The largest.
        low_allowed: Whether `low` itself is allowed.
        high_allowed: Whether `high` itself is allowed.
        whole: Whether only whole numbers are.
    """

    low: float
    high: float
    low_allowed: bool = True
    high_allowed: bool = True
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        """Return whether a number lies inside."""
        assert isinstance(value, int | float)
        above = value >= self.low if self.low_allowed else value > self.low
        return above and (value <= self.high if self.high_allowed else value < self.high)

    def __str__(self) -> str:
        """Return the interval as mathematics writes it."""
        opening, closing = "[" if self.low_allowed else "(", "]" if self.high_allowed and self.high < math.inf else ")"
        return f"{opening}{self.low}, {self.high}{closing}"


class Hyperparameter(NamedTuple):
    """A hyperparameter that training or a network understands.

    Attributes:
        default: Its value where a space leaves it out; None is as if it were not there, and costs nothing.
        allowed: The numbers, or the options, that it may be.
        about: What it is, in a few words.
        aliases: Other names for it.
        kind: How it reaches the compiled program: traced, as an argument; maskable, as the used part of a larger
            network, so that lanes that differ in it may share a program; or structural, as the program itself, so that
            they may not.
        models: The networks that take it, by name; of a network's own that network.
        images: Whether it is for images only.
        vectors: Whether it is for tables and vectors only.
    """

    default: Any
    allowed: Limits | tuple[Any, ...]
    about: str
    aliases: tuple[str, ...] = ()
    kind: str = TRACED
    models: tuple[str, ...] = ()
    images: bool = False
    vectors: bool = False


class NetworkFamily(NamedTuple):
    """A network of jaxhpo's in all its sizes and variants, as its file declares it.

    Attributes:
        network: The Flax class. It has the fields `layers`, `units` and `classes`, those of `structure`, and
            `vocabulary` where it reads tokens; `cost(shape)` returns its `Cost`.
        kinds: The kinds of data that it can take: "image", "sequence", "vector" or "text". Of the first it is the
            default, unless a network before it in `FAMILIES` is; and of another that is no network's first.
        units: From an example's shape to the widths that are searched by default.
        structure: Structural hyperparameters by name, each a field of the network.
        traced: Traced hyperparameters that it takes beside those that all networks take.
        ranges: Default ranges of hyperparameters in `structure` and `traced`, or in place of those that all networks
            have, each with a `default`.
        smallest_batch: The smallest batch that is searched by default. Batches are computed in parts of this size, and
            each part has a gradient of all weights. So it is large where a network embeds words.
        tile: Whether the network takes `tile`, and a processor then sees an image after the other.
        exact_depth: From the options of `structure` to whether every depth is a program of its own.
    """

    network: Any
    kinds: tuple[str, ...]
    units: Callable[[tuple[int, ...]], tuple[int, ...]]
    structure: Mapping[str, Hyperparameter] = {}
    traced: tuple[str, ...] = ()
    ranges: Mapping[str, Dimension] = {}
    smallest_batch: int = 32
    tile: bool = False
    exact_depth: Callable[[Mapping[str, Any]], bool] = lambda options: False

    def variant(self, values: Mapping[str, Any]) -> "Variant":
        """Return the variant of a configuration; what `values` lacks has its default."""
        options = {name: values.get(name, known.default) for name, known in self.structure.items()}
        differing = tuple((name, value) for name, value in options.items() if value != self.structure[name].default)
        return Variant(differing, exact_depth=self.exact_depth(options))


class Variant(NamedTuple):
    """What decides the program of a network beside its size.

    Attributes:
        built_with: Options of the network, by name: of jaxhpo's own those that differ from the default, of the user's
            all that its signature names. Of an MLP's program, `representation` may be a tuple: a lane has one of them.
        batch_size: Where lanes of several batch sizes share no program.
        exact_depth: Whether every depth is a program of its own.
    """

    built_with: tuple[tuple[str, Any], ...] = ()
    batch_size: int | None = None
    exact_depth: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the options and the batch size as plain data."""
        return ({} if self.batch_size is None else {"batch_size": self.batch_size}) | dict(self.built_with)
