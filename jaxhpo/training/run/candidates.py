"""What of the trials is kept for networks that answer together: weights of the best, and the outputs of all."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxhpo.training.run.state import Weights

MOST = 32
"""Trials whose weights are kept at most: those with the lowest validation losses."""

MOST_BYTES = 2**30
"""Bytes of weights that are kept at most, and of outputs. The best trial's weights are kept beside them."""


def enters(candidates: tuple[Weights, ...], loss: float, trial: int) -> bool:
    """Return whether a trial may be a candidate beside those that there are."""
    return len(candidates) < MOST or (loss, trial) < _order(candidates[-1])


def with_candidate(candidates: tuple[Weights, ...], one: Weights) -> tuple[Weights, ...]:
    """Return the candidates with one more, within the bounds, in order.

    Those that leave would leave whatever comes, so the result does not depend on the order of the trials.
    """
    total, kept = 0, []
    for weights in sorted((*candidates, one), key=_order)[:MOST]:
        total += weights.bytes
        if total > MOST_BYTES:
            break
        kept.append(weights)
    return tuple(kept)


def with_outputs(outputs: Mapping[int, Any], trial: int, own: Any) -> dict[int, Any]:
    """Return the outputs with those of one more trial; beyond the bound those of the first trials only."""
    size = max(sum(leaf.nbytes for leaf in jax.tree.leaves(own)), 1)
    return {**outputs, trial: own} if trial < MOST_BYTES // size else dict(outputs)


def _order(weights: Weights) -> tuple[float, int]:
    return weights.loss, weights.trial
