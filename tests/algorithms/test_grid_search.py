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


def test_a_batch_cut_short_resumes_where_it_was_cut():
    algorithm = grid_search(SPACE, lanes=8)
    state = algorithm.init(KEY)
    proposal = algorithm.ask(KEY, state)._replace(active=jnp.arange(8) < 3)
    state, _ = algorithm.tell(KEY, state, proposal, no_scores(8))
    assert configs(algorithm.ask(KEY, state)) == PRODUCT[3:11]


def test_points_of_others_move_nothing():
    algorithm = grid_search(SPACE, lanes=2)
    state = algorithm.init(KEY)
    own = algorithm.ask(KEY, state)
    foreign = own._replace(point=jnp.asarray([SPACE.from_config({"a": 3, "b": "y", "c": 1.0})] * 2))
    state, _ = algorithm.tell(KEY, state, foreign, no_scores(2))
    np.testing.assert_array_equal(algorithm.ask(KEY, state).point, own.point)


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
