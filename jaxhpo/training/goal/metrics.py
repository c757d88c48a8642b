"""Metrics by name: what trials are compared by. Each is a function of the outputs and targets of a whole split."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array

Metric = Callable[[Any, Array], Array]
"""Function of outputs and targets of a whole split -> []."""

# --- of classes: logits [N, K], labels [N] int32 -> [] float32 -----------------------------------------------------


def accuracy(outputs: Array, y: Array) -> Array:
    """Return the share of examples whose class has the largest logit: [N, K], [N] int32 -> [] float32."""
    hits = (jnp.argmax(outputs, axis=-1).astype(jnp.int32) == y).astype(jnp.float32)
    return jnp.sum(hits) / np.float32(y.shape[0])


def balanced_accuracy(outputs: Array, y: Array) -> Array:
    """Return the mean over the split's classes of the share of their examples that is recognised."""
    _, is_, both = _counts(outputs, y)
    return _mean_where(is_ > 0, both / jnp.maximum(is_, 1))


def f1(outputs: Array, y: Array) -> Array:
    """Return the mean F1 score (macro) over the classes that labels or predictions have."""
    said, is_, both = _counts(outputs, y)
    return _mean_where(said + is_ > 0, 2 * both / jnp.maximum(said + is_, 1))


def roc_auc(outputs: Array, y: Array) -> Array:
    """Return the mean area under the ROC curve, each class against the rest, over the classes that have both.

    It is the share of pairs of an example of the class and one of the rest in which the former has the higher
    probability; pairs of equal probability count half.
    """
    outputs = wide(outputs)
    if outputs.shape[1] == 2:  # both classes have the same area; a difference of logits has no ties by rounding
        scores, of_class = (outputs[:, 1] - outputs[:, 0])[None], (y == 1)[None]
    else:
        scores, of_class = jax.nn.log_softmax(outputs).T, jnp.arange(outputs.shape[1])[:, None] == y[None]

    def area(scores: Array, of_class: Array) -> tuple[Array, Array]:
        rest = jnp.sort(jnp.where(of_class, jnp.inf, scores))
        others = jnp.sum(~of_class, dtype=jnp.int32)
        below, upto = (jnp.searchsorted(rest, scores, side=side).astype(jnp.int32) for side in ("left", "right"))
        beaten = (jnp.minimum(below, others) + jnp.minimum(upto, others)).astype(jnp.float32) / 2
        own = jnp.sum(of_class, dtype=jnp.int32)
        share = jnp.where(of_class, beaten / jnp.maximum(others, 1).astype(jnp.float32), 0)
        return jnp.sum(share) / jnp.maximum(own, 1).astype(jnp.float32), (own > 0) & (others > 0)

    areas, known = jax.vmap(area)(scores, of_class)
    # NaN passes all comparisons of the above; no network that gives one has an area.
    return jnp.where(jnp.all(jnp.isfinite(outputs)), _mean_where(known, areas), jnp.nan)


def log_loss(outputs: Array, y: Array) -> Array:
    """Return the mean cross-entropy of logits."""
    logs = jax.nn.log_softmax(wide(outputs))
    return -jnp.mean(jnp.take_along_axis(logs, y[:, None], axis=1))


# --- of numbers: predictions and targets [N] or [N, K], in units of the targets -> [] ------------------------------


def r2(outputs: Array, y: Array) -> Array:
    """Return the share of the targets' variance that is explained, averaged over targets: [N] or [N, K] -> []."""
    unexplained = jnp.mean(jnp.square(wide(outputs) - y), axis=0)
    return jnp.mean(1 - unexplained / jnp.maximum(jnp.var(y, axis=0), np.finfo(np.float32).tiny))


def rmse(outputs: Array, y: Array) -> Array:
    """Return the root of the mean squared error, in units of the targets: [N] or [N, K] -> []."""
    return jnp.sqrt(jnp.mean(jnp.square(wide(outputs) - y)))


def mae(outputs: Array, y: Array) -> Array:
    """Return the mean absolute error, in units of the targets: [N] or [N, K] -> []."""
    return jnp.mean(jnp.abs(wide(outputs) - y))


class _Known(NamedTuple):
    task: str
    function: Metric
    direction: str


METRICS = {
    "accuracy": _Known("classification", accuracy, "maximize"),
    "balanced_accuracy": _Known("classification", balanced_accuracy, "maximize"),
    "f1": _Known("classification", f1, "maximize"),
    "roc_auc": _Known("classification", roc_auc, "maximize"),
    "log_loss": _Known("classification", log_loss, "minimize"),
    "r2": _Known("regression", r2, "maximize"),
    "rmse": _Known("regression", rmse, "minimize"),
    "mae": _Known("regression", mae, "minimize"),
}
"""Metrics by name."""


def wide(outputs: Array) -> Array:
    """Return outputs in float32 or more, because half precision is too coarse for means over many examples."""
    narrow = jnp.issubdtype(outputs.dtype, jnp.floating) and jnp.finfo(outputs.dtype).bits < 32
    return outputs.astype(jnp.float32) if narrow else outputs


def _counts(outputs: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return how many examples are said to be of each class, are of it, and both: [K] float32 each."""
    classes = jnp.arange(outputs.shape[1], dtype=jnp.int32)[None]
    said, is_ = jnp.argmax(outputs, axis=1).astype(jnp.int32)[:, None] == classes, y[:, None] == classes
    said, is_, both = (jnp.sum(each, axis=0, dtype=jnp.int32) for each in (said, is_, said & is_))
    return said.astype(jnp.float32), is_.astype(jnp.float32), both.astype(jnp.float32)


def _mean_where(chosen: Array, values: Array) -> Array:
    """Return the mean of the chosen values: [K] bool, [K] -> []; nan if there are none."""
    return jnp.sum(jnp.where(chosen, values, 0)) / jnp.sum(chosen, dtype=jnp.int32).astype(jnp.float32)
