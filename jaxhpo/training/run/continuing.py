"""Trials that continue others: which of them can, and the training states that they start from, on the host."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxhpo.models.family import TRACED
from jaxhpo.space import Float, Space
from jaxhpo.training.config.hyperparameters import ALIASES, KINDS
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.state import ResumeState
from jaxhpo.training.step.lane_state import LaneState, Result, Source
from jaxhpo.types import FRESH, Proposal


def shaping(space: Space, own: Iterable[str]) -> tuple[str, ...]:
    """Return the hyperparameters that determine the training state: network and optimizer.

    Args:
        space: Search space.
        own: Names of the hyperparameters of a user's model.
    """

    def shapes(name: str) -> bool:
        if name in own:
            return not isinstance(space[name], Float)
        known = ALIASES.get(name, name)
        return KINDS[known] != TRACED or known == "optimizer"

    return tuple(name for name in space if shapes(name))


def find_sources(
    proposal: Proposal, kept: Mapping[int, ResumeState], space: Space, shaping: tuple[str, ...], epochs: int
) -> tuple[Proposal, dict[int, ResumeState]]:
    """Return the proposal without lanes that cannot continue their sources, which fail with a warning; and sources."""
    sources, active = {}, proposal.active.copy()
    for lane in np.flatnonzero(proposal.active & (proposal.source != FRESH)).tolist():
        trial, budget = int(proposal.source[lane]), int(proposal.budget[lane])
        source, config = kept.get(trial), space.to_config(proposal.point[lane])
        problem = _problem(trial, source, config, budget, shaping, epochs)
        if source is not None and problem is None:
            sources[lane] = source if config == source.config else _with_new_checkpoint(source)
            continue
        active[lane] = False
        warnings.warn(f"trial {proposal.trial[lane]} failed: {problem}", RuntimeWarning, stacklevel=3)
    return proposal._replace(active=active), sources


def _with_new_checkpoint(source: ResumeState) -> ResumeState:
    """Return a state without its checkpoint: what other hyperparameters reached is no score of a trial's own."""

    def without(state: LaneState) -> LaneState:
        lowest = state.checkpoint
        loss, epoch = np.full_like(lowest.loss, np.inf), np.full_like(lowest.epoch, source.budget)
        fit = lowest.cross_fit
        fit = None if fit is None else fit._replace(losses=np.full_like(fit.losses, np.inf))
        return state._replace(checkpoint=lowest._replace(loss=loss, epoch=epoch, cross_fit=fit))

    return source._replace(states=tuple(map(without, source.states)))


def _problem(
    trial: int,
    source: ResumeState | None,
    config: Mapping[str, Any],
    budget: int,
    shaping: tuple[str, ...],
    epochs: int,
) -> str | None:
    if source is None:
        return f"it continues trial {trial}, whose training is not kept: it failed, or was not named as resumable"
    if not source.budget < budget <= epochs:
        return f"it continues trial {trial} of budget {source.budget} to {budget}; it must lie above, up to {epochs}"
    other = [name for name in shaping if config.get(name) != source.config.get(name)]
    if other:
        return f"it continues trial {trial} with another {', '.join(other)}; keep what shapes network and optimizer"
    return None


def gather(shapes: Source, sources: list[tuple[int, LaneState] | None]) -> Source:
    """Return the sources of a chunk's lanes as [size, ...] NumPy arrays of the given shapes.

    Args:
        shapes: Shapes of the chunk's sources.
        sources: Epochs and state of each lane's source; None is a new training.
    """
    size, epoch = len(sources), np.array([0 if kept is None else kept[0] for kept in sources], np.int32)
    if size == 1 and sources[0] is not None:
        return Source(epoch, sources[0][1])
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes.state)
    for i, kept in enumerate(sources):
        if kept is not None:
            for whole, part in zip(jax.tree.leaves(state), jax.tree.leaves(kept[1]), strict=True):
                whole[i] = part[0]
    return Source(epoch, state)


def states_of(launch: Launch, result: Result) -> dict[int, LaneState]:
    """Return the training states of a chunk by lane, [1, ...] each, without those that failed."""
    whole, finite = jax.tree.map(np.asarray, result.state), np.asarray(result.checkpoint) >= 1
    return {
        lane: jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], whole)
        for i, lane in enumerate(launch.lanes.tolist())
        if finite[i]
    }


def keep(
    row: int,
    states: Sequence[LaneState | None],
    proposal: Proposal,
    sources: Mapping[int, ResumeState],
    space: Space,
    epochs: int,
) -> dict[int, ResumeState]:
    """Return the training state of a row's trial, by trial; nothing if it failed or has no epochs left.

    Args:
        row: Row of the proposal.
        states: States of its lanes; None for those that failed.
        proposal: The round.
        sources: What its rows continue.
        space: Search space.
        epochs: Largest number of epochs of a trial.
    """
    trial, budget = int(proposal.trial[row]), int(proposal.budget[row])
    there = tuple(state for state in states if state is not None)
    if len(there) < len(states) or not 1 <= budget < epochs:
        return {}
    root = sources[row].root if row in sources else trial
    return {trial: ResumeState(root, budget, space.to_config(proposal.point[row]), there, False)}


def retain(kept: Mapping[int, ResumeState], trials: np.ndarray) -> dict[int, ResumeState]:
    """Return the states of the named trials in separate arrays, so that no chunk is kept for one of its lanes."""

    def own(leaf: np.ndarray) -> np.ndarray:
        whole = leaf if leaf.base is None else leaf.base
        return leaf.copy() if getattr(whole, "nbytes", leaf.nbytes) > leaf.nbytes else leaf

    named = set(trials.tolist())
    return {
        trial: one if one.retained else one._replace(states=jax.tree.map(own, one.states), retained=True)
        for trial, one in kept.items()
        if trial in named
    }
