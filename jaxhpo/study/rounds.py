"""One round of a study as a pure function; the host loop and a traced `scan` run this same one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxhpo.types import FRESH, Algorithm, Array, Key, Metrics, Objective, Outcome, Proposal, State

_ALGORITHM, _OBJECTIVE = 0, 1  # what the study's key is folded with


class Keys(NamedTuple):
    """The two keys that every other is folded from."""

    algorithm: Key  # folded with the round
    objective: Key  # handed on as it is, every round: trainers fold it with the trial


class Clock(NamedTuple):
    """Where a study stands; every round key and trial id follows from it."""

    round: Array  # [] int32: rounds told
    trial: Array  # [] int32: trials told, and so the next one's id


class Carry(NamedTuple):
    """What a study knows between two rounds."""

    algorithm: State
    objective: State
    clock: Clock


class Record(NamedTuple):
    """What one round did."""

    proposal: Proposal
    outcome: Outcome
    metrics: Metrics


class Steps(NamedTuple):
    """The parts of a round. On the host each is one compiled program; under `scan` they are traced together."""

    start: Callable[[Array], tuple[Keys, State]]  # seed -> keys, algorithm state
    propose: Callable[[Keys, State, Clock, Array], Proposal]  # keys, algorithm state, clock, limit
    evaluate: Callable[[Keys, State, Proposal], tuple[State, Outcome]]  # keys, objective state, proposal
    observe: Callable[[Keys, State, Clock, Proposal, Outcome], tuple[State, Clock, Outcome, Metrics]]
    retain: Callable[[State, State], State]  # algorithm state, objective state -> objective state


def make_steps(algorithm: Algorithm, objective: Objective | None, sign: float = 1.0) -> Steps:
    """Return the pure parts of a round; `sign` is -1 where an objective's lower scores are the better ones."""

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
        return state, outcome if sign == 1 else outcome._replace(score=-outcome.score)

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
    """Return the proposal with at most `limit` active lanes, numbered from `trial` on."""
    rank = jnp.cumsum(proposal.active, dtype=jnp.int32) - 1
    active = proposal.active & (rank < limit)
    return proposal._replace(active=active, trial=jnp.where(active, trial + rank, FRESH))


def clean(proposal: Proposal, outcome: Outcome) -> Outcome:
    """Return the outcome with nan for every score that is not finite or is a padding lane's."""
    score = outcome.score.astype(jnp.float32)
    return outcome._replace(score=jnp.where(proposal.active & jnp.isfinite(score), score, jnp.nan))


def round_step(steps: Steps, keys: Keys, carry: Carry, limit: Array) -> tuple[Carry, Record]:
    """Ask, evaluate, tell: at most `limit` new trials ([] int32)."""
    proposal = steps.propose(keys, carry.algorithm, carry.clock, limit)
    objective, outcome = steps.evaluate(keys, carry.objective, proposal)
    algorithm, clock, outcome, metrics = steps.observe(keys, carry.algorithm, carry.clock, proposal, outcome)
    return Carry(algorithm, steps.retain(algorithm, objective), clock), Record(proposal, outcome, metrics)
