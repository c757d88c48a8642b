"""Grid search."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.algorithms.common.checks import check_common
from jaxhpo.algorithms.sampling.grid_counter import Odometer
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Outcome, Proposal


class GridState(NamedTuple):
    """A mixed-radix counter; the grid itself is nowhere in memory."""

    digits: Array  # [D] int32: levels of the next configuration
    exhausted: Array  # [] bool: the counter has passed the last one


def grid_search(space: Space, *, lanes: int, budget: int = 1) -> Algorithm:
    """Search all level combinations in lexicographic order, the last hyperparameter fastest; then propose nothing.

    Where a space has conditions, hyperparameters are counted parents first, and an inactive one only once; where it has
    constraints, what does not fulfil them is passed over. A grid in which fewer than one combination in millions does
    may end early.

    Args:
        space: what to search; every dimension needs levels.
        lanes: rows a proposal has.
        budget: every trial's budget, such as epochs.

    Raises:
        ValueError: naming the argument that cannot be, or the dimension without levels.
    """
    check_common(space, lanes, budget)
    sizes = np.array(space.require_levels("grid_search"), np.int32)

    odometer = Odometer(space) if space.conditional or space.constrained else None

    def ahead(state: GridState, steps: Array) -> GridState:
        """Return the counters `steps` ([...] int32) further on: [..., D] digits, [...] exhausted.

        Digit by digit with carries, as the number itself may not fit any integer.
        """
        digits, carry = [], steps
        for d in range(len(sizes) - 1, -1, -1):
            total = state.digits[d] + carry
            digits.append(total % sizes[d])
            carry = total // sizes[d]
        return GridState(jnp.stack(digits[::-1], axis=-1), state.exhausted | (carry > 0))

    def following(state: GridState) -> tuple[Array, Array]:
        """Return the next `lanes` points, [B, D] float32, and which of them exist, [B] bool."""
        if odometer is not None:
            digits, there, _ = odometer.read(state.digits, state.exhausted, lanes)
            return space.from_levels(digits), there
        counters = ahead(state, jnp.arange(lanes, dtype=jnp.int32))
        return space.from_levels(counters.digits), ~counters.exhausted

    def after(state: GridState, done: Array) -> GridState:
        """Return the counter after `done` ([] int32) of the next `lanes` configurations."""
        if odometer is None:
            return ahead(state, done)
        digits, there, over = odometer.read(state.digits, state.exhausted, lanes + 1)
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
        # Only leading rows that are the grid's own next points count: a batch cut short resumes where it was cut, and
        # a batch that the user enqueued moves nothing.
        point, there = following(state)
        own = proposal.active & there & jnp.all(proposal.point == point, axis=-1)
        done = jnp.sum(jnp.cumprod(own, dtype=jnp.int32), dtype=jnp.int32)
        return after(state, done), {}

    return Algorithm(init, ask, tell)
