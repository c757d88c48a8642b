"""The spaces that are searched where the user names none."""

import numpy as np

from jaxhpo.machine.bounds import MOST_BUDGET, check_count
from jaxhpo.models import FAMILIES
from jaxhpo.models.representations import PIECEWISE, STANDARD
from jaxhpo.space import Choice, Float, Int, Space

_OPTIMIZERS = ("adam", "adamw")  # named here: another one must not change a study
_LARGEST_BATCH = 256
_REPRESENTED = 32  # numbers of an example up to which they are represented; the first layer has 16 inputs for each
_MANY = 2_000  # examples from which bins are the default; on fewer they are more often worse


def default_space(model: str, shape: tuple[int, ...] = (), examples: int | None = None, *, numbers: int = 0) -> Space:
    """Return the space that `tune` searches where the user names none: eight hyperparameters.

    Of tables and vectors with 1 to 32 numbers an MLP has a ninth, `representation`: numbers are standardised, or
    spread over 16 bins.

    The ranges lie around what practice writes by hand. Learning rates of Adam span a little more than a decade. An MLP
    or CNN has two or three layers, and a network for texts and sequences one or two. A CNN gets up to 64 channels on
    small images and up to 32 on those of more than 16 pixels a side, where each costs more. Batches have 32 to 256
    examples, and 64 to 256 where words are embedded. The smallest is at most an eighth of the training examples, and
    the largest at most eight times as large as the smallest.

    Its `Space.default()` is Adam at 1e-3 in batches of 64, two layers of 128 units, dropout of 0.2, and no penalties.
    Where the space lacks a number, the nearest takes its place. An RNN's cell is GRU. A DAN has one layer. Numbers are
    standardised below 2,000 training examples, and spread over bins from there on.

    Args:
        model: "mlp", "cnn" or "dan"; or "rnn", whose space has its cell, GRU or LSTM, as a ninth.
        shape: One example's, as `Dataset.shape`.
        examples: How many the model trains on; None is many.
        numbers: How many features of a table or vector are numbers, and not marks of categories or of missing cells.
            An MLP alone reads it. 0 is for images.

    Raises:
        ValueError: if there is no such model, `shape` or `examples` are no whole numbers above 0, or `numbers` is no
            whole number of at least 0.
    """
    for name, values in (("shape", shape), ("examples", () if examples is None else (examples,))):
        whole = isinstance(values, tuple) and all(isinstance(v, int | np.integer) and v > 0 for v in values)
        if not whole or any(isinstance(v, bool) for v in values):
            given = shape if name == "shape" else examples
            wanted = "a tuple of integers" if name == "shape" else "an integer"
            raise ValueError(f"{name}={given!r} must be {wanted} above 0")
    check_count("numbers", numbers, MOST_BUDGET, least=0)
    if not isinstance(model, str) or model not in FAMILIES:
        raise ValueError(f"model={model!r} is unknown; use one of {', '.join(FAMILIES)}")
    family = FAMILIES[model]
    smallest = family.smallest_batch
    while examples is not None and 8 * smallest > examples and smallest > 1:
        smallest //= 2
    most = min(8 * smallest, _LARGEST_BATCH, _LARGEST_BATCH if examples is None else examples)
    batches = tuple(size for size in (smallest, 2 * smallest, 4 * smallest, 8 * smallest) if size <= most)
    units = family.units(shape)
    usual = PIECEWISE if examples is None or examples >= _MANY else STANDARD
    represented = {"representation": Choice((STANDARD, PIECEWISE), default=usual)}
    penalties = Choice((0.0, 1e-6, 1e-5, 1e-4), default=0.0)
    return Space(
        {
            "learning_rate": Float(3e-4, 5e-3, log=True, levels=8, default=1e-3),
            "batch_size": Choice(batches, default=_nearest(batches, 64)),
            "layers": Int(2, 3, default=2),
            "units": Choice(units, default=_nearest(units, 128)),
            "l1": penalties,
            "l2": penalties,
            "dropout": Float(0.0, 0.5, levels=6, default=0.2),
            "optimizer": Choice(_OPTIMIZERS, default="adam"),
        }
        | dict(family.ranges)
        | (represented if "representation" in family.structure and 0 < numbers <= _REPRESENTED else {})
    )


def _nearest(values: tuple[int, ...], wanted: int) -> int:
    return min(values, key=lambda value: abs(value - wanted))
