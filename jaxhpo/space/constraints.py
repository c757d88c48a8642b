"""Constraints of a space: expressions over hyperparameters that every configuration satisfies.

Examples are ``"units * layers <= 256"`` and ``"optimizer != 'sgd' or momentum > 0.5"``. The text is parsed, never
executed. It may hold names of hyperparameters, numbers, + - * / ** %, comparisons, and, or, not, `in` a tuple, and the
options of a `Choice` of words.

All arithmetic is float32, on the device and in NumPy on the host. Numbers that differ by less than a millionth of their
size are equal, so that 0.1 + 0.2 <= 0.3 holds on both. A constraint that names an inactive hyperparameter is satisfied.
"""

import ast
import itertools
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxhpo.space.dimensions import Choice, Dimension

POOL = 64  # feasible points that a space keeps
_DRAWS, _CHUNK, _RAREST = 100_000, 4096, 10_000
_LONGEST, _DEEPEST, _MOST_NODES = 10_000, 200, 2_000  # characters, and what an expression may hold
_MOST = 1_000  # constraints of a space
_CLOSE = 1e-6  # relative difference below which numbers are equal

_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_SIGNS: dict[type, Callable] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_SAMENESS = (ast.Eq, ast.NotEq)
_MEMBERSHIP = (ast.In, ast.NotIn)
_SYNTAX = "numbers, names, + - * / ** %, comparisons, and, or, not, and `in` a tuple"


