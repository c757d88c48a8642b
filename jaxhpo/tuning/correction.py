"""Scores that are corrected for choosing: trials are chosen on some examples, and scored on the others.

The best of many scores is too good: chance helped it. So the choice is made again on a part of the validation examples,
the bag, and scored on the examples out of it, many times (Tsamardinos et al. 2018). The bag has as many examples as a
bootstrap sample has distinct ones. All outputs are cross-fitted, so that epochs count as candidates, too.
"""

import contextlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.study import Trial
from jaxhpo.training import Trainer
from jaxhpo.training.goal.averaging import average
from jaxhpo.training.run.placement import validation_targets
from jaxhpo.training.run.scores import BLOCK
from jaxhpo.training.run.state import TrainerState
from jaxhpo.tuning.ensemble import root_of, shares_of

_IN_BAG = 1 - math.exp(-1)
_MOST, _MOST_ON_ARRAYS = 192, 32  # bags, multiples of `BLOCK`, which is the least
_NUMBERS, _CALLS = 160_000_000, 2_000  # that are scored, and of a metric on arrays
_LEAST = 4  # examples


class Corrected(NamedTuple):
    """The score of a choice, on examples on which it was not made.

    Attributes:
        score: The score, in the metric's units.
        standard_error: Its standard error over the examples and the choices that they lead to.
        gain: How much better it is than the score of the default configuration, above 0 where it is better; nan where
            that was not trained.
        gain_standard_error: Standard error of the gain, which is a paired difference.
    """

    score: float
    standard_error: float
    gain: float
    gain_standard_error: float


class CorrectedScores(NamedTuple):
    """Scores of a study that are corrected for choosing.

    Attributes:
        winner: Of choosing the trial with the best score.
        ensemble: Of choosing the trials that answer together; None where there are fewer than two trainings.
        default: Score of the default configuration, which nothing chose; nan where that was not trained.
        optimism: How much better the winner's score is without the correction.
    """

    winner: Corrected
    ensemble: Corrected | None
    default: float
    optimism: float

    @property
    def few_examples(self) -> bool:
        """Whether choosing made the winner's score better by more than its standard error.

        The examples are too few then to tell so many trials apart.
        """
        return self.optimism > self.winner.standard_error


def correct_scores(
    trainer: Trainer,
    state: TrainerState,
    finished: Sequence[Trial],
    *,
    winner: int,
    several: bool,
    default: int | None,
    size: int,
) -> CorrectedScores | None:
    """Return the scores of a study's winner and ensemble, corrected for choosing.

    Args:
        trainer: Trainer of the study.
        state: Its state.
        finished: Trials of the study, in order.
        winner: Id of the winner.
        several: Whether there is an ensemble.
        default: Id of the trial of the default configuration; None if there is none.
        size: Trials of an ensemble, at most.

    Returns:
        None where the correction is not known: there are fewer than four examples, the outputs of a trial are not kept,
        or the metric has no value for most parts of the examples.
    """
    y, sign = validation_targets(state.data), trainer.goal.sign
    places = {trial.trial: place for place, trial in enumerate(t for t in finished if not t.failed)}
    if len(y) < _LEAST or not all(trial in state.cross_fitted for trial in places):
        return None
    outputs = [state.cross_fitted[trial] for trial in places]
    bags, outs = _bags(len(y), _draws(outputs, trainer.goal.on_arrays))
    found = [trainer.scores.on_parts(state.data, one, y, bags) for one in outputs]
    scores, losses = (np.stack(both, axis=1) for both in zip(*found, strict=True))  # [S, T]
    ranks = np.where(np.isfinite(scores), sign * scores.astype(np.float64), -np.inf)

    def outside(choices: Sequence[tuple[Sequence[int], Sequence[float]]]) -> np.ndarray:
        """Return the score out of each bag of trials that answer together, by their places and weights: [S]."""
        together = [
            average([_rows(outputs[one], rows) for one in which], weights, trainer.layout.averages)
            for rows, (which, weights) in zip(outs, choices, strict=True)
        ]
        return trainer.scores.each(jax.tree.map(lambda *leaves: np.stack(leaves), *together), y[outs])

    # As a study chooses: the first of the best score, and among equals of the lowest loss.
    best = [([int(np.lexsort((loss, -rank))[0])], [1.0]) for rank, loss in zip(ranks, losses, strict=True)]
    of_best = outside(best)
    if math.isnan(_mean(of_best)):
        return None
    base = np.full(len(bags), math.nan)
    if default in places:
        base = outside([([places[default]], [1.0])] * len(bags))
    ratio = outs.shape[1] / bags.shape[1]

    def corrected(scores: np.ndarray) -> Corrected:
        gains = sign * (scores - base)
        return Corrected(_mean(scores), _error(scores, ratio), _mean(gains), _error(gains, ratio))

    of_winner, of_ensemble = corrected(of_best), None
    if several:
        roots = [root_of(finished, trial) for trial in places]
        chosen = [_together(loss, roots, size, bags.shape[1]) for loss in losses]
        with contextlib.suppress(ValueError):  # such outputs have no mean, so that there is no ensemble
            of_ensemble = corrected(outside(chosen))
    before, _ = trainer.scores.resampled([state.outputs[winner]], y)  # by a program that is there
    return CorrectedScores(of_winner, of_ensemble, _mean(base), sign * (before - of_winner.score))


