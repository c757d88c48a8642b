"""The types that every layer uses: Proposal, Outcome, Algorithm, Objective.

In shapes, ``B`` is the number of lanes and ``D`` the number of hyperparameters of the space. A Proposal and an Outcome
are pytrees of arrays; an Algorithm and an Objective are tuples of pure functions. So all of them work under ``jit``,
``vmap`` and ``scan``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array
Key = jax.Array  # a typed key that `jax.random.key` returns
State = Any  # a pytree of arrays
Metrics = dict[str, Array]  # scalars by name, the same names every round

FRESH = -1
"""Value of ``Proposal.source`` for a lane that trains from the start, and of ``Proposal.trial`` for a padding lane."""


class Proposal(NamedTuple):
    """The configurations of one round, one per lane.

    Attributes:
        point: Configurations as points of the unit cube: [B, D] float32 in [0, 1].
        budget: Total budget that each trial has when the evaluation ends, in units of the objective such as epochs: [B]
            int32. It includes the budget that the `source` trial has already spent.
        source: Id of the trial whose training state is continued, or -1 to train from the start: [B] int32.
        active: Whether the lane evaluates a trial; False for a padding lane: [B] bool.
        trial: Id of the lane's trial, -1 for a padding lane: [B] int32. Algorithms leave it at -1; the study numbers
            the trials before it evaluates them.

    Example:
        >>> import jax, jaxhpo
        >>> space = jaxhpo.Space({"layers": jaxhpo.Int(1, 3), "optimizer": jaxhpo.Choice(("sgd", "adam"))})
        >>> algorithm = jaxhpo.algorithms.grid_search(space, lanes=4, budget=5)
        >>> state = algorithm.init(jax.random.key(0))
        >>> proposal = jax.jit(algorithm.ask)(jax.random.key(1), state)
        >>> proposal.point.shape, proposal.budget.tolist()
        ((4, 2), [5, 5, 5, 5])
        >>> space.to_config(proposal.point[1])
        {'layers': 1, 'optimizer': 'adam'}
    """

    point: Array
    budget: Array
    source: Array
    active: Array
    trial: Array


class Outcome(NamedTuple):
    """The result of evaluating a Proposal.

    Attributes:
        score: Score of each lane, nan if the trial failed: [B] float32. An objective returns scores in the direction
            that the user chose; an algorithm always receives scores where higher is better.
        aux: Further results by name, [B, ...] each, such as learning curves. They never hold a test score.
        standard_error: Standard error of each score, in units of the score, nan where it is not known: [B] float32, or
            a scalar for all lanes. It has no direction. An algorithm always receives [B] float32, at least 0 or nan.

    Example:
        >>> import jax.numpy as jnp, jaxhpo
        >>> outcome = jaxhpo.Outcome(score=jnp.array([0.5, jnp.nan]), aux={"steps": jnp.array([100, 37])})
        >>> jnp.isnan(outcome.score).tolist()  # the second trial failed
        [False, True]
        >>> bool(jnp.isnan(outcome.standard_error))  # how exact the scores are is not known
        True
    """

    score: Array
    aux: dict[str, Array]
    standard_error: Array = np.float32(np.nan)  # pyright: ignore[reportAssignmentType]


def keep_state(state: State, trials: Any) -> State:
    """Return the state unchanged: the default of `Algorithm.grow`, and a `retain` that drops nothing."""
    del trials
    return state


class Algorithm(NamedTuple):
    """A search method: pure functions over an explicit state, which is a pytree of arrays.

    The factories in `jaxhpo.algorithms` make one.

    Attributes:
        init: ``init(key) -> state``: the state before the first trial.
        ask: ``ask(key, state) -> proposal``: the next round. The proposal always has exactly `lanes` rows; a row
            without a configuration is inactive. The state does not change.
        tell: ``tell(key, state, proposal, outcome) -> (state, metrics)``: the state after a round, and scalars by name,
            with the same names in every round. Higher scores are better. The round may hold configurations that the
            algorithm did not propose.
        grow: ``grow(state, trials) -> state``: the state with room for that many told trials. Call it before each
            `tell` with the number of trials told after it, on the host or while tracing. Sizes double (64, 128, 256,
            ...), so few programs are compiled. The default returns the state unchanged.
        resumable: ``resumable(state) -> trials``: ids of the trials that later proposals may continue through
            ``Proposal.source``, padded with -1: [R] int32. None if the method never continues a trial.
        perturbs: Whether a proposal may continue a trial with other hyperparameters than the trial had, as
            population-based training does.
        exhaustive: Whether the method proposes every configuration of a grid once, and then nothing.

    Example:
        >>> import jax, jax.numpy as jnp, jaxhpo
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0)})
        >>> algorithm = jaxhpo.algorithms.random_search(space, lanes=8)
        >>> state = algorithm.init(jax.random.key(0))
        >>> proposal = jax.jit(algorithm.ask)(jax.random.key(1), state)
        >>> outcome = jaxhpo.Outcome(score=-(space.decode(proposal.point)["x"] ** 2), aux={})
        >>> state, metrics = algorithm.tell(jax.random.key(2), algorithm.grow(state, 8), proposal, outcome)
    """

    init: Callable[[Key], State]
    ask: Callable[[Key, State], Proposal]
    tell: Callable[[Key, State, Proposal, Outcome], tuple[State, Metrics]]
    grow: Callable[[State, int], State] = keep_state
    resumable: Callable[[State], Array] | None = None
    perturbs: bool = False
    exhaustive: bool = False


class Objective(NamedTuple):
    """The function to optimize, as pure functions over an explicit state, which is a pytree of arrays.

    Attributes:
        init: ``init(key) -> state``: the state before the first trial, ``()`` if the objective keeps no state.
        evaluate: ``evaluate(key, state, proposal) -> (state, outcome)``: the scores of a round. It is compiled, unless
            it is a `jaxhpo.compilation.HostFunction`: that one compiles its own programs and receives NumPy arrays.
        retain: ``retain(state, trials) -> state``: called after every `tell` with the trials that `Algorithm.resumable`
            returned. It may drop the training states of all other trials. An objective that can continue trials without
            a training state, such as a table of learning curves, returns the state unchanged. None if the objective
            cannot continue trials.
        restarts: Whether every trial is trained from its start, also one that continues another: the whole budget is
            computed again. An algorithm that `perturbs` cannot be used then.
        alone: ``alone(key, proposal, lane) -> score``: one lane computed by itself, a
            `jaxhpo.compilation.HostFunction` of NumPy arrays. `Study.run` compares two trials of its first round with
            it, and refuses an objective whose lanes depend on each other. None: nothing is compared.

    Example:
        >>> import jaxhpo
        >>> space = jaxhpo.Space({"x": jaxhpo.Float(-1.0, 1.0)})
        >>> def evaluate(key, state, proposal):
        ...     return state, jaxhpo.Outcome(score=-(space.decode(proposal.point)["x"] ** 2), aux={})
        >>> objective = jaxhpo.Objective(init=lambda key: (), evaluate=evaluate)
        >>> objective.retain is None  # it cannot continue trials
        True
    """

    init: Callable[[Key], State]
    evaluate: Callable[[Key, State, Proposal], tuple[State, Outcome]]
    retain: Callable[[State, Array], State] | None = None
    restarts: bool = False
    alone: Callable[[Key, Proposal, int], float] | None = None


class LaneResult(NamedTuple):
    """What evaluating one lane of a Proposal returned.

    Attributes:
        score: The lane's `Outcome.score`, as the objective gives it; nan where the trial failed.
        aux: The lane's part of `Outcome.aux`, NumPy arrays by name.
        reason: Why the trial failed, in one line; None if it did not, or if all that is known is that the score is not
            finite.
        exception: A text that is the same for trials that failed by the same exception, of one type from one line; None
            if it was no exception. A study ends if it is the same in the whole first round.
        standard_error: The lane's `Outcome.standard_error`; nan where it is not known.
    """

    score: float
    aux: dict[str, Any]
    reason: str | None = None
    exception: str | None = None
    standard_error: float = float("nan")


Finished = Callable[[int, LaneResult], None]
"""Called with a lane and its result as soon as that is there: from any thread, one at a time, in any order."""


def ignore_result(lane: int, result: LaneResult) -> None:
    """Do nothing: for callers of an objective that wait for the whole round."""
    del lane, result