class Constraint:
    """A constraint.

    Args:
        text: Expression, as the user wrote it.
        dimensions: Dimensions of the space by name.

    Raises:
        ValueError: if the text is not a comparison of hyperparameters of the space.
    """

    def __init__(self, text: str, dimensions: Mapping[str, Dimension]):
        if not isinstance(text, str):
            raise ValueError(f"constraint {text!r} must be a string, such as 'units * layers <= 256'")
        self.text, self._dimensions = text, dimensions
        if len(text) > _LONGEST:
            raise ValueError(f"constraint {text[:40]!r}... has {len(text):,} characters; give at most {_LONGEST:,}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the parser's of odd literals
                self._tree = ast.parse(text.strip(), mode="eval").body
            _check_size(self._tree)
            self._check_truth(self._tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problem = (
                "it is no expression" if isinstance(error, SyntaxError | RecursionError | MemoryError) else str(error)
            )
            raise ValueError(f"constraint {_cut(text)!r}: {problem}") from None
        nodes = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        self.names = tuple(dict.fromkeys(node.id for node in nodes))
        if not self.names:
            raise ValueError(f"constraint {text!r}: it names no hyperparameter of {', '.join(dimensions)}")

    def holds(self, values: Mapping[str, Any], xp: Any) -> Any:
        """Return whether decoded values satisfy the constraint: [...] bool.

        Args:
            values: Values by name, [...] each; an option of words is given as its index.
            xp: `jax.numpy` or `numpy`.
        """
        with np.errstate(all="ignore"):  # comparisons with nan are False
            return self._truth(self._tree, values, xp)

    # --- checks of the text --------------------------------------------------------------------------------------

    def _check_truth(self, node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                self._check_truth(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._check_truth(node.operand)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
                self._check_comparison(left, sign, right)
        else:
            raise ValueError(f"{_quote(node)} is not a comparison; write one, such as 'units * layers <= 256'")

    def _check_comparison(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> None:
        if isinstance(sign, _MEMBERSHIP):
            if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
                raise ValueError(f"`in` needs a tuple, such as (1, 2), and not {_quote(right)}")
            for element in right.elts:
                self._check_same(left, element)
        elif isinstance(sign, _SAMENESS):
            self._check_same(left, right)
        elif isinstance(sign, _ORDERS):
            self._check_number(left)
            self._check_number(right)
        else:
            raise ValueError(f"`{_spell(sign)}` is not supported; use {_SYNTAX}")

    def _check_same(self, left: ast.expr, right: ast.expr) -> None:
        pair = self._option(left, right)
        if pair is None:
            self._check_number(left)
            self._check_number(right)
        else:
            self._index(*pair)

    def _check_number(self, node: ast.expr) -> None:
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            self._check_number(node.left)
            self._check_number(node.right)
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
            self._check_number(node.operand)
        elif isinstance(node, ast.Name):
            dimension = self._dimension(node.id)
            if _is_words(dimension):
                raise ValueError(f"{node.id} is no number: compare it with one of its options, by == or != or `in`")
        elif isinstance(node, ast.Constant) and _is_number(node.value):
            if not np.isfinite(_float32(node.value)):
                raise ValueError(f"{_quote(node)} is beyond float32; choose another unit")
        elif isinstance(node, ast.Constant):
            raise ValueError(f"{_quote(node)} is neither a number nor an option of what it is compared with")
        else:
            raise ValueError(f"{_quote(node)} is not supported; use {_SYNTAX}")

    def _dimension(self, name: str) -> Dimension:
        if name not in self._dimensions:
            raise ValueError(f"unknown {name!r}; the space has {', '.join(self._dimensions)}")
        return self._dimensions[name]

    def _option(self, left: ast.expr, right: ast.expr) -> tuple[ast.Name, ast.Constant] | None:
        """Return the Choice of words and the option if two sides are these, in either order; otherwise None."""
        for name, option in ((left, right), (right, left)):
            if isinstance(name, ast.Name) and isinstance(option, ast.Constant) and _is_words(self._dimension(name.id)):
                return name, option
        return None

    def _index(self, name: ast.Name, option: ast.Constant) -> int:
        dimension = self._dimension(name.id)
        try:
            unit = dimension.to_unit(option.value)
        except ValueError:
            options = list(dimension.level_values)
            raise ValueError(f"{option.value!r} is no option of {name.id}, which has {options!r}") from None
        return int(dimension.to_level(np.float32(unit), np))

    # --- evaluation ----------------------------------------------------------------------------------------------

    def _truth(self, node: ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
        if isinstance(node, ast.BoolOp):
            parts = [self._truth(value, values, xp) for value in node.values]
            join = xp.logical_and if isinstance(node.op, ast.And) else xp.logical_or
            return _reduce(join, parts)
        if isinstance(node, ast.UnaryOp):
            return xp.logical_not(self._truth(node.operand, values, xp))
        assert isinstance(node, ast.Compare)
        sides = [node.left, *node.comparators]
        links = zip(sides, node.ops, sides[1:], strict=False)
        return _reduce(xp.logical_and, [self._compared(left, sign, right, values, xp) for left, sign, right in links])

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
        if isinstance(sign, _MEMBERSHIP):
            assert isinstance(right, ast.Tuple | ast.List)
            found = _reduce(xp.logical_or, [self._same(left, element, values, xp) for element in right.elts])
            return found if isinstance(sign, ast.In) else xp.logical_not(found)
        if isinstance(sign, _SAMENESS):
            same = self._same(left, right, values, xp)
            return same if isinstance(sign, ast.Eq) else xp.logical_not(same)
        a, b = self._number(left, values, xp), self._number(right, values, xp)
        a, b = (a, b) if isinstance(sign, ast.Lt | ast.LtE) else (b, a)
        close = _close(a, b, xp)
        if isinstance(sign, ast.LtE | ast.GtE):
            return xp.logical_or(a < b, close)
        return xp.logical_and(a < b, xp.logical_not(close))

    def _same(self, left: ast.expr, right: ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
        pair = self._option(left, right)
        if pair is not None:
            return values[pair[0].id] == self._index(*pair)
        return _close(self._number(left, values, xp), self._number(right, values, xp), xp)

    def _number(self, node: ast.expr, values: Mapping[str, Any], xp: Any) -> Any:
        if isinstance(node, ast.BinOp):
            act = _ARITHMETIC[type(node.op)]
            return act(self._number(node.left, values, xp), self._number(node.right, values, xp))
        if isinstance(node, ast.UnaryOp):
            return _SIGNS[type(node.op)](self._number(node.operand, values, xp))
        if isinstance(node, ast.Name):
            return values[node.id].astype(np.float32)
        assert isinstance(node, ast.Constant)
        return _float32(node.value)


def read_constraints(constraints: Any, dimensions: Mapping[str, Dimension]) -> tuple[Constraint, ...]:
    """Return the constraints of a space; raise ValueError if one is invalid."""
    if isinstance(constraints, str | bytes | Mapping | set | frozenset) or not hasattr(constraints, "__iter__"):
        raise ValueError(f"Space constraints={constraints!r} must be a list of strings; write [{constraints!r}]")
    texts = list(itertools.islice(constraints, _MOST + 1))
    if len(texts) > _MOST:
        raise ValueError(f"Space has more than {_MOST:,} constraints; join them, or narrow the ranges")
    return tuple(Constraint(text, dimensions) for text in texts)


def feasible(constraints: tuple[Constraint, ...], values: Mapping[str, Any], active: Mapping[str, Any], xp: Any) -> Any:
    """Return which configurations satisfy all constraints: [...] bool.

    A constraint counts only if all of its hyperparameters are active.

    Args:
        constraints: Constraints of the space.
        values: Decoded values by name, [...] each.
        active: Whether each hyperparameter is active, by name, [...] bool each.
        xp: `jax.numpy` or `numpy`.
    """
    held = []
    for constraint in constraints:
        idle = xp.logical_not(_reduce(xp.logical_and, [active[name] for name in constraint.names]))
        held.append(xp.logical_or(idle, constraint.holds(values, xp)))
    return _reduce(xp.logical_and, held)


def find_feasible(what: str, draw: Callable[[np.ndarray], np.ndarray], check: Callable, width: int) -> np.ndarray:
    """Return up to `POOL` different feasible points, [P, D] float32, found by drawing with a fixed seed.

    Args:
        what: Name of the drawn objects in the error message.
        draw: Function from numbers in [0, 1), [N, D] float32, to points.
        check: Function from points to [N] bool.
        width: Number of dimensions D.

    Raises:
        ValueError: if fewer than 1 draw in 10,000 is feasible.
    """
    rng, found, drawn = np.random.default_rng(0), [], 0
    while drawn < _DRAWS and sum(map(len, found)) < POOL:
        point = draw(rng.random((_CHUNK, width), np.float32))
        found.append(point[check(point)])
        drawn += _CHUNK
    points = np.concatenate(found)
    if len(points) * _RAREST < drawn:
        raise ValueError(
            f"Space constraints leave fewer than 1 in 10,000 {what}; loosen them, or narrow the ranges to where they "
            "hold"
        )
    _, first = np.unique(points, axis=0, return_index=True)
    return points[np.sort(first)[:POOL]]


def _close(a: Any, b: Any, xp: Any) -> Any:
    near = xp.abs(a - b) < np.float32(_CLOSE) * xp.maximum(xp.abs(a), xp.abs(b))
    return xp.logical_or(a == b, xp.logical_and(near, xp.isfinite(a - b)))


def _reduce(join: Callable, parts: list[Any]) -> Any:
    result = parts[0]
    for part in parts[1:]:
        result = join(result, part)
    return result


def _is_words(dimension: Dimension) -> bool:
    return isinstance(dimension, Choice) and not dimension.numeric


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float32(value: float) -> np.float32:
    with np.errstate(over="ignore"):
        try:
            return np.float32(value)
        except OverflowError:
            return np.float32(np.inf)


def _check_size(tree: ast.expr) -> None:
    """Raise ValueError if an expression is too deep or too large to be traced."""
    level, depth, nodes = [tree], 0, 0
    while level:
        depth, nodes = depth + 1, nodes + len(level)
        if depth > _DEEPEST or nodes > _MOST_NODES:
            raise ValueError(
                f"it is longer than {_MOST_NODES:,} parts, or deeper than {_DEEPEST}: a sum of many terms counts each; "
                "split it into several constraints"
            )
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _quote(node: ast.AST) -> str:
    return repr(_cut(ast.unparse(node)))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _spell(sign: ast.cmpop) -> str:
    return {"Is": "is", "IsNot": "is not"}.get(type(sign).__name__, type(sign).__name__)
