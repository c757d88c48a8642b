"""A round of trials on the host: the networks of its lanes, their chunks, and the results."""

import warnings

import numpy as np

from jaxhpo.space import Space
from jaxhpo.training.config.space_reader import Structure
from jaxhpo.training.networks.families import Family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.state import Weights
from jaxhpo.training.run.usage import Meter
from jaxhpo.training.step.lane import Result
from jaxhpo.types import LaneResult, Outcome, Proposal


def structures_of(family: Family, space: Space, proposal: Proposal) -> dict[int, Structure]:
    """Return the structures of the active lanes. A lane that cannot be trained fails alone, with a warning."""
    structures = {}
    for lane in np.flatnonzero(proposal.active).tolist():
        structure = family.structure(space.to_config(proposal.point[lane]))
        try:
            family.check(structure)
        except ValueError as error:
            warnings.warn(f"trial {proposal.trial[lane]} failed: {error}", RuntimeWarning, stacklevel=3)
        else:
            structures[lane] = structure
    return structures


def cut(
    plan: Plan, meter: Meter, structures: dict[int, Structure], start: np.ndarray, budget: np.ndarray
) -> list[Launch]:
    """Return the chunks of a round: lanes of the same bucket together, in the order of the epochs trained before.

    Args:
        plan: Plan of the Trainer.
        meter: Meter of costs.
        structures: Structures of the lanes to train, by lane.
        start: Epochs trained before: [B] int32.
        budget: Epochs to train to: [B] int32.
    """
    groups: dict[int, list[int]] = {}
    for lane, s in structures.items():
        groups.setdefault(plan.bucket_of(s.units, s.layers, s.variant), []).append(lane)
    launches = []
    for bucket, lanes in groups.items():
        size = plan.buckets[bucket].size
        lanes.sort(key=lambda lane: int(start[lane]))  # the lanes of a chunk wait for each other
        for first in range(0, len(lanes), size):
            part = np.array(lanes[first : first + size])
            epochs = np.maximum(budget - start, 0)[part].tolist()
            each = (meter.executed(plan, bucket, structures[int(lane)]) for lane in part)
            launches.append(Launch(bucket, part, sum(cost * n for cost, n in zip(each, epochs, strict=True))))
    return launches


class BatchResult:
    """Collects the results of chunks: scores, curves, and the best weights.

    Args:
        proposal: Round, as NumPy arrays.
        valid: False for trials that fail whatever their score, because they were not trained as requested: [B] bool.
        epochs: Largest number of epochs of a trial.
        sign: -1 if lower scores are better, else 1.
        best: Best weights before the round, or None.
        on_arrays: Whether the metric is called on arrays, so that a trial has a score, but no curve of it.
    """

    def __init__(
        self,
        proposal: Proposal,
        valid: np.ndarray,
        epochs: int,
        sign: float,
        best: Weights | None,
        on_arrays: bool = False,
    ):
        self.best = best
        lanes = len(proposal.active)
        unset = np.full((lanes, epochs), np.nan, np.float32)
        self._proposal, self._valid, self._sign = proposal, valid, sign
        self._score = np.full(lanes, np.nan, np.float32)
        self._aux = {"curve": unset, "loss": unset.copy()}
        if on_arrays:
            self._aux["validation_loss"] = unset.copy()
        self._aux |= {"updates": np.zeros(lanes, np.int32), "epochs": np.zeros(lanes, np.int32)}

    def take(self, launch: Launch, result: Result, scores: np.ndarray | None = None) -> None:
        """Store the results of a chunk.

        Args:
            launch: The chunk.
            result: Its result.
            scores: Scores of its lanes by a metric that is called on arrays; the result has losses in their place.
        """
        here = slice(0, len(launch.lanes))
        found = np.asarray(result.score)[here] if scores is None else scores
        self._score[launch.lanes] = np.where(self._valid[launch.lanes], found, np.nan)
        fields = dict(zip(self._aux, self._aux, strict=True))
        if scores is not None:
            del fields["curve"]
            fields["validation_loss"] = "curve"
        for name, field in fields.items():
            self._aux[name][launch.lanes] = np.asarray(getattr(result, field))[here]
        for i, lane in enumerate(launch.lanes.tolist()):
            trial, score, best = int(self._proposal.trial[lane]), float(self._score[lane]), self.best
            value = self._sign * score
            # Like the study, keep the earliest of equal trials.
            if value == value and (best is None or (value, -trial) > (best.rank, -best.trial)):
                trained = result.params, result.statistics
                self.best = Weights(trial, score, value, launch.bucket, i, *trained, self._proposal.point[lane])

    def result(self, lane: int) -> LaneResult:
        """Return what was found of a lane."""
        return LaneResult(float(self._score[lane]), {name: values[lane].copy() for name, values in self._aux.items()})

    @property
    def outcome(self) -> Outcome:
        """The results of the round."""
        return Outcome(self._score, self._aux)
