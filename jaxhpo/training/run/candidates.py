"""What of the trials is kept for networks that answer together: weights of the best, and the outputs of all."""

import math
from collections.abc import Mapping
from typing import Any

import jax

from jaxhpo.training.run.state import Weights

MOST = 32
"""Trials whose weights are kept at most: those with the lowest validation losses."""

MOST_BYTES = 2**30
"""Bytes of weights that are kept at most, and of outputs. The best trial's weights are kept beside them."""


Place = tuple[float, int]
"""Validation loss and id of a trial, by which candidates are in order."""

OPEN: Place = (math.inf, 0)
"""The place from which on no trial is a candidate, while the bytes have sufficed."""


def enters(candidates: tuple[Weights, ...], end: Place, place: Place) -> bool:
    """Return whether a trial of a place may be a candidate beside those that there are; `end` as `with_candidate`'s."""
    return place < end and (len(candidates) < MOST or place < place_of(candidates[-1]))


def with_candidate(candidates: tuple[Weights, ...], end: Place, one: Weights) -> tuple[tuple[Weights, ...], Place]:
    """Return the candidates with one more, within the bounds, in order, and the place from which on there are none.

    The end is the place of the first trial for which the bytes did not suffice. A smaller one behind it does not take
    its room: so the result does not depend on the order in which trials come.
    """
    if not enters(candidates, end, place_of(one)):
        return candidates, end
    total, kept = 0, []
    for weights in sorted((*candidates, one), key=place_of)[:MOST]:
        total += weights.bytes
        if total > MOST_BYTES:
            return tuple(kept), place_of(weights)
        kept.append(weights)
    return tuple(kept), end


def with_outputs(outputs: Mapping[int, Any], trial: int, own: Any) -> dict[int, Any]:
    """Return the outputs with those of one more trial; beyond the bound those of the first trials only."""
    size = max(sum(leaf.nbytes for leaf in jax.tree.leaves(own)), 1)
    return {**outputs, trial: own} if trial < MOST_BYTES // size else dict(outputs)


def place_of(weights: Weights) -> Place:
    """Return a trial's place among the candidates."""
    return weights.loss, weights.trial
