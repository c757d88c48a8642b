"""The goal of a study: the loss, which training minimizes, and the metric, by which trials are compared."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxhpo.training.goal.array_metrics import direction_of, is_sklearn, of_outputs
from jaxhpo.training.goal.averaging import OUTPUTS, PROBABILITIES
from jaxhpo.training.goal.metrics import METRICS, Metric, wide
from jaxhpo.types import Array

Loss = Callable[..., Array]
"""Function of outputs and targets of a batch -> []."""


class Goal(NamedTuple):
    """A loss and a metric.

    Attributes:
        loss: User's function of outputs and targets; None is the loss of the task.
        metric: Function of outputs and targets.
        name: Name of the metric.
        direction: "maximize" if higher values of the metric are better, or "minimize".
        standardised: Whether the user's loss takes standardised predictions and targets. The metric never does.
        on_arrays: Whether the metric cannot be traced, and is called on NumPy arrays when a trial ends.
    """

    loss: Loss | None
    metric: Metric
    name: str
    direction: str
    standardised: bool = False
    on_arrays: bool = False

    @property
    def sign(self) -> float:
        """1 if higher values of the metric are better, else -1."""
        return 1.0 if self.direction == "maximize" else -1.0

    def averages(self, task: str) -> str:
        """Return what networks that answer together average: probabilities where outputs are logits, else outputs."""
        return PROBABILITIES if task == "classification" and self.loss is None else OUTPUTS


def read_goal(task: str, loss: Loss | None = None, metric: str | Metric | None = None, minimize: bool = False) -> Goal:
    """Return the goal for a task and a user's arguments.

    Args:
        task: "classification" or "regression".
        loss: Function of outputs and targets of a batch -> []; None is the mean cross-entropy of logits, or the mean
            squared error in units of the training targets' variance.
        metric: Name in `METRICS`, function of outputs and targets of a split -> [], or metric of scikit-learn; None is
            accuracy or R2.
        minimize: Whether lower values of a user's own metric are better.

    Raises:
        ValueError: if an argument is invalid; the message names it.
    """
    if not isinstance(minimize, bool):
        raise ValueError(f"minimize={minimize!r} must be True or False")
    if loss is not None and not callable(loss):
        raise ValueError(f"loss={loss!r} must be a function of outputs and targets, or None")
    if metric is None:
        metric = "accuracy" if task == "classification" else "r2"
    if isinstance(metric, str):
        if metric not in METRICS or METRICS[metric].task != task:
            known = ", ".join(name for name, m in METRICS.items() if m.task == task)
            raise ValueError(f"metric={metric!r} is no metric of {task}; use {known}, or a function of your own")
        if minimize and METRICS[metric].direction == "maximize":
            raise ValueError(f"minimize=True cannot go with metric={metric!r}, of which higher is better; leave it out")
        return Goal(loss, METRICS[metric].function, metric, METRICS[metric].direction)
    if not callable(metric):
        raise ValueError(f"metric={metric!r} must be a name or a function of outputs and targets, or None")
    if is_sklearn(metric):
        called = of_outputs(metric)
        return Goal(loss, called, called.__name__, direction_of(metric, minimize), on_arrays=True)
    name = getattr(metric, "__name__", type(metric).__name__)
    return Goal(loss, metric, "score" if name == "<lambda>" else name, "minimize" if minimize else "maximize")


def mean_loss(loss: Loss) -> Loss:
    """Return a user's loss, averaged over the examples where it returns one an example, [n]."""

    def mean(outputs: Any, y: Array) -> Array:
        value = loss(outputs, y)
        return jnp.mean(value) if getattr(value, "shape", None) == y.shape[:1] else value

    return mean


def cross_entropy(logits: Array, y: Array, smoothing: Array | None = None) -> Array:
    """Return the mean cross-entropy of logits: [n, K], [n] int32 -> [].

    With `smoothing` ([] float32), this share of each label is spread evenly over the classes (Szegedy et al. 2016).
    """
    logits = wide(logits)
    cross = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, y))
    if smoothing is None:
        return cross
    share = smoothing.astype(logits.dtype)
    return (1 - share) * cross - share * jnp.mean(jax.nn.log_softmax(logits))


def squared_error(outputs: Array, y: Array, scale: Array) -> Array:
    """Return the mean squared error of [n] or [n, K] in units of `scale` ([] or [K]): []."""
    outputs, scale = wide(outputs), scale if y.ndim == 1 else scale[None]
    return jnp.mean(jnp.square((outputs - y.astype(outputs.dtype)) / scale.astype(outputs.dtype)))
