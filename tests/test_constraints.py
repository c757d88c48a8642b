"""Constraints of a space: what may be written, what it means, and that everything proposed keeps to it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo.algorithms.common.proposals import legal, uniform
from jaxhpo.space import Choice, Float, Int, Space

PARTS = {
    "units": Choice((8, 16, 32, 64)),
    "layers": Int(1, 4),
    "rate": Float(0.0, 1.0, levels=11),
    "optimizer": Choice(("sgd", "momentum", "adam")),
    "nesterov": Choice((False, True)),
    "momentum": Float(0.5, 0.9, levels=3, when={"optimizer": ("sgd", "momentum")}),
}
HARD = Space({"a": Float(0, 1), "b": Float(0, 1), "w": Choice(("x", "y"))}, ["b > a + 0.95"])
KEY = jax.random.key(0)


def holds(text, config):
    """Return whether a space's constraint holds for a configuration of `PARTS`."""
    space = Space(PARTS, [text])
    free = Space(PARTS)
    found = space.feasible(jnp.asarray(free.from_config(config)))
    assert found.shape == ()
    return bool(found)


CONFIG = {"units": 32, "layers": 3, "rate": 0.3, "optimizer": "sgd", "nesterov": True, "momentum": 0.7}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("units * layers <= 96", True),
        ("units * layers < 96", False),
        ("units + layers == 35", True),
        ("units - layers != 29", False),
        ("units / layers > 10.66", True),
        ("units % layers == 2", True),
        ("layers ** 2 >= 9", True),
        ("-units < +layers", True),
        ("(units + 1) * layers == 99", True),
        ("8 <= units <= 16", False),
        ("8 <= units <= 32 < 40", True),
        ("units in (16, 32)", True),
        ("units not in (16, 32)", False),
        ("layers in [1, 2]", False),
        ("rate != 0.1 + 0.2", False),  # to float64 they differ
        ("rate < 0.1 * 3", False),
        ("rate <= 0.1 * 3", True),
        ("optimizer == 'sgd'", True),
        ("'adam' != optimizer", True),
        ("optimizer in ('momentum', 'adam')", False),
        ("optimizer not in ('momentum', 'adam')", True),
        ("nesterov == True", True),
        ("not nesterov == True", False),
        ("optimizer == 'adam' or momentum > 0.6", True),
        ("optimizer == 'sgd' and momentum > 0.8", False),
        ("not (units > 16 and layers > 3)", True),
        ("1 / (layers - 3) > 0", True),  # infinite
        ("(layers - 3) / (layers - 3) > 0", False),  # no number
    ],
)
def test_what_they_mean(text, expected):
    assert holds(text, CONFIG) == expected
    space = Space(PARTS, [text])
    if expected:
        space.from_config(CONFIG)
    else:
        with pytest.raises(ValueError, match="config violates the constraint"):
            space.from_config(CONFIG)


def test_one_that_names_what_is_inactive_is_fulfilled():
    config = {name: value for name, value in CONFIG.items() if name != "momentum"} | {"optimizer": "adam"}
    assert holds("momentum > 0.6", config)
    assert holds("momentum > 0.6 and units < 32", config)
    assert not holds("units < 32", config)


