"""Metrics of scikit-learn, which are called on NumPy arrays when a trial ends."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

_LOWER = ("_loss", "_error", "_deviance")  # so end the names of scikit-learn's metrics of which lower is better
_BY_PROBABILITY = ("log_loss", "d2_log_loss_score")  # although their argument is called y_pred


def is_sklearn(metric: Any) -> bool:
    """Return whether a metric is scikit-learn's, also with arguments of a `functools.partial`."""
    function = _function(metric)
    return (getattr(function, "__module__", None) or type(function).__module__).split(".")[0] == "sklearn"


def direction_of(metric: Any, minimize: bool) -> str:
    """Return "minimize" or "maximize" for a metric of scikit-learn, whose name says it.

    Raises:
        ValueError: if `minimize` contradicts the name.
    """
    name = _function(metric).__name__
    if name.endswith(_LOWER):
        return "minimize"
    if minimize and name.endswith("_score"):
        raise ValueError(f"minimize=True cannot go with metric={name}, of which higher is better; leave it out")
    return "minimize" if minimize else "maximize"


def of_outputs(metric: Any) -> Callable[[Any, np.ndarray], Any]:
    """Return a metric of scikit-learn as a function of a network's outputs and targets, NumPy arrays.

    Of classes, outputs are logits [N, K]. The metric gets what its second argument's name asks for: labels, or
    probabilities [N, K], of two classes those of the second one alone, [N]. Of numbers it gets the outputs.

    Raises:
        ValueError: if it is no function of targets and predictions; the message names `metric`.
    """
    function = _function(metric)
    if not inspect.isfunction(inspect.unwrap(function)):
        raise ValueError(
            f"metric={type(function).__name__} of scikit-learn calls an estimator; give its function, such as "
            "sklearn.metrics.f1_score"
        )
    parameters = list(inspect.signature(function).parameters)
    if parameters[:1] not in (["y_true"], ["labels_true"], ["y1"]):
        raise ValueError(f"metric={function.__name__} is no metric of targets and predictions; give one that is")
    name, second = function.__name__, parameters[1]
    whole = name in _BY_PROBABILITY
    by_score = whole or second in ("y_score", "y_prob", "y_proba", "pred_decision")
    fixed = getattr(metric, "keywords", {})

    def called(outputs: Any, y: np.ndarray) -> Any:
        options: dict[str, Any] = {}
        if not np.issubdtype(y.dtype, np.integer):
            return metric(y, outputs)
        if not by_score:
            return metric(y, np.argmax(outputs, axis=1))
        logits = np.asarray(outputs, np.float64)
        classes = logits.shape[1]
        scores = logits if second == "pred_decision" else _probabilities(logits)
        if classes == 2 and not whole:
            scores = logits[:, 1] - logits[:, 0] if second == "pred_decision" else scores[:, 1]
        if "labels" in parameters and (classes > 2 or whole):
            options["labels"] = np.arange(classes)
        if "multi_class" in parameters and classes > 2:
            options["multi_class"] = "ovr"
        return metric(y, scores, **{n: v for n, v in options.items() if n not in fixed})

    called.__name__ = name
    return called


def _function(metric: Any) -> Any:
    while isinstance(metric, functools.partial):
        metric = metric.func
    return metric


def _probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
