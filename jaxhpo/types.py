"""The words that every layer speaks: Proposal, Outcome, Algorithm, Objective.

``B`` is the number of lanes (slots of one compiled batch), ``D`` the number of hyperparameters. All of these are
pytrees or tuples of pure functions, so they pass through ``jit``, ``vmap`` and ``scan`` unchanged.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Array = jax.Array
Key = jax.Array  # a typed threefry key, as `jax.random.key` makes it
State = Any  # a pytree of arrays
Metrics = dict[str, Array]  # scalars by name, the same names every round

FRESH = -1
"""``Proposal.source`` of a lane that starts training afresh; ``Proposal.trial`` of a padding lane."""


class Proposal(NamedTuple):
    """A batch of configurations to evaluate."""

    point: Array  # [B, D] float32 in [0, 1]: the unit cube
    budget: Array  # [B] int32: total budget when this evaluation ends, what `source` had spent included
    source: Array  # [B] int32: trial whose training state to continue, -1 = start fresh
    active: Array  # [B] bool: False for a padding lane
    trial: Array  # [B] int32: the lane's trial id, numbered by the study before evaluate; -1 on padding


class Outcome(NamedTuple):
    """What evaluating a Proposal returned."""

    score: Array  # [B] float32, nan = failed; an algorithm is told what is higher where it is better
    aux: dict[str, Array]  # [B, ...] learning curve, steps, ...; never a test score


def keep_state(state: State, trials: Any) -> State:
    """Return the state as it is: what `grow` and `retain` are where nothing grows and nothing is dropped."""
    del trials
    return state


class Algorithm(NamedTuple):
    """A search method: pure functions over an explicit state.

    ``ask`` never changes the state and always returns exactly ``lanes`` rows; a row that it has nothing to put in is
    inactive. ``tell`` accepts any batch of that shape, rows it did not propose included.

    ``grow(state, trials)`` returns the state with room for so many told trials. Whoever loops calls it before a
    ``tell``, outside of compiled code or while it is traced, with the trials told after it; so compiled programs are
    one a size, and sizes double: 64, 128, 256, ... ``resumable(state)`` names the trials that a later proposal may
    continue through ``Proposal.source``: [R] int32, -1 where there is none; None is a method that continues none.
    """

    init: Callable[[Key], State]
    ask: Callable[[Key, State], Proposal]
    tell: Callable[[Key, State, Proposal, Outcome], tuple[State, Metrics]]
    grow: Callable[[State, int], State] = keep_state
    resumable: Callable[[State], Array] | None = None


class Objective(NamedTuple):
    """What is being tuned, as pure functions; ``init`` returns ``()`` where nothing is kept.

    ``evaluate`` may instead be a ``HostFunction``, which compiles its own programs and is called with NumPy arrays.
    ``retain(state, trials)`` is called after every tell with what the algorithm's ``resumable`` returned: training
    states of other trials may be dropped. None is an objective that cannot continue trials; one that needs no training
    state for it, as a recorded learning curve does not, returns the state as it is.
    """

    init: Callable[[Key], State]
    evaluate: Callable[[Key, State, Proposal], tuple[State, Outcome]]
    retain: Callable[[State, Array], State] | None = None


class LaneResult(NamedTuple):
    """What evaluating one lane of a Proposal returned.

    Attributes:
        score: the lane's `Outcome.score`, as the objective gives it; nan where the trial failed.
        aux: the lane's part of `Outcome.aux`, NumPy arrays by name.
    """

    score: float
    aux: dict[str, Any]


Finished = Callable[[int, LaneResult], None]
"""Called with a lane and its result as soon as that is there: from any thread, one at a time, in any order."""


def ignore_result(lane: int, result: LaneResult) -> None:
    """Do nothing: for callers of an objective that wait for the whole round."""
    del lane, result
