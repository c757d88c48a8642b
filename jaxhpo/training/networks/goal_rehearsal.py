"""A rehearsal of a user's loss and metric, so that no error waits for the first trial."""

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.compilation import jit
from jaxhpo.data import Dataset
from jaxhpo.errors import UNTRACEABLE, first_line, place_of
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.training.goal.scoring import Goal, mean_loss
from jaxhpo.training.step.cross_fitting import PARTS
from jaxhpo.training.step.folds import FoldSizes

_MOST = 2**22  # numbers of outputs that a metric is tried with
_ANY_NUMBER = "; write it for any number of examples"
_TARGETS_FIRST = ("y_true", "labels_true", "targets", "target", "labels")


def is_own(metric: Any) -> bool:
    """Return whether a metric is none of jaxhpo's."""
    return metric not in [known.function for known in METRICS.values()]


def rehearse_goal(goal: Goal, data: Dataset, outputs: Any, folds: int = 1) -> Goal:
    """Return the goal, with whether its metric is called on arrays because it cannot be traced.

    Loss and metric are called with outputs of several kinds: any numbers, those between 0 and 1, positive ones,
    probabilities, and numbers about the targets. Only what fails with all of them is refused. They are called with as
    many examples as in a study: a batch, each size of a fold, all folds together, and the metric with the test
    examples. A metric on arrays is not called with the test examples, which may lack a class, nor with so many that
    they have more than four million outputs.

    Args:
        goal: Loss and metric.
        data: Examples, whose targets both are called with; with folds those of the last one.
        outputs: Shapes of what the network returns for a batch: [n, ...].
        folds: How many folds there are; 1 for none.

    Raises:
        ValueError: if a loss or metric of the user's does not return a finite number; the message begins with its name.
    """
    own = is_own(goal.metric)
    if goal.loss is None and not own:
        return goal
    size, parts = jax.tree.leaves(outputs)[0].shape[0], _parts(data, folds)
    if goal.loss is not None:
        y = np.asarray(data.y_train[:size])
        _check_order("loss", goal.loss)
        loss = mean_loss(goal.loss)
        found = _traced("loss", loss, next(_examples(outputs, y, data)), y)
        if not jnp.issubdtype(found.dtype, jnp.floating):
            raise ValueError(f"loss returns {found.dtype}, which has no gradient; return a real number")
        _check_finite("loss", _computed(loss, _examples(outputs, y, data), y))
        fifth = next(reversed(parts.values()))[: max(min(map(len, parts.values())) // PARTS, 1)]
        for name, y in (parts | {"examples of a part": fifth}).items():
            _traced(f"loss of all {len(y):,} {name}", loss, _whole(outputs, y), y, _ANY_NUMBER)
    if not own:
        return goal
    numbers = sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(outputs))
    y = np.asarray(data.y_valid[: max(size, _MOST // max(numbers, 1))])
    if not goal.on_arrays:
        _check_order("metric", goal.metric)
        try:
            _traced("metric", goal.metric, next(_examples(outputs, y, data)), y)
        except ValueError as error:
            if not isinstance(error.__cause__, Exception):
                raise
            goal = goal._replace(on_arrays=True)  # what cannot be traced, for whatever reason, may do on arrays
    if goal.on_arrays:  # it scores the folds together, and no epochs of single folds
        _check_finite("metric", list(_called("metric", goal.metric, _examples(outputs, y, data), y)))
        for name, y in list(parts.items())[1:][-1:]:
            if len(y) * numbers <= _MOST:
                what = f"metric of all {len(y):,} {name}"
                next(_called(what, goal.metric, _examples(outputs, y, data), y, _ANY_NUMBER))
        return goal
    _check_finite("metric", _computed(goal.metric, _examples(outputs, y, data), y))
    for name, y in (parts | {"test examples": data.y_test}).items():
        _traced(f"metric of all {len(y):,} {name}", goal.metric, _whole(outputs, y), y, _ANY_NUMBER)
    return goal


def _parts(data: Dataset, folds: int) -> dict[str, np.ndarray]:
    """Return the targets that trials are evaluated with, by what they are of, those that a trial is scored on last."""
    if folds == 1:
        return {"validation examples": data.y_valid}
    pool = np.concatenate([data.y_train, data.y_valid])
    sizes = FoldSizes(len(pool), folds)
    small = {} if sizes.alike else {"examples of a small fold": pool[: sizes.small]}
    return {"examples of a fold": data.y_valid} | small | {"examples of the folds together": pool}


def _whole(outputs: Any, y: np.ndarray) -> Any:
    """Return the shapes of outputs for as many examples as there are targets."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((len(y), *leaf.shape[1:]), leaf.dtype), outputs)


def _examples(outputs: Any, y: np.ndarray, data: Dataset) -> Iterator[Any]:
    """Yield outputs of several kinds for targets, in the shapes of a network's outputs."""
    random = np.random.default_rng(0)
    normal = jax.tree.map(lambda leaf: random.normal(size=(len(y), *leaf.shape[1:])), outputs)

    def of(kind: Callable[[np.ndarray], np.ndarray]) -> Any:
        return jax.tree.map(lambda z, leaf: kind(z).astype(leaf.dtype), normal, outputs)

    def about_targets(z: np.ndarray) -> np.ndarray:
        return y + np.std(y, dtype=np.float64) * z if z.shape == y.shape else z

    yield of(lambda z: z)
    yield of(lambda z: 1 / (1 + np.exp(-z)))
    yield of(np.exp)
    if data.task == "regression":
        yield of(about_targets)
    else:
        yield of(lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True) if z.ndim > 1 else np.abs(z))


def _check_order(what: str, function: Callable[..., Any]) -> None:
    """Raise ValueError where a function names targets first, as scikit-learn does: it is called with outputs first."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return
    if names[:1] and names[0] in _TARGETS_FIRST:
        raise ValueError(
            f"{what} has the arguments ({', '.join(names[:2])}), but is called with outputs first and targets second; "
            "swap them"
        )


def _traced(
    what: str, function: Callable[..., Any], outputs: Any, y: np.ndarray, remedy: str = ""
) -> jax.ShapeDtypeStruct:
    """Return the shape of what a function returns, a number; raise ValueError where it returns none."""
    returned: list[Any] = []

    def note(outputs: Any, y: Any) -> Any:
        returned.append(function(outputs, y))
        return returned[0]

    try:
        found = jax.eval_shape(note, outputs, y)
    except UNTRACEABLE as error:
        problem = f"{what} cannot be compiled ({type(error).__name__}); write it with jax.numpy alone"
        raise ValueError(f"{problem}{place_of(error)}") from error
    except Exception as error:  # of the user's code
        if returned and not isinstance(returned[0], jax.Array):
            raise ValueError(_no_number(what, returned[0])) from None
        raise ValueError(_failed(what, error) + remedy) from error
    if isinstance(returned[0], bool | int | float | np.generic):
        raise ValueError(f"{what} returns {returned[0]!r}, whatever the outputs; compute it from outputs and targets")
    if not isinstance(found, jax.ShapeDtypeStruct) or found.shape != ():
        raise ValueError(_no_number(what, found))
    return found


def _computed(function: Callable[..., Any], kinds: Iterator[Any], y: np.ndarray) -> list[np.ndarray]:
    """Return what a loss or metric that can be traced makes of outputs."""
    compiled = jit(function)
    with jax.debug_nans(False), jax.debug_infs(False):  # of some kinds of outputs
        return [np.asarray(compiled(kind, y)) for kind in kinds]


def _called(
    what: str, metric: Callable[..., Any], kinds: Iterator[Any], y: np.ndarray, remedy: str = ""
) -> Iterator[np.ndarray]:
    """Yield what a metric makes of arrays; raise ValueError where it fails on all of them."""
    found, failed = False, []
    for kind in kinds:
        try:
            with warnings.catch_warnings(action="ignore"):  # arbitrary outputs leave out classes, say
                value = metric(kind, y)
        except Exception as error:  # of the user's code, or scikit-learn's words on it
            failed.append(error)
            continue
        if np.shape(value) != () or not np.issubdtype(np.asarray(value).dtype, np.number):
            raise ValueError(_no_number(what, value))
        found = True
        yield np.asarray(value)
    if not found:
        raise ValueError(_failed(what, failed[0]) + remedy) from failed[0]


def _check_finite(what: str, values: list[np.ndarray]) -> None:
    if not any(np.isfinite(value) for value in values):
        raise ValueError(f"{what} is {values[0]} for all outputs that it was tried with; return a finite number")


def _no_number(what: str, value: Any) -> str:
    shape = getattr(value, "shape", type(value).__name__)
    return f"{what} returns {shape}, not a single number; take the mean, for instance"


def _failed(what: str, error: Exception) -> str:
    return f"{what} fails on outputs and targets: {type(error).__name__}: {first_line(error, 160)}{place_of(error)}"
