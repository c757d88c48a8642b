"""Spaces: as objects, as plain data, and as text in a file."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo import cli
from tests.fuzz.values import ATOMS, NAMES, OBJECTS, maybe, seldom

LEVELS = seldom(st.sampled_from([1, 10_000, 10_001, 10**9]), st.none() | st.integers(2, 5))
WHEN = seldom(
    st.dictionaries(NAMES, st.lists(ATOMS, max_size=3) | ATOMS, min_size=1, max_size=2),
    st.just({"units": [8]}) | st.none(),
    4,
)
ROW = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("float"), "low": maybe(st.floats(1e-3, 1)), "high": maybe(st.floats(1.5, 9))},
        optional={"log": maybe(st.booleans()), "levels": LEVELS, "when": WHEN},
    ),
    st.fixed_dictionaries(
        {"type": st.just("int"), "low": maybe(st.integers(1, 9)), "high": maybe(st.integers(15, 3000))},
        optional={"log": maybe(st.booleans()), "levels": LEVELS, "when": WHEN},
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("choice"),
            "options": maybe(st.just([8, 16]) | st.lists(ATOMS, min_size=1, max_size=5, unique_by=repr)),
        },
        optional={"ordered": maybe(st.booleans()), "when": WHEN},
    ),
)
TERM = st.sampled_from(
    ["units", "layers", "x", "y", "1", "0.5", "1e99", "'a'", "(1, 2)", "None", "lr", "-x", "units**2"]
)
EXPRESSION = st.recursive(
    TERM,
    lambda inner: (
        st.builds(
            "{} {} {}".format,
            inner,
            st.sampled_from(
                ["+", "*", "/", "%", "**", "<", "<=", "==", "!=", "in", "and", "or", "is", "if 1 else", ":="]
            ),
            inner,
        )
        | st.builds("({})".format, inner)
        | st.builds("not {}".format, inner)
        | st.builds(
            lambda part, n: f" {part[0]} ".join([part[1]] * n),
            st.tuples(st.sampled_from("+*<"), TERM),
            st.sampled_from([3, 150, 950]),
        )
    ),
    max_leaves=8,
)
CONSTRAINTS = maybe(
    st.lists(
        st.sampled_from(["x < 5", "units * 2 >= x", "lr + x < 9 or y > 1"]) | EXPRESSION | st.text(max_size=12),
        max_size=2,
    )
)
SPACE = st.builds(
    lambda rows, constraints: rows | ({} if constraints is None else {"constraints": constraints}),
    st.dictionaries(NAMES, maybe(ROW), min_size=1, max_size=4),
    st.none() | CONSTRAINTS,
)
DIMENSION = st.tuples(
    st.sampled_from(["Float", "Int", "Choice"]),
    st.lists(OBJECTS, min_size=1, max_size=2),
    st.fixed_dictionaries({}, optional={"log": OBJECTS, "levels": OBJECTS, "when": OBJECTS, "ordered": OBJECTS}),
)


def run_space(data: Any) -> None:
    space = jh.Space.from_json(data)
    assert jh.Space.from_json(space.to_json()) == space
    assert repr(space)
    assert space.fingerprint
    point = space.feasible_points[0] if space.constrained else np.full(len(space), 0.5, np.float32)
    config = space.to_config(point)
    np.testing.assert_allclose(space.from_config(config), np.asarray(space.canonical(point)), atol=1e-4)
    assert len(space.level_counts) == len(space)


def run_dimension(made: tuple[str, list[Any], dict[str, Any]]) -> None:
    kind, values, options = made
    fields = {"Float": 2, "Int": 2, "Choice": 1}[kind]
    allowed = {"when"} | ({"ordered"} if kind == "Choice" else {"log", "levels"})
    values = (values * 2)[:fields]
    getattr(jh, kind)(*values, **{name: value for name, value in options.items() if name in allowed})


def run_json(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "space.json"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        cli.read_space(path)


JSON = st.one_of(
    SPACE.map(lambda data: json.dumps(data, default=str)),
    st.text(max_size=40),
    st.builds(lambda text, cut: text[:cut], SPACE.map(json.dumps), st.integers(0, 60)),
    st.builds(
        lambda n, b: b[0] * n + b[1] * n, st.sampled_from([5, 90, 110, 3000]), st.sampled_from(["[]", ('{"a":', "}")])
    ),
)
