"""One round of a study as pure functions. The host loop and the traced `scan` use the same functions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Objective, Outcome, Proposal, State

_ALGORITHM, _OBJECTIVE = 0, 1  # numbers folded into the study's key


class Keys(NamedTuple):
    """The two random keys from which all others are derived.

    Attributes:
        algorithm: Key of the algorithm; the round is folded in.
        objective: Key of the objective, the same in every round; objectives fold in the trial.
    """

    algorithm: Key
    objective: Key


class Clock(NamedTuple):
    """The position of a study. Round keys and trial ids follow from it.

    Attributes:
        round: Number of told rounds: [] int32.
        trial: Number of told trials, which is the id of the next trial: [] int32.
    """

    round: Array
    trial: Array


class Carry(NamedTuple):
    """The state of a study between two rounds.

    Attributes:
        algorithm: State of the algorithm.
        objective: State of the objective.
        clock: Position of the study.
    """

    algorithm: State
    objective: State
    clock: Clock


class Record(NamedTuple):
    """The record of one round; `run_traced` returns one with two leading axes, [studies, rounds].

    Attributes:
        proposal: The configurations of the round.
        outcome: Their scores, where higher is better, and further results.
        metrics: Scalars by name that the algorithm's `tell` returned.
    """

    proposal: Proposal
    outcome: Outcome
    metrics: Metrics


class Steps(NamedTuple):
    """The functions of a round. On the host each is a compiled program; under `scan` they are traced together.

    Attributes:
        start: ``start(seed) -> (keys, algorithm state)``.
        propose: ``propose(keys, algorithm state, clock, limit) -> proposal`` with at most `limit` active lanes.
        evaluate: ``evaluate(keys, objective state, proposal) -> (objective state, outcome)``.
        observe: ``observe(keys, algorithm state, clock, proposal, outcome) -> (algorithm state, clock, outcome,
            metrics)``.
        retain: ``retain(algorithm state, objective state) -> objective state``.
    """

    start: Callable[[Array], tuple[Keys, State]]
    propose: Callable[[Keys, State, Clock, Array], Proposal]
    evaluate: Callable[[Keys, State, Proposal], tuple[State, Outcome]]
    observe: Callable[[Keys, State, Clock, Proposal, Outcome], tuple[State, Clock, Outcome, Metrics]]
    retain: Callable[[State, State], State]


def make_steps(algorithm: Algorithm, objective: Objective | None, sign: float = 1.0) -> Steps:
    """Return the functions of a round; `sign` is -1 if lower scores of the objective are better.

    Raises:
        ValueError: if the algorithm perturbs what it continues, and the objective trains every trial from its start.
    """
    if objective is not None and objective.restarts and algorithm.perturbs:
        raise ValueError(
            "algorithm changes hyperparameters of a training as it goes on, and a function trains every trial from its "
            "start with the last ones only; use another algorithm with rungs, such as 'asha' or 'hyperband'"
        )

    def start(seed: Array) -> tuple[Keys, State]:
        key = jax.random.key(seed, impl="threefry2x32")
        keys = Keys(jax.random.fold_in(key, _ALGORITHM), jax.random.fold_in(key, _OBJECTIVE))
        return keys, algorithm.init(keys.algorithm)

    def propose(keys: Keys, state: State, clock: Clock, limit: Array) -> Proposal:
        proposal = algorithm.ask(jax.random.fold_in(keys.algorithm, clock.round), state)
        return number(proposal, clock.trial, limit)

    def evaluate(keys: Keys, state: State, proposal: Proposal) -> tuple[State, Outcome]:
        assert objective is not None  # the study checks
        state, outcome = objective.evaluate(keys.objective, state, proposal)
        error = jnp.broadcast_to(jnp.asarray(outcome.standard_error, jnp.float32), outcome.score.shape)
        return state, outcome._replace(score=outcome.score if sign == 1 else -outcome.score, standard_error=error)

    def observe(
        keys: Keys, state: State, clock: Clock, proposal: Proposal, outcome: Outcome
    ) -> tuple[State, Clock, Outcome, Metrics]:
        outcome = clean(proposal, outcome)
        key = jax.random.fold_in(keys.algorithm, clock.round)
        state, metrics = algorithm.tell(key, state, proposal, outcome)
        told = jnp.sum(proposal.active, dtype=jnp.int32)
        return state, Clock(clock.round + 1, clock.trial + told), outcome, metrics

    def retain(state: State, objective_state: State) -> State:
        if algorithm.resumable is None or objective is None or objective.retain is None:
            return objective_state
        return objective.retain(objective_state, algorithm.resumable(state))

    return Steps(start, propose, evaluate, observe, retain)


def number(proposal: Proposal, trial: Array, limit: Array) -> Proposal:
    """Return the proposal with at most `limit` active lanes, whose trials are numbered from `trial`."""
    rank = jnp.cumsum(proposal.active, dtype=jnp.int32) - 1
    active = proposal.active & (rank < limit)
    return proposal._replace(active=active, trial=jnp.where(active, trial + rank, FRESH))


def clean(proposal: Proposal, outcome: Outcome, xp: Any = jnp) -> Outcome:
    """Return the outcome with nan in place of scores that are not finite or that belong to padding lanes.

    The standard errors become [B] float32, with nan in place of those of such scores, infinite ones and negative ones.

    Args:
        proposal: The round.
        outcome: As the objective returned it.
        xp: `jax.numpy`, or `numpy` for NumPy arrays.
    """
    score, error = outcome.score.astype(jnp.float32), xp.asarray(outcome.standard_error, jnp.float32)
    good = proposal.active & xp.isfinite(score)
    known = good & xp.isfinite(error) & (error >= 0)
    return outcome._replace(
        score=xp.where(good, score, jnp.nan), standard_error=xp.where(known, error, np.float32(jnp.nan))
    )


def round_step(steps: Steps, keys: Keys, carry: Carry, limit: Array) -> tuple[Carry, Record]:
    """Run one round, with at most `limit` trials ([] int32): ask, evaluate, tell."""
    proposal = steps.propose(keys, carry.algorithm, carry.clock, limit)
    objective, outcome = steps.evaluate(keys, carry.objective, proposal)
    algorithm, clock, outcome, metrics = steps.observe(keys, carry.algorithm, carry.clock, proposal, outcome)
    return Carry(algorithm, steps.retain(algorithm, objective), clock), Record(proposal, outcome, metrics)
