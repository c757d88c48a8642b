"""The actions that a decision considers."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.proposals import uniform
from jaxhpo.algorithms.gp.search import Search, codes
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

STATES = 4  # number of configurations that are changed in a turn
_TURNS = 2  # number of turns; each changes the best configurations of the turn before
_ANYWHERE = 128  # actions that lead to a uniformly drawn configuration
_KEPT = 64  # number of best actions that are kept
_SETTINGS = 4  # levels that each hyperparameter is set to when the variance of Q is measured


class Considered(NamedTuple):
    """M actions. An action trains a configuration to some budget, from the start or from the end of one of its trials.

    Attributes:
        point: Configurations: [M, D] float32. The last B are uniform draws, one for each lane.
        code: Numbers that are equal for equal configurations: [M] uint32.
        allowed: Whether the action is allowed: its configuration is new and feasible, or its trial can continue: [M]
            bool.
        progress: Share of the largest budget, on a logarithmic scale, at which the next score is told: [M] float32.
        ends: Whether the action trains to the largest budget: [M] bool.
        cost: Logarithm of the share of the largest budget that the configuration still needs: [M] float32.
        row: Row of the continued trial in the history, or -1: [M] int32.
    """

    point: Array
    code: Array
    allowed: Array
    progress: Array
    ends: Array
    cost: Array
    row: Array


class Actions:
    """The actions in a space.

    Args:
        space: Search space.
        several: Number of actions per turn that change any number of hyperparameters.
        lanes: Number of lanes.
    """

    def __init__(self, space: Space, several: int, lanes: int):
        self._space, self._lanes = space, lanes
        self._search = Search(space, several)

    def consider(self, key: Key, start: Array, value: Callable[[Array], Array]) -> Considered:
        """Return the best K actions and B random ones; M is K + B.

        They change the starting configurations, or the configurations that these changes lead to, or lead to a uniform
        draw.

        Args:
            key: Random key.
            start: Starting configurations: [STATES, D].
            value: Value of configurations, -inf if not allowed: [M, D] -> [M].
        """
        anywhere_key, turn_key, odd_key = jax.random.split(key, 3)
        dimensions = start.shape[1]

        def turn(carry: tuple[Array, Array], key: Key) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            state, worth = carry
            beside = self._search.beside(key, state).reshape(-1, dimensions)
            found = value(beside)
            point, both = jnp.concatenate([state, beside]), jnp.concatenate([worth, found])
            # The best configurations so far are changed next, each of them once.
            best, rows = jax.lax.top_k(both, 4 * STATES)
            code = codes(point[rows])
            again = jnp.any((code[:, None] == code[None]) & np.tri(4 * STATES, k=-1, dtype=bool), axis=1)
            best, among = jax.lax.top_k(jnp.where(again, -jnp.inf, best), STATES)
            return (point[rows[among]], best), (beside, found)

        anywhere = uniform(anywhere_key, self._space, max(_ANYWHERE, 2 * self._lanes))
        begin = start, jnp.full(STATES, -jnp.inf, jnp.float32)
        _, (beside, found) = jax.lax.scan(turn, begin, jax.random.split(turn_key, _TURNS))
        point = jnp.concatenate([anywhere, beside.reshape(-1, dimensions)])
        worth, code = jnp.concatenate([value(anywhere), found.reshape(-1)]), codes(point)
        # Keep one of equal configurations.
        order = jnp.argsort(code)
        again = jnp.concatenate([jnp.zeros(1, bool), code[order][1:] == code[order][:-1]])
        worth = jnp.where(jnp.zeros(len(code), bool).at[order].set(again), -jnp.inf, worth)
        rows = jax.lax.top_k(worth, max(_KEPT, 2 * self._lanes))[1]
        draw = jax.random.uniform(odd_key, (len(anywhere),), jnp.float32)
        odd = jax.lax.top_k(jnp.where(worth[: len(anywhere)] > -jnp.inf, draw, -1.0), self._lanes)[1]
        rows = jnp.concatenate([rows, odd])
        zero, one = jnp.zeros(len(rows), jnp.float32), jnp.ones(len(rows), jnp.float32)
        none = jnp.full(len(rows), -1, jnp.int32)
        return Considered(point[rows], code[rows], worth[rows] > -jnp.inf, one, one > 0, zero, none)

    def around(self, point: Array) -> Array:
        """Return the configurations with one hyperparameter set to one of the levels: [D] -> [D * _SETTINGS, D]."""
        dimensions = point.shape[0]
        level = (jnp.arange(_SETTINGS, dtype=jnp.float32) + 0.5) / _SETTINGS
        own = jnp.eye(dimensions, dtype=bool)[:, None]
        every = jnp.where(own, level[None, :, None], point[None, None])
        return self._space.canonical(every.reshape(-1, dimensions))
