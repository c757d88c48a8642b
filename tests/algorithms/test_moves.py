"""The tabular agent's actions where hyperparameters may be inactive and configurations infeasible."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms.tabular_q.moves import Moves
from jaxhpo.space import Choice, Int, Space

SPACE = Space(
    {
        "optimizer": Choice(("sgd", "adam")),
        "momentum": Int(0, 2, when={"optimizer": "sgd"}),
        "units": Int(1, 3),
        "skip": Choice(("a", "b"), when={"momentum": (1, 2), "units": (2, 3)}),
    },
    constraints=["momentum < 2 or units > 1"],
)
SIZES = (2, 3, 3, 2)
MOVES = Moves(SPACE, SIZES, 1)


def successor(levels, action):
    """Return what an action leads to, by the definition; None where it may not be taken."""
    sets = [(d, v, False) for d, n in enumerate(SIZES) for v in range(n)]
    steps = [(d, v, True) for d in range(4) for v in (1, -1)]
    d, value, step = (sets + steps)[action]
    if (step and d in (0, 3)) or not active(levels)[d]:
        return None
    value = levels[d] + value if step else value
    if not 0 <= value < SIZES[d] or value == levels[d]:
        return None
    after = [*levels[:d], value, *levels[d + 1 :]]
    after = tuple(a * on for a, on in zip(after, active(after), strict=True))
    while after != (again := tuple(a * on for a, on in zip(after, active(after), strict=True))):
        after = again
    return after if feasible(after) else None


def active(levels):
    momentum = levels[0] == 0
    return [True, momentum, True, momentum and levels[1] >= 1 and levels[2] >= 1]


def feasible(levels):
    return levels[0] == 1 or levels[1] < 2 or levels[2] > 0


def states():
    grid = itertools.product(*map(range, SIZES))
    return [s for s in grid if feasible(s) and all(on or not a for a, on in zip(s, active(s), strict=True))]


@pytest.mark.slow
def test_every_action_is_legal_and_leads_where_it_should():
    found = states()
    levels, rung = jnp.asarray(found, jnp.int32), jnp.zeros(len(found), jnp.int32)
    legal = np.asarray(MOVES.legal(levels, rung))
    for action in range(MOVES.count):
        after = np.asarray(MOVES.apply(levels, jnp.full(len(found), action, jnp.int32)))
        for i, state in enumerate(found):
            expected = successor(state, action)
            assert legal[i, action] == (expected is not None), (state, action)
            if expected is not None:
                assert tuple(after[i]) == expected


@pytest.mark.slow
def test_the_leading_actions_are_all_that_lead_there():
    pairs = list(itertools.product(states(), repeat=2))
    old, new = (jnp.asarray(side, jnp.int32) for side in zip(*pairs, strict=True))
    zero = jnp.zeros(len(pairs), jnp.int32)
    leading = np.asarray(MOVES.leading(old, zero, new, zero, zero > 0))
    for row, (state, goal) in zip(leading, pairs, strict=True):
        assert row.tolist() == [successor(state, action) == goal for action in range(MOVES.count)]
    # Training on leads nowhere else.
    assert not np.asarray(MOVES.leading(old, zero, new, zero, zero == 0)).any()
