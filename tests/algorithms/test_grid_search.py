import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import grid_search
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Outcome

SPACE = Space({"a": Int(1, 3), "b": Choice(("x", "y")), "c": Float(0.0, 1.0, levels=5)})
PRODUCT = list(itertools.product((1, 2, 3), "xy", (0.0, 0.25, 0.5, 0.75, 1.0)))
KEY = jax.random.key(0)


def configs(proposal, space=SPACE):
    active = np.asarray(proposal.active)
    return [
        tuple(space.to_config(p).values()) for p, there in zip(np.asarray(proposal.point), active, strict=True) if there
    ]


def no_scores(lanes):
    return Outcome(jnp.zeros(lanes), {})


@pytest.mark.parametrize("lanes", [1, 4, 7, 30, 64])
def test_it_goes_through_the_product_in_order_and_ends(lanes):
    algorithm = grid_search(SPACE, lanes=lanes)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state, seen = algorithm.init(KEY), []
    for _ in range(30 // lanes + 3):
        proposal = ask(KEY, state)
        seen += configs(proposal)
        state, _ = tell(KEY, state, proposal, no_scores(lanes))
    assert seen == PRODUCT
    assert not ask(KEY, state).active.any()


@pytest.mark.slow
def test_a_batch_cut_short_resumes_where_it_was_cut():
    algorithm = grid_search(SPACE, lanes=8)
    state = algorithm.init(KEY)
    proposal = algorithm.ask(KEY, state)._replace(active=jnp.arange(8) < 3)
    state, _ = algorithm.tell(KEY, state, proposal, no_scores(8))
    assert configs(algorithm.ask(KEY, state)) == PRODUCT[3:11]


@pytest.mark.slow
def test_points_of_others_move_nothing():
    algorithm = grid_search(SPACE, lanes=2)
    state = algorithm.init(KEY)
    own = algorithm.ask(KEY, state)
    foreign = own._replace(point=jnp.asarray([SPACE.from_config({"a": 3, "b": "y", "c": 1.0})] * 2))
    state, _ = algorithm.tell(KEY, state, foreign, no_scores(2))
    np.testing.assert_array_equal(algorithm.ask(KEY, state).point, own.point)


@pytest.mark.slow
def test_more_points_than_any_integer_counts():
    space = Space({f"x{i}": Int(0, 99) for i in range(12)})  # 1e24
    algorithm = grid_search(space, lanes=150)
    state = algorithm.init(KEY)
    proposal = algorithm.ask(KEY, state)
    state, _ = algorithm.tell(KEY, state, proposal, no_scores(150))
    first = configs(algorithm.ask(KEY, state), space)[0]
    assert first == (0,) * 10 + (1, 50)
    last = state._replace(digits=jnp.full(12, 99, jnp.int32))
    assert np.asarray(algorithm.ask(KEY, last).active).sum() == 1


def test_a_dimension_without_levels_is_refused():
    with pytest.raises(ValueError, match=r"grid_search needs a grid, but c=Float.* has no levels; set levels="):
        grid_search(Space({"a": Int(1, 3), "c": Float(0.0, 1.0)}), lanes=2)


# --- conditions and constraints ------------------------------------------------------------------------------------

RULED = Space(
    {
        "momentum": Float(0.5, 0.9, levels=3, when={"optimizer": ("sgd", "momentum")}),  # counted after its parent
        "optimizer": Choice(("sgd", "momentum", "adam")),
        "layers": Int(1, 4),
        "units": Int(1, 200, when={"layers": (3, 4)}),
        "skip": Choice(("a", "b"), when={"units": (7, 9)}),
    },
    constraints=["units % 2 == 1", "optimizer != 'sgd' or momentum > 0.6", "units * layers <= 300"],
)


def ruled():
    for optimizer in ("sgd", "momentum", "adam"):
        for momentum in (None,) if optimizer == "adam" else (0.5, 0.7, 0.9):
            for layers in (1, 2, 3, 4):
                for units in range(1, 201) if layers > 2 else (None,):
                    for skip in ("a", "b") if units in (7, 9) else (None,):
                        values = {"momentum": momentum, "optimizer": optimizer, "layers": layers}
                        values |= {"units": units, "skip": skip}
                        odd = units is None or (units % 2 == 1 and units * layers <= 300)
                        if odd and not (optimizer == "sgd" and momentum == 0.5):
                            yield {name: value for name, value in values.items() if value is not None}


def walk(space, lanes, rounds=10**6):
    algorithm = grid_search(space, lanes=lanes)
    ask, tell = jax.jit(algorithm.ask), jax.jit(algorithm.tell)
    state = algorithm.init(KEY)
    for _ in range(rounds):
        proposal = ask(KEY, state)
        active = np.asarray(proposal.active)
        yield from (space.to_config(point) for point in np.asarray(proposal.point)[active])
        state, _ = tell(KEY, state, proposal, no_scores(lanes))
        if not active.any():
            return


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 64])
def test_every_configuration_comes_once_in_order(lanes):
    expected = list(ruled())[: 30 if lanes == 1 else None]
    assert list(walk(RULED, lanes, 10**6 if lanes > 1 else 30)) == expected


@pytest.mark.slow
def test_a_ruled_batch_cut_short_resumes_where_it_was_cut():
    algorithm = grid_search(RULED, lanes=8)
    state = algorithm.init(KEY)
    first = algorithm.ask(KEY, state)
    foreign = first._replace(point=first.point[::-1])
    state, _ = algorithm.tell(KEY, state, foreign, no_scores(8))
    state, _ = algorithm.tell(KEY, state, first._replace(active=jnp.arange(8) < 3), no_scores(8))
    point = np.asarray(algorithm.ask(KEY, state).point)
    assert [RULED.to_config(row) for row in point] == list(ruled())[3:11]


@pytest.mark.slow
def test_what_is_inactive_is_not_even_counted():
    # Combinations of levels: 3e25; configurations: 1,000,001.
    children = {f"x{i}": Int(0, 99, when={"on": "yes"}) for i in range(12)}
    space = Space({"on": Choice(("no", "yes"))} | children | {"last": Int(1, 3)}, ["x0 < 1"])
    found = list(walk(space, 7, 3))
    assert found[:4] == [{"on": "no", "last": i} for i in (1, 2, 3)] + [
        {"on": "yes"} | dict.fromkeys(children, 0) | {"last": 1}
    ]
    assert len(found) == 21


@pytest.mark.slow
def test_one_combination_in_thousands_is_found_and_then_the_end():
    space = Space({"a": Int(0, 999), "b": Int(0, 9)}, ["a + 1000 * b in (4, 5007, 9999)"])
    assert list(walk(space, 2)) == [{"a": 4, "b": 0}, {"a": 7, "b": 5}, {"a": 999, "b": 9}]