expressions = st.deferred(
    lambda: (
        st.sampled_from(["units", "layers", "2", "3.5"])
        | st.builds("({} {} {})".format, expressions, st.sampled_from(["+", "-", "*", "/"]), expressions)
    )
)
comparisons = st.builds(
    "{} {} {}".format, expressions, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), expressions
)
texts = st.deferred(
    lambda: (
        comparisons
        | st.builds("({} {} {})".format, texts, st.sampled_from(["and", "or"]), texts)
        | st.builds("not ({})".format, texts)
    )
)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, max_examples=40)
@given(texts)
def test_they_mean_what_python_means(text):
    free = Space({"units": Choice((8, 16, 32, 64)), "layers": Int(1, 4)})
    points = free.from_levels(jnp.asarray(np.indices((4, 4)).reshape(2, -1).T.astype(np.int32)))
    try:
        expected = [eval(text, free.to_config(point)) for point in np.asarray(points)]
        space = Space(dict(free), [f"units > 0 and ({text})"])
    except (ZeroDivisionError, ValueError) as error:
        assert isinstance(error, ZeroDivisionError) or not any(expected)  # noqa: PT017
        return
    np.testing.assert_array_equal(space.feasible(points), expected)
    np.testing.assert_array_equal(space.feasible_points.shape, (sum(expected), 2))


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (["unit > 3"], "constraint 'unit > 3': unknown 'unit'; the space has units, layers, rate"),
        (["units"], "constraint 'units': 'units' is not a comparison; write one, such as"),
        (["units * layers"], "'units * layers' is not a comparison"),
        (["nesterov"], "'nesterov' is not a comparison"),
        (["units > 8 and layers"], "'layers' is not a comparison"),
        (["optimizer == 'adm'"], "'adm' is no option of optimizer, which has ['sgd', 'momentum', 'adam']"),
        (["optimizer in ('sgd', 3)"], "3 is no option of optimizer"),
        (["optimizer < 'sgd'"], "optimizer is no number: compare it with one of its options, by == or != or `in`"),
        (["optimizer == nesterov"], "is no number: compare it with one of its options"),
        (["units == 'sgd'"], "\"'sgd'\" is neither a number nor an option of what it is compared with"),
        (["units + True > 3"], "'True' is neither a number"),
        (["units in 3"], "`in` needs a tuple, such as (1, 2), and not '3'"),
        (["units is 3"], "`is` is not supported; use numbers, names, + - * / ** %"),
        (["units // 3 > 1"], "'units // 3' is not supported"),
        (["abs(units) > 3"], "'abs(units)' is not supported"),
        (["units.real > 3"], "'units.real' is not supported"),
        (["__import__('os').getcwd() == 3"], "is not supported"),
        (["(3 if units else 4) > 3"], "is not supported"),
        (["units > 1e99"], "'1e+99' is beyond float32; choose another unit"),
        (["units >"], "constraint 'units >': it is no expression"),
        (["units = 3"], "it is no expression"),
        (["(" * 5000 + "units"], "it is no expression"),
        (["1 < 2"], "constraint '1 < 2': it names no hyperparameter of units"),
        ([3], "constraint 3 must be a string"),
        ("units > 3", "Space constraints='units > 3' must be a list of strings; write ['units > 3']"),
        (["units > 64"], "Space constraints leave fewer than 1 in 10,000 configurations; loosen them, or narrow"),
        (["rate ** 64 > 0.9999"], "fewer than 1 in 10,000"),
    ],
)
def test_bad_constraints(constraints, message):
    with pytest.raises(ValueError) as error:
        Space(PARTS, constraints)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


# --- as data ---------------------------------------------------------------------------------------------------


def test_json_repr_and_fingerprint():
    texts = ["units * layers <= 96", "optimizer != 'sgd' or momentum > 0.6"]
    space = Space(PARTS, texts)
    assert space.to_json()["constraints"] == texts
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space == eval(repr(space))
    assert again.constraints == tuple(texts)
    assert len({space.fingerprint, Space(PARTS, texts[:1]).fingerprint, Space(PARTS).fingerprint}) == 3
    assert Space(PARTS, []) == Space(PARTS)
    assert not Space(PARTS).constrained
    np.testing.assert_array_equal(again.feasible_points, space.feasible_points)


def test_a_hyperparameter_may_be_named_constraints():
    space = Space({"constraints": Int(1, 3)})
    assert Space.from_json(space.to_json()) == space
    with pytest.raises(ValueError, match=r"hyperparameter named 'constraints' beside constraints; rename it"):
        Space({"constraints": Int(1, 3)}, ["constraints > 1"])


def test_bad_json():
    with pytest.raises(ValueError, match="constraint 3 must be a string"):
        Space.from_json({"a": {"type": "int", "low": 1, "high": 2}, "constraints": [3]})
    with pytest.raises(ValueError, match="space 'constraints': 'a > 1' needs a type"):
        Space.from_json({"a": {"type": "int", "low": 1, "high": 2}, "constraints": "a > 1"})


