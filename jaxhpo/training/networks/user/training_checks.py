"""Whether a user's model trains while it is trained, and not while it is evaluated; seen in its traced programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
from jax.core import Tracer
from jax.tree_util import keystr, tree_flatten_with_path

from jaxhpo.training.networks.user.dependence import Dependence

_DROPS: ContextVar[list[str] | None] = ContextVar("_DROPS", default=None)


@contextmanager
def dropout_layers() -> Iterator[list[str]]:
    """Collect the names of the layers that `note` takes note of, in this thread."""
    found: list[str] = []
    token = _DROPS.set(found)
    try:
        yield found
    finally:
        _DROPS.reset(token)


def note(layer: Any) -> None:
    """Take note of a layer of Flax's that is called, if it drops: of a fixed share between 0 and 1, or a traced one."""
    found = _DROPS.get()
    if found is None or not type(layer).__module__.startswith(("flax.", "jaxhpo.")):
        return
    rate = getattr(layer, "rate", getattr(layer, "dropout_rate", None))
    if isinstance(rate, Tracer) or (isinstance(rate, float) and 0 < rate < 1):
        found.append(getattr(layer, "name", None) or "nnx.Dropout")


def check_training(step: Dependence, drops: list[str], still: Dependence, batch_statistics: Any) -> None:
    """Raise ValueError if a model does not train in a training step, or trains in an evaluation.

    Args:
        step: Key, data, hyperparameters, params and statistics -> loss, gradients, statistics.
        drops: Names of the layers in it that are to drop.
        still: The same arguments -> outputs in evaluation, statistics.
        batch_statistics: Those of the statistics that are batch statistics, a nested dict.
    """
    key, *_ = step.of((True, *jax.tree.map(lambda _: False, step.outputs[1:])))
    if drops and not key:
        raise ValueError(
            f"model has dropout ({drops[0]}) that drops nothing in training, or always the same; let its call take "
            "train, give the layer deterministic=not train, and no random numbers of your own"
        )
    outputs, after = still.outputs
    key, _, _, _, reads = still.of((jax.tree.map(lambda _: True, outputs), jax.tree.map(lambda _: False, after)))
    if key:
        raise ValueError(
            "model draws random numbers in evaluation, as dropout does; let its call take train, and draw only in "
            "training (deterministic=not train)"
        )
    layers = _layers(batch_statistics)
    read = {path for path, is_read in tree_flatten_with_path(reads)[0] if is_read}
    for layer in layers:
        if _moves(still, layer):
            raise ValueError(
                f"model changes its batch statistics ({_name(layer)}) in evaluation; let its call take train, and give "
                "the layer use_running_average=not train"
            )
        if any(path[: len(layer)] == layer for path in read) and not _moves(step, layer):
            raise ValueError(
                f"model has batch statistics ({_name(layer)}) that training leaves as they begin; let its call take "
                "train, and give the layer use_running_average=not train"
            )


def _layers(batch_statistics: Any) -> list[tuple]:
    """Return the paths of the layers that hold batch statistics."""
    return list(dict.fromkeys(path[:-1] for path, _ in tree_flatten_with_path(batch_statistics)[0]))


def _moves(trace: Dependence, layer: tuple) -> bool:
    """Return whether the examples have an influence on the statistics of a layer, which are a trace's last output."""
    *others, after = trace.outputs
    paths, tree = tree_flatten_with_path(after)
    chosen = jax.tree.unflatten(tree, [path[: len(layer)] == layer for path, _ in paths])
    _, data, *_ = trace.of((*jax.tree.map(lambda _: False, others), chosen))
    return data.train.x


def _name(layer: tuple) -> str:
    return keystr(layer, simple=True, separator=".").removeprefix("batch_stats.")
