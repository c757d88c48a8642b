"""The actions that are considered in a decision: where they lead."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.proposals import uniform
from jaxhpo.algorithms.gp.search import Search, codes
from jaxhpo.space import Space
from jaxhpo.types import Array, Key

STATES = 4  # from which actions are considered at once
_TURNS = 2  # of considering the actions of the states that looked best in the turn before
_ANYWHERE = 128  # actions that lead to a configuration drawn uniformly
_KEPT = 64  # of all considered: those that look best
_SETTINGS = 4  # levels that each hyperparameter is set to where the variance of Q is measured


class Considered(NamedTuple):
    """M actions: to train a configuration so far, from the beginning or from where a trial of it stopped."""

    point: Array  # [M, D] float32; the last B are drawn uniformly, one for each lane
    code: Array  # [M] uint32: equal for equal ones
    allowed: Array  # [M] bool: a new configuration that is feasible, or a trial that can go on
    progress: Array  # [M] float32: the share of the budget after which its score is told
    ends: Array  # [M] bool: that is all of it
    cost: Array  # [M] float32: logarithm of the epochs that are left of the whole, as a share
    row: Array  # [M] int32: of the history, the trial that goes on; -1 is none


class Actions:
    """The actions of a space.

    Args:
        space: what is searched.
        several: actions of a turn that change any number of hyperparameters.
        lanes: that act.
    """

    def __init__(self, space: Space, several: int, lanes: int):
        self._space, self._lanes = space, lanes
        self._search = Search(space, several)

    def consider(self, key: Key, start: Array, value: Callable[[Array], Array]) -> Considered:
        """Return the actions that look best: changes of the start, of where those lead, and jumps anywhere; M is K + B.

        Args:
            key: consumed.
            start: states: [STATES, D].
            value: what a configuration is worth in itself: [M, D] -> [M]; -inf if it is not allowed.
        """
        anywhere_key, turn_key, odd_key = jax.random.split(key, 3)
        dimensions = start.shape[1]

        def turn(carry: tuple[Array, Array], key: Key) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            state, worth = carry
            beside = self._search.beside(key, state).reshape(-1, dimensions)
            found = value(beside)
            point, both = jnp.concatenate([state, beside]), jnp.concatenate([worth, found])
            # The best of all so far are the next states; the same one is not taken twice.
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
        # Of equal ones one is kept.
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
        """Return where a configuration's actions lead that set one hyperparameter: [D] -> [D * _SETTINGS, D]."""
        dimensions = point.shape[0]
        level = (jnp.arange(_SETTINGS, dtype=jnp.float32) + 0.5) / _SETTINGS
        own = jnp.eye(dimensions, dtype=bool)[:, None]
        every = jnp.where(own, level[None, :, None], point[None, None])
        return self._space.canonical(every.reshape(-1, dimensions))
