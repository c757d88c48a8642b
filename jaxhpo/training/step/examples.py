"""Examples on the device, in the order that an epoch visits them, and grouped by length where they are texts."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array, Key

_MOST_LENGTHS = 4  # groups of texts; each is one more network in a program
_SAVING = 0.1  # the least share of all tokens that one more group must save
_WORDS = 8  # lengths are multiples of so many tokens


class Split(NamedTuple):
    """Examples; all lanes share them."""

    x: Array  # [N, ...] as stored: uint8 images stay uint8, tokens int32
    y: Array  # [N] int32 labels, or [N] or [N, K] float32 targets
    group: Array | None = None  # [N] int32: of texts, which of the program's lengths holds one; None is the last


class TrainingData(NamedTuple):
    """What training sees. The test split is not here."""

    train: Split
    valid: Split
    offset: Array  # the network sees (x - offset) * scale, and computes in their dtype: float32
    scale: Array
    target_offset: Array | None = None  # [] or [K] float32: the training targets' mean; None where there are classes
    target_scale: Array | None = None  # [] or [K] float32: their deviation


def normalise(data: TrainingData, x: Array) -> Array:
    """Return stored examples as the network sees them."""
    return (x.astype(data.offset.dtype) - data.offset[None]) * data.scale[None]


def epoch_order(key: Key, epoch: Array, examples: int) -> Array:
    """Return the order in which an epoch visits the examples, the same for all trials: [examples] int32."""
    return jax.random.permutation(jax.random.fold_in(key, epoch), jnp.arange(examples, dtype=jnp.int32))


def epoch_batches(key: Key, epoch: Array, split: Split, size: int) -> tuple[Array, Array | None]:
    """Return an epoch's batches, the same for all trials: rows [steps, size] int32, and each one's group [steps].

    A remainder that fills no batch is left out. Texts of about one length go together, in batches that follow each
    other in a random order.
    """
    examples = split.y.shape[0]
    steps = examples // size
    rows = epoch_order(key, epoch, examples)[: steps * size]
    if split.group is None:
        return rows.reshape(steps, size), None
    rows = rows[jnp.argsort(split.group[rows], stable=True)].reshape(steps, size)
    shuffle = jax.random.fold_in(jax.random.fold_in(key, epoch), 1)
    rows = rows[jax.random.permutation(shuffle, jnp.arange(steps, dtype=jnp.int32))]
    return rows, split.group[rows[:, -1]]  # the longest comes last


def by_length(lengths: tuple[int, ...], group: Array | None, compute: Callable[[Array], Any], x: Array) -> Any:
    """Return `compute` of texts [n, T] cut to their group's length: a real branch, as all lanes have one group."""
    if group is None:
        return compute(x)
    return jax.lax.switch(group, [lambda x, length=length: compute(x[:, :length]) for length in lengths], x)


def outputs_of(apply: Callable[[Array], Any], split: Split, batch: int, lengths: tuple[int, ...]) -> Any:
    """Return what `apply` (x [n, ...] -> arrays [n, ...]) puts out for a split: arrays [N, ...], in its order.

    At most `batch` examples are a forward pass. A split with groups has to be sorted by them.
    """
    examples = split.y.shape[0]
    batch = min(batch, examples)
    batches = -(-examples // batch)

    def body(carry: None, start: Array) -> tuple[None, Any]:
        # The last batch overlaps the one before it: no padding.
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
    """Return up to where texts reach, the padding at their ends left out: [N, T] int32 -> [N] int64, 1 or more."""
    reached = x.shape[1] - np.argmax(x[:, ::-1] != 0, axis=1)
    return np.where((x != 0).any(axis=1), reached, 1)


def length_groups(lengths: np.ndarray, longest: int) -> tuple[int, ...]:
    """Return lengths for groups of texts, shortest first, the last `longest`; one where several save too little.

    Args:
        lengths: [N] int, of the training texts.
        longest: that any text has.
    """
    quantiles = np.quantile(lengths, np.arange(1, 8) / 8)
    candidates = sorted({min(int(-(-q // _WORDS) * _WORDS), longest) for q in quantiles} - {longest})
    best: tuple[float, tuple[int, ...]] = (1.0, (longest,))
    for more in range(1, _MOST_LENGTHS):
        for chosen in itertools.combinations(candidates, more):
            ends = np.array([*chosen, longest])
            # What one more network costs is weighed as tokens: compiling it has to pay.
            share = ends[np.searchsorted(ends, lengths)].mean() / longest + _SAVING * more
            best = min(best, (share, tuple(ends.tolist())))
    return best[1]


def group_texts(x: np.ndarray, lengths: tuple[int, ...]) -> np.ndarray:
    """Return which of some lengths holds each text: [N] int32."""
    return np.searchsorted(np.array(lengths), text_lengths(x)).astype(np.int32)
