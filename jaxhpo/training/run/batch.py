"""A round of trials on the host: the networks of its lanes, their chunks, and the results."""

import math
import warnings
from typing import Any

import jax
import numpy as np

from jaxhpo.space import Space
from jaxhpo.training.config.space_reader import Structure
from jaxhpo.training.goal.resampling import error_of
from jaxhpo.training.goal.scoring import Goal
from jaxhpo.training.networks.families import Family
from jaxhpo.training.planning.plan import Plan
from jaxhpo.training.run.candidates import enters, place_of, with_candidate, with_outputs
from jaxhpo.training.run.executor import Launch
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.scores import Scores
from jaxhpo.training.run.state import NetworkWeights, TrainerState, Weights
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
        groups.setdefault(plan.bucket_of(s.units, s.layers, s.program or s.variant), []).append(lane)
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
    """Collects the results of chunks into those of trials: scores, curves, weights and outputs.

    A trial has one lane, or one a fold or repeat. Lane `i` of a launch is lane `i % copies` of row `i // copies`.

    Args:
        proposal: Round, as NumPy arrays.
        valid: False for trials that fail whatever their score, because they were not trained as requested: [B] bool.
        epochs: Largest number of epochs of a trial.
        goal: Loss and metric.
        layout: The lanes of a trial.
        scores: Scores outputs.
        y: Targets of the validation examples, or of the pool of the folds: [N, ...].
        before: State before the round.
    """

    def __init__(
        self,
        proposal: Proposal,
        valid: np.ndarray,
        epochs: int,
        goal: Goal,
        layout: Layout,
        scores: Scores,
        y: np.ndarray,
        before: TrainerState,
    ):
        self.best, self.candidates, self.end = before.best, before.candidates, before.end
        self.outputs, self.cross_fitted = before.outputs, before.cross_fitted
        self._proposal, self._valid, self._goal = proposal, valid, goal
        self._layout, self._scores, self._y = layout, scores, y
        rows = len(proposal.active)
        shape = (rows,) if layout.copies == 1 else (rows, layout.copies)
        unset = np.full((*shape, epochs), np.nan, np.float32)
        self._score, self._error, self._loss = (np.full(rows, np.nan, np.float32) for _ in range(3))
        self._aux = {name: unset.copy() for name in ("curve", "loss", "validation_loss")}
        self._aux |= {name: np.zeros(shape, np.int32) for name in ("updates", "epochs", "checkpoint")}
        self._waiting: dict[int, dict[int, tuple[Launch, Result, int]]] = {}

    def take(self, launch: Launch, result: Result) -> list[int]:
        """Store the results of a chunk; return the rows whose lanes have all ended."""
        done, copies = [], self._layout.copies
        aux = {name: np.asarray(getattr(result, name)) for name in self._aux}
        for i, lane in enumerate(launch.lanes.tolist()):
            row, copy = divmod(lane, copies)
            place = row if copies == 1 else (row, copy)
            for name, values in aux.items():
                if name != "curve" or not self._goal.on_arrays:
                    self._aux[name][place] = values[i]
            lanes = self._waiting.setdefault(row, {})
            lanes[copy] = launch, result, i
            if len(lanes) == copies:
                self._finish(row, [self._waiting[row][copy] for copy in range(copies)])
                del self._waiting[row]
                done.append(row)
        return done

    def _finish(self, row: int, lanes: list[tuple[Launch, Result, int]]) -> None:
        """Score a trial; keep its outputs, and its weights if they are among the best."""
        checkpoint = self._aux["checkpoint"][row]
        if not self._valid[row] or not (checkpoint >= 1).all():  # a lane diverged
            return
        outputs = self._layout.networks_outputs([_own(result.outputs, i) for _, result, i in lanes])
        score, error = float(np.asarray(lanes[0][1].score)[lanes[0][2]]), math.nan
        if self._layout.copies > 1:
            score, scores = self._scores.resampled(outputs, self._y)
            error = error_of(scores)
        elif self._goal.on_arrays:
            score = self._scores.score(outputs[0], self._y)
        if not math.isfinite(score):
            return
        self._score[row], self._error[row] = score, error
        losses = np.take_along_axis(self._aux["validation_loss"][row], np.expand_dims(checkpoint - 1, -1), -1)
        self._loss[row] = loss = self._layout.mean(np.ravel(losses))
        trial, rank = int(self._proposal.trial[row]), (1 if self._goal.direction == "maximize" else -1) * score
        bucket, point = lanes[0][0].bucket, self._proposal.point[row]
        own = self._layout.outputs(outputs)
        self.outputs = with_outputs(self.outputs, trial, own)
        if lanes[0][1].cross_fitted is not None:  # else the last epoch counts, which nothing chose
            own = self._layout.outputs(
                self._layout.networks_outputs([_own(result.cross_fitted, i) for _, result, i in lanes])
            )
        self.cross_fitted = with_outputs(self.cross_fitted, trial, own)
        found = Weights(trial, score, rank, loss, bucket, (), point)
        if found.beats(self.best) or enters(self.candidates, self.end, place_of(found)):
            found = found._replace(networks=tuple(network_of(result, i) for _, result, i in lanes))
            self.best = found if found.beats(self.best) else self.best
            self.candidates, self.end = with_candidate(self.candidates, self.end, found)

    def result(self, row: int) -> LaneResult:
        """Return what was found of a trial."""
        outcome = self.outcome
        aux = {name: values[row].copy() for name, values in outcome.aux.items()}
        return LaneResult(float(self._score[row]), aux, standard_error=float(self._error[row]))

    def after(self, state: TrainerState) -> TrainerState:
        """Return a state with the best weights, the candidates and the outputs."""
        found = {"best": self.best, "candidates": self.candidates, "end": self.end}
        return state._replace(**found, outputs=self.outputs, cross_fitted=self.cross_fitted)

    @property
    def outcome(self) -> Outcome:
        """The results of the round."""
        return Outcome(self._score, self._aux | {"checkpoint_loss": self._loss}, self._error)


def network_of(result: Result, i: int) -> NetworkWeights:
    """Return the weights of lane `i` of a chunk in host memory, without those of the other lanes."""
    return NetworkWeights(*_own((result.params, result.statistics), i))


def _own(tree: Any, i: int) -> Any:
    """Return the arrays of lane `i` of a chunk, [size, ...] each, so that no chunk is kept for one of its lanes."""

    def own(leaf: Any) -> np.ndarray:
        whole = np.asarray(leaf)
        return whole[i] if len(whole) == 1 else whole[i].copy()

    return jax.tree.map(own, tree)