def _draws(outputs: Sequence[Any], on_arrays: bool) -> int:
    """Return the number of bags: fewer where scoring takes long."""
    numbers = len(outputs) * sum(leaf.size for leaf in jax.tree.leaves(outputs[0]))
    wanted = _CALLS // len(outputs) if on_arrays else _NUMBERS // max(numbers, 1)
    return min(max(wanted // BLOCK, 1) * BLOCK, _MOST_ON_ARRAYS if on_arrays else _MOST)


def _bags(examples: int, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the examples in each bag, [S, n] int32, and those out of it."""
    random, size = np.random.default_rng(0), min(max(round(_IN_BAG * examples), 1), examples - 1)
    orders = np.stack([random.permutation(examples) for _ in range(draws)]).astype(np.int32)
    return orders[:, :size], orders[:, size:]


def _together(
    losses: np.ndarray, roots: Sequence[int], size: int, examples: int
) -> tuple[Sequence[int], Sequence[float]]:
    """Return the places of the trials that answer together, chosen by their losses, and their weights."""
    chosen: dict[int, int] = {}
    for place in np.argsort(losses, kind="stable").tolist():  # nan is last
        chosen.setdefault(roots[place], place)
    best = list(chosen.values())[:size]
    shares = shares_of([float(losses[place]) for place in best], examples) or [1.0]  # none where no loss is finite
    return best[: len(shares)], shares


def _rows(outputs: Any, rows: np.ndarray) -> Any:
    return jax.tree.map(lambda leaf: leaf[rows], outputs)


def _error(scores: np.ndarray, ratio: float) -> float:
    """Return the standard error of the mean of scores out of bags (Nadeau and Bengio 2003).

    It is nan if fewer than half of the scores are finite.

    Args:
        scores: [S].
        ratio: Number of examples out of a bag for one in it. The bags overlap, so that more of them do not help.
    """
    finite = np.asarray(scores, np.float64)[np.isfinite(scores)]
    if 2 * len(finite) < len(scores):
        return math.nan
    return float(np.std(finite, ddof=1)) * math.sqrt(1 / len(finite) + ratio)


def _mean(scores: np.ndarray) -> float:
    """Return the mean of the finite scores; nan if they are fewer than half."""
    finite = np.asarray(scores, np.float64)[np.isfinite(scores)]
    return float(finite.mean()) if 2 * len(finite) >= len(scores) else math.nan
