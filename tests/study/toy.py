"""A search problem whose answers are known, for testing the study without training anything."""

import jax.numpy as jnp

from jaxhpo.algorithms import random_search
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.types import Objective, Outcome

SPACE = Space({"a": Float(0.0, 1.0), "b": Int(1, 5), "c": Choice(("x", "y"))})
OPTIMUM = 0.7


def score(key, proposal):
    """1 - |a - 0.7|: higher is better; nan where b is 5, infinite where b is 4."""
    del key
    values = SPACE.decode(proposal.point)
    plain = 1 - jnp.abs(values["a"] - OPTIMUM)
    return jnp.where(values["b"] == 5, jnp.nan, jnp.where(values["b"] == 4, jnp.inf, plain))


def objective():
    """Return the toy objective; its state counts evaluations."""

    def evaluate(key, state, proposal):
        return state + 1, Outcome(score(key, proposal), {"spent": proposal.budget * 2})

    return Objective(lambda key: jnp.int32(0), evaluate)


def search(lanes=4):
    """Return random search over the toy space."""
    return random_search(SPACE, lanes=lanes, budget=3)
