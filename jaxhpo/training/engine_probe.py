"""Timing the engines on this machine, where a measurement is wanted and not the recorded costs."""

import time
from dataclasses import replace

import jax
import numpy as np

from jaxhpo.training.networks import Family
from jaxhpo.training.planning.resources import Machine, read_resources
from jaxhpo.training.step.engines import ENGINES
from jaxhpo.training.step.stopping import DEFAULT_STOPPING, Stopping
from jaxhpo.training.trainer import Trainer
from jaxhpo.types import FRESH, Proposal

PROBE = "probe"


def probe(
    family: Family,
    machine: Machine,
    *,
    lanes: int | None = None,
    continues: bool = False,
    stopping: Stopping = DEFAULT_STOPPING,
    folds: int = 1,
    repeats: int = 1,
) -> Trainer:
    """Return a Trainer with the engine that trained one epoch of one round of configurations fastest.

    Each engine that this machine can run compiles its programs and trains the round twice; the second counts. Which is
    fastest may differ from run to run, so results equal bit for bit only where the same one was chosen; the plan says
    which that was.

    Args:
        family: The networks.
        machine: How they may run; its engine does not count.
        lanes: Trials of a round; None follows the machine.
        continues: Whether trials may continue others.
        stopping: When a training ends, and which of its epochs counts.
        folds: Folds on which each trial is trained; 1 for none.
        repeats: Trainings of each trial that differ in their random numbers alone.

    Raises:
        ValueError: if no engine can run them; the message is that of the first.
    """
    best: tuple[float, Trainer] | None = None
    refused: list[ValueError] = []
    for engine in ENGINES:
        try:
            several = {"folds": folds, "repeats": repeats}
            resources = read_resources(lanes, replace(machine, engine=engine), continues, stopping, **several)
            trainer = Trainer.of(family, resources)
        except ValueError as error:  # not for this machine, or not with these options
            refused.append(error)
            continue
        seconds = _batch_seconds(trainer)
        if best is None or seconds < best[0]:
            best = seconds, trainer
    if best is None:
        raise refused[0]
    best[1].forget()
    return best[1]


def _batch_seconds(trainer: Trainer) -> float:
    lanes = trainer.plan.lanes
    anywhere = np.random.default_rng(0).random((lanes, len(trainer.space)), np.float32)
    space = trainer.space
    if space.constrained:
        point = space.feasible_points[np.arange(lanes) % len(space.feasible_points)]
    else:
        point = np.stack([space.from_config(space.to_config(row)) for row in anywhere])
    fresh, one = np.full(lanes, FRESH, np.int32), np.ones(lanes, np.int32)
    proposal = Proposal(point, one, fresh, one > 0, np.arange(lanes, dtype=np.int32))
    key = jax.random.key(0, impl="threefry2x32")
    state = trainer.objective.init(key)
    trainer.objective.evaluate(key, state, proposal)
    started = time.perf_counter()
    trainer.objective.evaluate(key, state, proposal)
    return time.perf_counter() - started
