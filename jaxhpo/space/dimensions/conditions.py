"""The conditions of a space: the values of other hyperparameters for which each hyperparameter is active."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from jaxhpo.space.dimensions.choice import Choice
from jaxhpo.space.dimensions.kinds import Dimension, place, place_of
from jaxhpo.space.dimensions.real import Float


class _Rule(NamedTuple):
    """The part of a condition that concerns one parent.

    Attributes:
        parent: Index of the parent.
        places: Places of the parent's values for which the condition holds.
    """

    parent: int
    places: frozenset[int]

    def holds(self, there: Any) -> Any:
        """Return whether the place of a parent's value is in `places`, for arrays of any shape."""
        places = sorted(self.places)
        starts = [p for p in places if p - 1 not in self.places]
        ends = [p for p in places if p + 1 not in self.places]
        held = (there >= starts[0]) & (there <= ends[0])
        for start, end in zip(starts[1:], ends[1:], strict=True):
            held = held | ((there >= start) & (there <= end))
        return held


class Conditions:
    """The conditions of all dimensions of a space.

    A dimension with an inactive parent is inactive. A parent that is a `Float` counts as its nearest level.

    Raises:
        ValueError: if a condition names an unknown parent or value; if conditions form a circle; if one can never hold.
    """

    def __init__(self, dimensions: Mapping[str, Dimension]):
        self._names, self._dimensions = list(dimensions), list(dimensions.values())
        self._rules = [self._read(name, dimension) for name, dimension in dimensions.items()]
        self.order = self._sorted()
        for i, rules in enumerate(self._rules):
            if rules:
                self._check_possible(i)

    def __bool__(self) -> bool:
        """Whether any dimension has a condition."""
        return any(self._rules)

    def active(self, point: Any, xp: Any) -> Any:
        """Return which dimensions are active: [..., D] float32 -> [..., D] bool; `xp` is `jax.numpy` or `numpy`."""
        if not self:
            return xp.ones(point.shape, bool)
        always = xp.ones(point.shape[:-1], bool)
        found: dict[int, Any] = {}
        places: dict[int, Any] = {}
        for i in self.order:
            found[i] = always
            for parent, rule in ((rule.parent, rule) for rule in self._rules[i]):
                if parent not in places:
                    places[parent] = place(self._dimensions[parent], point[..., parent], xp)
                found[i] = found[i] & found[parent] & rule.holds(places[parent])
        return xp.stack([found[i] for i in range(len(self._rules))], axis=-1)

    def settle(self, i: int, active: Mapping[int, bool | None], places: Callable[[int], int]) -> bool | None:
        """Return whether dimension `i` is active, or None if that is unknown.

        Args:
            i: Index of the dimension.
            active: Whether each parent is active; None is unknown.
            places: Function from the index of a parent to the place of its value.
        """
        known: bool | None = True
        for rule in self._rules[i]:
            if active[rule.parent] is None:
                known = None
            elif not active[rule.parent] or places(rule.parent) not in rule.places:
                return False
        return known

    def allow(self, known: Collection[str], values: Mapping[str, Any]) -> bool:
        """Return whether a configuration may have these values and no other hyperparameters of `known`.

        Hyperparameters that are not in `known` may be active or not.
        """
        active: dict[int, bool | None] = {}
        for i in self.order:
            name = self._names[i]
            here = self.settle(i, active, lambda p: place_of(self._dimensions[p], values[self._names[p]]))
            if name not in known:
                active[i] = None if here else here
                continue
            active[i] = name in values
            if here not in (None, active[i]):
                return False
        return True

    def needs(self, i: int) -> str:
        """Return a dimension's condition in words: "optimizer in ('sgd', 'momentum')"."""
        return " and ".join(_spell(parent, values) for parent, values in self._dimensions[i].when or ())

    def _read(self, name: str, dimension: Dimension) -> tuple[_Rule, ...]:
        rules = []
        for parent, values in dimension.when or ():
            if parent not in self._names:
                raise ValueError(f"Space[{name!r}] when names {parent!r}; the space has {', '.join(self._names)}")
            index = self._names.index(parent)
            of = self._dimensions[index]
            if isinstance(of, Float) and not of.level_values:
                raise ValueError(
                    f"Space[{name!r}] when names {parent!r}, a Float without levels; give it levels= or use a Choice"
                )
            for value in values:
                if not _takes(of, value):
                    raise ValueError(f"Space[{name!r}] when: {parent} is never {value!r}; it is {_range_of(of)}")
            rules.append(_Rule(index, frozenset(place_of(of, value) for value in values)))
        return tuple(rules)

    def _sorted(self) -> tuple[int, ...]:
        """Return the indices of the dimensions, parents before children, otherwise in order."""
        done: list[int] = []
        path: list[int] = []

        def visit(i: int) -> None:
            if i in path:
                circle = " -> ".join(self._names[k] for k in [*path[path.index(i) :], i])
                raise ValueError(f"Space has conditions that go in a circle, {circle}; take one of them out")
            path.append(i)
            for rule in self._rules[i]:
                if rule.parent not in done:
                    visit(rule.parent)
            done.append(path.pop())

        for i in range(len(self._rules)):
            if i not in done:
                visit(i)
        return tuple(done)

    def _check_possible(self, i: int) -> None:
        """Raise ValueError if a dimension and all of its ancestors are never active together."""
        wanted: dict[int, frozenset[int]] = {}
        waiting = [i]
        for here in waiting:
            for rule in self._rules[here]:
                wanted[rule.parent] = wanted.get(rule.parent, rule.places) & rule.places
                if not wanted[rule.parent]:
                    raise ValueError(
                        f"Space[{self._names[i]!r}] can never be active: no one value of {self._names[rule.parent]} "
                        "is in all conditions that lead to it; change its when or theirs"
                    )
                if rule.parent not in waiting:
                    waiting.append(rule.parent)


def _takes(dimension: Dimension, value: Any) -> bool:
    if isinstance(dimension, Float):
        return not isinstance(value, bool) and value in dimension.level_values
    try:
        dimension.to_unit(value)
    except ValueError:
        return False
    return True


def _range_of(dimension: Dimension) -> str:
    if isinstance(dimension, Float | Choice):
        return f"one of {list(dimension.level_values)!r}"
    steps = "" if dimension.step == 1 else f" by steps of {dimension.step}"
    return f"a whole number in [{dimension.low}, {dimension.high}]{steps}"


def _spell(parent: str, values: tuple[Any, ...]) -> str:
    return f"{parent} = {values[0]!r}" if len(values) == 1 else f"{parent} in {values!r}"
