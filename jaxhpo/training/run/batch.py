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
from jaxhpo.training.step.lane_state import Result
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
    """

    def __init__(
        self,
        proposal: Proposal,
        valid: np.ndarray,
        epochs: int,
        sign: float,
        best: Weights | None,
    ):
        self.best = best
        lanes = len(proposal.active)
        unset = np.full((lanes, epochs), np.nan, np.float32)
        self._proposal, self._valid, self._sign = proposal, valid, sign
        self._score = np.full(lanes, np.nan, np.float32)
        self._aux = {name: unset.copy() for name in ("curve", "loss", "validation_loss")}
        self._aux |= {name: np.zeros(lanes, np.int32) for name in ("updates", "epochs", "checkpoint")}

    def take(self, launch: Launch, result: Result, scores: np.ndarray | None = None) -> None:
        """Store the results of a chunk.

        Args:
            launch: The chunk.
            result: Its result.
            scores: Scores of its lanes by a metric that is called on arrays: there is no curve of them.
        """
        here = slice(0, len(launch.lanes))
        found = np.asarray(result.score)[here] if scores is None else scores
        self._score[launch.lanes] = np.where(self._valid[launch.lanes], found, np.nan)
        for name in self._aux:
            if name != "curve" or scores is None:
                self._aux[name][launch.lanes] = np.asarray(getattr(result, name))[here]
        for i, lane in enumerate(launch.lanes.tolist()):
            score = float(self._score[lane])
            if np.isnan(score):
                continue
            loss = self._aux["validation_loss"][lane][int(self._aux["checkpoint"][lane]) - 1]
            found = Weights(
                trial=int(self._proposal.trial[lane]),
                score=score,
                rank=self._sign * score,
                loss=float(loss),
                bucket=launch.bucket,
                lane=i,
                params=result.params,
                statistics=result.statistics,
                point=self._proposal.point[lane],
            )
            if found.beats(self.best):
                self.best = found

    def result(self, lane: int) -> LaneResult:
        """Return what was found of a lane."""
        return LaneResult(float(self._score[lane]), {name: values[lane].copy() for name, values in self._aux.items()})

    @property
    def outcome(self) -> Outcome:
        """The results of the round."""
        return Outcome(self._score, self._aux)
