"""The actions of the tabular agent: set a hyperparameter to a level, move it one level up or down, train on."""

import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Choice, Space
from jaxhpo.types import Array


class Moves:
    """The actions in a space: first those that set a level of each dimension, then up and down, then "continue".

    "Continue" trains the same configuration to the next rung; it exists only if there is more than one rung. An action
    may change which hyperparameters are active; one that becomes active or inactive is then at its first level.

    Args:
        space: Search space.
        levels: Number of levels of each dimension.
        rungs: Number of rungs.
    """

    def __init__(self, space: Space, levels: tuple[int, ...], rungs: int):
        sets = [(d, level) for d, size in enumerate(levels) for level in range(size)]
        steps = [(d, step) for d in range(len(levels)) for step in (1, -1)]
        self.rungs = rungs
        self._space = space
        self._plain = not (space.conditional or space.constrained)
        self.count = len(sets) + len(steps) + (rungs > 1)
        self._sizes = np.array(levels, np.int32)
        dims = [d for d, _ in sets + steps] + [0] * (rungs > 1)
        self._dim = np.array(dims, np.int32)
        self._value = np.array([v for _, v in sets + steps] + [0] * (rungs > 1), np.int32)
        self._is_step = np.arange(self.count) >= len(sets)
        self._is_continue = (np.arange(self.count) == self.count - 1) & (rungs > 1)
        # Up and down need ordered levels.
        ordered = np.array([not isinstance(d, Choice) or d.ordered for d in space.values()])
        self._allowed = ~self._is_step | ordered[self._dim]

    def targets(self, levels: Array) -> Array:
        """Return the level to which each action sets its dimension: [N, D] int32 -> [N, A] int32."""
        here = levels[:, self._dim]
        target = jnp.where(self._is_step[None], here + self._value[None], self._value[None])
        return jnp.where(self._is_continue[None], here, target)

    def legal(self, levels: Array, rung: Array) -> Array:
        """Return which actions are allowed: [N, D], [N] int32 -> [N, A] bool.

        An action must change the state. It must not change an inactive hyperparameter or violate a constraint.
        """
        here, target = levels[:, self._dim], self.targets(levels)
        inside = (target >= 0) & (target < self._sizes[self._dim][None])
        changes = self._allowed[None] & inside & (target != here)
        if not self._plain:
            active = self._space.active(self._space.from_levels(levels))[:, self._dim]
            changes = changes & active & self._space.feasible(self._space.from_levels(self._after(levels)))
        return jnp.where(self._is_continue[None], rung[:, None] < self.rungs - 1, changes)

    def apply(self, levels: Array, action: Array) -> Array:
        """Return the levels after one action each: [N, D], [N] int32 -> [N, D]."""
        rows = jnp.arange(levels.shape[0], dtype=jnp.int32)
        dim = jnp.asarray(self._dim)[action]
        levels = levels.at[rows, dim].set(self.targets(levels)[rows, action])
        return levels if self._plain else self._settled(levels)

    def _after(self, levels: Array) -> Array:
        """Return the levels after every action, clipped to the grid: [N, D] int32 -> [N, A, D]."""
        target = jnp.clip(self.targets(levels), 0, self._sizes[self._dim][None] - 1)
        changed = self._dim[:, None] == np.arange(len(self._sizes))[None]
        return self._settled(jnp.where(changed[None], target[:, :, None], levels[:, None]))

    def _settled(self, levels: Array) -> Array:
        """Return levels with those of inactive hyperparameters set to 0: [..., D] int32."""
        return jnp.where(self._space.active(self._space.from_levels(levels)), levels, 0)

    def continues(self, action: Array) -> Array:
        """Return whether actions are "continue": [N] int32 -> [N] bool."""
        return jnp.asarray(self._is_continue)[action]

    def leading(self, levels: Array, rung: Array, new_levels: Array, new_rung: Array, goes_on: Array) -> Array:
        """Return all allowed actions that lead from one state to another: [N, A] bool.

        "Set to 3" and "up from 2" are the same step, so both learn from it. `goes_on` ([N] bool) is True if the trial
        continued the training of the first state.
        """
        differs = levels != new_levels
        single = (jnp.sum(differs, axis=1) == 1) & (new_rung == 0) & ~goes_on
        changed = jnp.argmax(differs, axis=1).astype(jnp.int32)
        goal = jnp.take_along_axis(new_levels, changed[:, None], axis=1)
        hits = (self._dim[None] == changed[:, None]) & (self.targets(levels) == goal) & single[:, None]
        if not self._plain:  # one action may change several levels
            fresh = (jnp.any(differs, axis=1) & (new_rung == 0) & ~goes_on)[:, None]
            hits = jnp.all(self._after(levels) == new_levels[:, None], axis=2) & fresh
        on = goes_on & ~jnp.any(differs, axis=1) & (new_rung == rung + 1)
        return self.legal(levels, rung) & jnp.where(self._is_continue[None], on[:, None], hits)
