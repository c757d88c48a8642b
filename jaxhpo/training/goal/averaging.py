"""The mean of several networks' outputs, on the host."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

PROBABILITIES, OUTPUTS = "probabilities", "outputs"


def average(outputs: Sequence[Any], weights: Sequence[float], kind: str) -> Any:
    """Return the weighted mean of networks' outputs.

    Args:
        outputs: What each network returns for the same examples: arrays [N, ...].
        weights: Weight of each network, above 0; their sum is 1.
        kind: "probabilities" for logits [N, K]: the logarithms of the mean probabilities, which are logits too;
            "outputs": the mean of each number.
    """
    if len(outputs) == 1:
        return outputs[0]
    share = np.asarray(weights, np.float64)
    if kind == OUTPUTS:
        return jax.tree.map(lambda *leaves: np.tensordot(share, np.stack(leaves), 1).astype(leaves[0].dtype), *outputs)
    logits = np.stack([np.asarray(each, np.float64) for each in outputs])
    logs = logits - _logsumexp(logits, 2)
    mean = _logsumexp(logs + np.log(share)[:, None, None], 0)[0]
    return np.maximum(mean, np.finfo(np.float32).min).astype(np.float32)


def _logsumexp(values: np.ndarray, axis: int) -> np.ndarray:
    most = np.maximum(values.max(axis, keepdims=True), np.finfo(np.float64).min)  # -inf minus itself is nan
    with np.errstate(divide="ignore"):  # a class that no network holds possible
        return most + np.log(np.exp(values - most).sum(axis, keepdims=True))