def test_an_infeasible_configuration_is_not_enqueued():
    space = Space({"a": Int(1, 3), "b": Int(1, 3)}, ["a < b"])
    study = jh.Study(space, jh.algorithms.random_search(space, lanes=2))
    with pytest.raises(ValueError, match="config violates the constraint 'a < b'; change it"):
        study.enqueue({"a": 2, "b": 2})


# --- feasible points -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_known_points_are_feasible_and_different():
    space = Space(PARTS, ["units * layers <= 96", "optimizer != 'sgd' or momentum > 0.6"])
    for known in (space.feasible_points, space.feasible_levels):
        assert known.shape == (64, 6)
        assert known.dtype == np.float32
        assert len(np.unique(known, axis=0)) == 64
        assert np.asarray(space.feasible(jnp.asarray(known))).all()
        np.testing.assert_array_equal(space.canonical(jnp.asarray(known)), known)
    levels = jnp.asarray(space.feasible_levels)
    np.testing.assert_array_equal(space.from_levels(space.to_levels(levels)), levels)
    few = Space({"a": Int(1, 3), "b": Int(1, 3)}, ["a < b"])
    assert sorted(tuple(few.to_config(p).values()) for p in few.feasible_points) == [(1, 2), (1, 3), (2, 3)]


def test_uniform_draws_are_fair():
    space = Space({"a": Int(1, 4), "b": Int(1, 4)}, ["a + b <= 5"])
    points = jax.jit(lambda key: uniform(key, space, 8000))(KEY)
    found, counts = np.unique(np.asarray(points), axis=0, return_counts=True)
    assert len(found) == 10
    assert abs(counts / 800 - 1).max() < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("draw", [uniform, lambda k, s, n: legal(k, s, jax.random.uniform(k, (n, 3), jnp.float32))])
def test_rare_points_are_found(draw):
    points = np.asarray(jax.jit(lambda key: draw(key, HARD, 200))(KEY))  # 1 in 800 is feasible
    assert points.dtype == np.float32
    assert (points[:, 1] > points[:, 0] + 0.95).all()
    np.testing.assert_array_equal(HARD.canonical(jnp.asarray(points)), points)
    assert len(np.unique(points, axis=0)) > 20


@pytest.mark.slow
def test_a_legal_point_stays_and_another_moves_little():
    space = Space({"a": Float(0, 1), "b": Float(0, 1), "c": Choice(("x", "y", "z"))}, ["a + b <= 1", "c != 'z'"])
    drawn = space.canonical(jax.random.uniform(KEY, (500, 3), jnp.float32))
    moved = jax.jit(lambda p: legal(KEY, space, p))(drawn)
    good = np.asarray(space.feasible(drawn))
    assert np.asarray(space.feasible(moved)).all()
    np.testing.assert_array_equal(moved[good], drawn[good])
    beyond = np.maximum(np.asarray(drawn[:, 0] + drawn[:, 1]) - 1, 0)[~good]
    distance = np.linalg.norm(np.asarray(moved - drawn)[~good, :2], axis=1)
    assert np.median(distance - beyond / np.sqrt(2)) < 0.15  # the shortest way there is
    assert len(np.unique(np.asarray(moved)[~good], axis=0)) > 0.5 * (~good).sum()


@pytest.mark.slow
def test_a_grid_keeps_to_its_levels():
    space = Space({"a": Float(0, 1, levels=5), "b": Float(0, 1, levels=9), "c": Int(1, 3)}, ["a + b <= 0.75"])
    drawn = jax.random.uniform(KEY, (100, 3), jnp.float32)
    points = jax.jit(lambda point: legal(KEY, space, point, grid=True))(drawn)
    assert np.asarray(space.feasible(points)).all()
    np.testing.assert_array_equal(space.from_levels(space.to_levels(points)), points)
    # Between the levels much is feasible, on them nothing is.
    off = Space({"a": Float(0, 1, levels=3)}, ["a > 0.1", "a < 0.4"])
    with pytest.raises(ValueError, match=r"fewer than 1 in 10,000 combinations of levels"):
        legal(KEY, off, jnp.zeros((1, 1)), grid=True)
    with pytest.raises(ValueError, match=r"fewer than 1 in 10,000 combinations of levels"):
        jh.algorithms.tabular_q(off, lanes=2)
