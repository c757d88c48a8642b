"""Points made into proposals, and the draws and moves that methods share."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.space import Choice, Space
from jaxhpo.types import FRESH, Array, Key, Proposal


def fresh(point: Array, budget: int | Array) -> Proposal:
    """Return points ([B, D], canonical and legal) as a proposal of trials that start afresh, all active."""
    lanes = point.shape[0]
    none = jnp.full((lanes,), FRESH, jnp.int32)
    budgets = jnp.broadcast_to(jnp.asarray(budget, jnp.int32), (lanes,))
    return Proposal(point.astype(jnp.float32), budgets, none, jnp.ones((lanes,), bool), none)


def legal(key: Key, space: Space, point: Array) -> Array:
    """Return points of the cube as points that may be proposed: [N, D] -> [N, D] canonical float32."""
    del key
    return space.canonical(jnp.clip(point, 0.0, 1.0).astype(jnp.float32))


def uniform(key: Key, space: Space, number: int) -> Array:
    """Return points drawn uniformly: [number, D], canonical and legal."""
    draw_key, legal_key = jax.random.split(key)
    return legal(legal_key, space, jax.random.uniform(draw_key, (number, len(space)), jnp.float32))


def ordered(space: Space) -> np.ndarray:
    """Return which dimensions have an order: [D] bool; a Choice of words has none."""
    return np.array([not isinstance(d, Choice) or d.ordered for d in space.values()])
