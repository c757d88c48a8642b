"""Examples on the device, the order in which an epoch visits them, and groups of texts and sequences by length."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.data.shapes import sequence_lengths
from jaxhpo.types import Array, Key

_MOST_LENGTHS = 4  # largest number of groups of texts; each adds a network to the program
_SAVING = 0.1  # smallest share of all tokens that a further group must save
_WORDS = 8  # lengths are multiples of this number of tokens


class Split(NamedTuple):
    """Examples, shared by all lanes.

    Attributes:
        x: Examples as stored, images as uint8 and tokens as int32: [N, ...]. Sequences are nan after their end.
        y: Labels, [N] int32; or targets, [N] or [N, K] float32.
        group: Index of the program's length that holds each text or sequence: [N] int32. None is the last one.
    """

    x: Array
    y: Array
    group: Array | None = None


class TrainingData(NamedTuple):
    """The data that training uses; the test split is not among them.

    Attributes:
        train: Training examples.
        valid: Validation examples.
        offset: Offset of the network's input, which is (x - offset) * scale. The network computes in its dtype,
            float32.
        scale: Scale of the network's input.
        target_offset: Mean of the training targets: [] or [K] float32; None for classification.
        target_scale: Standard deviation of the training targets: [] or [K] float32; None for classification.
    """

    train: Split
    valid: Split
    offset: Array
    scale: Array
    target_offset: Array | None = None
    target_scale: Array | None = None


def normalise(data: TrainingData, x: Array) -> Array:
    """Return stored examples as the network's input."""
    return (x.astype(data.offset.dtype) - data.offset[None]) * data.scale[None]


def epoch_order(key: Key, epoch: Array, examples: int) -> Array:
    """Return the order in which an epoch visits the examples, the same for all trials: [examples] int32."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), jnp.arange(examples, dtype=jnp.int32))


def epoch_batches(key: Key, epoch: Array, split: Split, size: int) -> tuple[Array, Array | None]:
    """Return the batches of an epoch, the same for all trials: rows [steps, size] int32, and the group of each [steps].

    A remainder that does not fill a batch is dropped. Texts of similar length are in the same batch, and batches are in
    random order.
    """
    examples = split.y.shape[0]
    steps = examples // size
    rows = epoch_order(key, epoch, examples)[: steps * size]
    if split.group is None:
        return rows.reshape(steps, size), None
    rows = rows[jnp.argsort(split.group[rows], stable=True)].reshape(steps, size)
    shuffle = jax.random.fold_in(jax.random.fold_in(key, epoch), 1)
    rows = rows[jax.random.permutation(shuffle, jnp.arange(steps, dtype=jnp.int32))]
    return rows, split.group[rows[:, -1]]  # the longest text is the last


def by_length(lengths: tuple[int, ...], group: Array | None, compute: Callable[[Array], Any], x: Array) -> Any:
    """Return `compute` of texts [n, T] or sequences [n, T, F] cut to their group's length.

    The branch is a real one: all lanes have one group.
    """
    if group is None:
        return compute(x)
    return jax.lax.switch(group, [lambda x, length=length: compute(x[:, :length]) for length in lengths], x)


def outputs_of(apply: Callable[[Array], Any], split: Split, batch: int, lengths: tuple[int, ...]) -> Any:
    """Return the outputs of `apply` (x [n, ...] -> arrays [n, ...]) for a split: arrays [N, ...], in its order.

    A forward pass has at most `batch` examples. A split with groups must be sorted by them.
    """
    examples = split.y.shape[0]
    batch = min(batch, examples)
    batches = -(-examples // batch)

    def body(carry: None, start: Array) -> tuple[None, Any]:
        # The last batch overlaps the one before it, so that no padding is needed.
        first = jnp.minimum(start, examples - batch)
        x = jax.lax.dynamic_slice_in_dim(split.x, first, batch)
        group = None if split.group is None else split.group[first + batch - 1]
        return carry, by_length(lengths, group, apply, x)

    starts = jnp.arange(batches, dtype=jnp.int32) * batch
    _, outputs = jax.lax.scan(body, None, starts)

    def together(parts: Array) -> Array:
        whole = parts[:-1].reshape(-1, *parts.shape[2:])
        return jnp.concatenate([whole, parts[-1, batches * batch - examples :]])

    return jax.tree.map(together, outputs)


# --- on the host ---------------------------------------------------------------------------------------------------


def text_lengths(x: np.ndarray) -> np.ndarray:
    """Return the lengths without padding at the end of texts, [N, T] int32, or sequences, [N, T, F]: [N] int64 >= 1."""
    if x.ndim == 3:
        return sequence_lengths(x)
    reached = x.shape[1] - np.argmax(x[:, ::-1] != 0, axis=1)
    return np.where((x != 0).any(axis=1), reached, 1)


def length_groups(lengths: np.ndarray, longest: int) -> tuple[int, ...]:
    """Return lengths for groups of texts, shortest first, the last is `longest`; a single one if more save too little.

    Args:
        lengths: Lengths of the training texts: [N] int.
        longest: Largest length of a text.
    """
    quantiles = np.quantile(lengths, np.arange(1, 8) / 8)
    candidates = sorted({min(int(-(-q // _WORDS) * _WORDS), longest) for q in quantiles} - {longest})
    best: tuple[float, tuple[int, ...]] = (1.0, (longest,))
    for more in range(1, _MOST_LENGTHS):
        for chosen in itertools.combinations(candidates, more):
            ends = np.array([*chosen, longest])
            # The cost of compiling a further network, in units of tokens.
            share = ends[np.searchsorted(ends, lengths)].mean() / longest + _SAVING * more
            best = min(best, (share, tuple(ends.tolist())))
    return best[1]


def group_texts(x: np.ndarray, lengths: tuple[int, ...]) -> np.ndarray:
    """Return the index of the length that holds each text: [N] int32."""
    return np.searchsorted(np.array(lengths), text_lengths(x)).astype(np.int32)
