"""Grid search."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.checks import check_common
from jaxhpo.algorithms.sampling.grid_counter import GridCounter
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal


class GridState(NamedTuple):
    """A mixed-radix counter over the levels. The grid itself is never stored.

    Attributes:
        digits: Levels of the next configuration: [D] int32.
        exhausted: Whether all configurations have been told: [] bool.
    """

    digits: Array
    exhausted: Array


def grid_search(space: Space, *, lanes: int, budget: int = 1) -> Algorithm:
    """Search all combinations of levels in lexicographic order, the last hyperparameter fastest; then propose nothing.

    In a space with conditions, parents are counted before children, and an inactive hyperparameter counts as one level.
    In a space with constraints, combinations that violate them are skipped. If fewer than one in several million
    combinations satisfies them, the search may end early.

    Args:
        space: Search space; every dimension needs levels.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.

    Raises:
        ValueError: if an argument is invalid or a dimension has no levels; the message names it.
    """
    check_common(space, lanes, budget)
    sizes = np.array(space.require_levels("grid_search"), np.int32)

    counter = GridCounter(space) if space.conditional or space.constrained else None

    def ahead(state: GridState, steps: Array) -> GridState:
        """Return the counters after `steps` more configurations, [...] int32: digits [..., D], exhausted [...].

        It adds digit by digit with carries, because the number of a configuration may exceed every integer type.
        """
        digits, carry = [], steps
        for d in range(len(sizes) - 1, -1, -1):
            total = state.digits[d] + carry
            digits.append(total % sizes[d])
            carry = total // sizes[d]
        return GridState(jnp.stack(digits[::-1], axis=-1), state.exhausted | (carry > 0))

    def following(state: GridState) -> tuple[Array, Array]:
        """Return the next `lanes` points, [B, D] float32, and which of them exist, [B] bool."""
        if counter is not None:
            digits, there, _ = counter.read(state.digits, state.exhausted, lanes)
            return space.from_levels(digits), there
        counters = ahead(state, jnp.arange(lanes, dtype=jnp.int32))
        return space.from_levels(counters.digits), ~counters.exhausted

    def after(state: GridState, done: Array) -> GridState:
        """Return the counter after the first `done` ([] int32) of the next `lanes` configurations."""
        if counter is None:
            return ahead(state, done)
        digits, there, over = counter.read(state.digits, state.exhausted, lanes + 1)
        return GridState(digits[done], ~there[done] & over)

    def init(key: Key) -> GridState:
        del key
        return GridState(jnp.zeros(len(sizes), jnp.int32), jnp.bool_(False))

    def ask(key: Key, state: GridState) -> Proposal:
        del key
        point, there = following(state)
        none = jnp.full((lanes,), FRESH, jnp.int32)
        return Proposal(point, jnp.full((lanes,), budget, jnp.int32), none, there, none)

    def tell(key: Key, state: GridState, proposal: Proposal, outcome: Outcome) -> tuple[GridState, Metrics]:
        del key, outcome
        # Only leading rows that are the next points of the grid count. So a round that was cut short is resumed, and
        # a round of enqueued configurations does not advance the counter.
        point, there = following(state)
        own = proposal.active & there & jnp.all(proposal.point == point, axis=-1)
        done = jnp.sum(jnp.cumprod(own, dtype=jnp.int32), dtype=jnp.int32)
        return after(state, done), {}

    return Algorithm(init, ask, tell, exhaustive=True)
