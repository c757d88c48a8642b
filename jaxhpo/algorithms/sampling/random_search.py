"""Random search."""

import jax
import jax.numpy as jnp

from jaxhpo.algorithms.common.checks import check_common
from jaxhpo.algorithms.common.proposals import uniform
from jaxhpo.space import Space
from jaxhpo.types import FRESH, Algorithm, Key, Metrics, Outcome, Proposal, State


def random_search(space: Space, *, lanes: int, budget: int = 1) -> Algorithm:
    """Search uniformly at random in the unit cube (Bergstra & Bengio 2012).

    It learns nothing from scores, and is a strong baseline.

    Args:
        space: Search space.
        lanes: Number of lanes: trials of a round.
        budget: Budget of every trial, in units of the objective such as epochs.

    Raises:
        ValueError: if an argument is invalid; the message names it.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0), "layers": jaxhpo.Int(1, 3)})
        >>> study = jaxhpo.Study(space, jaxhpo.algorithms.random_search(space, lanes=8))
        >>> study.lanes
        8
    """
    check_common(space, lanes, budget)

    def init(key: Key) -> State:
        del key
        return ()

    def ask(key: Key, state: State) -> Proposal:
        del state
        if space.constrained:
            point = uniform(key, space, lanes)
        else:
            point = space.canonical(jax.random.uniform(key, (lanes, len(space)), jnp.float32))
        none = jnp.full((lanes,), FRESH, jnp.int32)
        return Proposal(point, jnp.full((lanes,), budget, jnp.int32), none, jnp.ones((lanes,), bool), none)

    def tell(key: Key, state: State, proposal: Proposal, outcome: Outcome) -> tuple[State, Metrics]:
        del key, proposal, outcome
        return state, {}

    return Algorithm(init, ask, tell)
