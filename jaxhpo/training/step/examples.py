"""Examples on the device, the order in which an epoch visits them, and groups of texts and sequences by length."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxhpo.data.shapes import sequence_lengths
from jaxhpo.training.step.folds import FoldSizes
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

    With folds, offsets, scales and quantiles have a leading axis: each fold has those of its own training examples.

    Attributes:
        train: Training examples; with folds the pool of all examples, sorted by fold.
        valid: Validation examples; None with folds.
        offset: Offset of the network's input, which is (x - offset) * scale. The network computes in its dtype,
            float32.
        scale: Scale of the network's input.
        target_offset: Mean of the training targets: [] or [K] float32; None for classification.
        target_scale: Standard deviation of the training targets: [] or [K] float32; None for classification.
        quantiles: Quantiles of each number in the training examples: [numbers, KNOTS] float32, see `quantiles_of`; None
            where no network of the space reads them.
    """

    train: Split
    valid: Split | None
    offset: Array
    scale: Array
    target_offset: Array | None = None
    target_scale: Array | None = None
    quantiles: Array | None = None


class Part(NamedTuple):
    """Examples of a split that are evaluated: those of one fold of a pool.

    Attributes:
        sizes: The folds.
        fold: Index of the fold: [] int32.
    """

    sizes: FoldSizes
    fold: Array

    def of_fold(self, compute: Callable[[Any], Any], rows: Any) -> Any:
        """Return `compute` of the rows of the fold: `FoldSizes.of_fold`."""
        return self.sizes.of_fold(self.fold, compute, rows)


def data_of(data: TrainingData, fold: Array | None) -> TrainingData:
    """Return the data with offsets, scales and quantiles of a fold ([] int32), or unchanged if there are no folds."""
    if fold is None:
        return data
    names = ("offset", "scale", "target_offset", "target_scale", "quantiles")
    moments = {name: getattr(data, name) for name in names}
    return data._replace(**jax.tree.map(lambda leaf: leaf[fold], moments))


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


def fold_batches(
    key: Key, epoch: Array, pool: Split, size: int, sizes: FoldSizes, fold: Array
) -> tuple[Array, Array | None]:
    """Return the batches of an epoch for the lanes of a fold, as `epoch_batches` does.

    All folds have as many batches, and texts in the batches of a step have one group, so that lanes of several folds
    take the same branch.
    """
    steps = (sizes.examples - sizes.large) // size
    own = jax.random.fold_in(key, epoch)
    if pool.group is None:
        return sizes.training_order(own, fold, steps * size).reshape(steps, size), None
    folds = jnp.arange(sizes.count, dtype=jnp.int32)
    rows = jax.vmap(lambda f: sizes.training_order(own, f, steps * size))(folds)
    rows = jnp.take_along_axis(rows, jnp.argsort(pool.group[rows], axis=1, stable=True), axis=1)
    shuffle = jax.random.permutation(jax.random.fold_in(own, 1), jnp.arange(steps, dtype=jnp.int32))
    rows = rows.reshape(sizes.count, steps, size)[:, shuffle]
    return rows[fold], jnp.max(pool.group[rows[:, :, -1]], axis=0)


def by_length(lengths: tuple[int, ...], group: Array | None, compute: Callable[[Array], Any], x: Array) -> Any:
    """Return `compute` of texts [n, T] or sequences [n, T, F] cut to their group's length.

    The branch is a real one: all lanes have one group.
    """
    if group is None:
        return compute(x)
    return jax.lax.switch(group, [lambda x, length=length: compute(x[:, :length]) for length in lengths], x)


def outputs_of(
    apply: Callable[[Array], Any], split: Split, batch: int, lengths: tuple[int, ...], part: Part | None = None
) -> Any:
    """Return the outputs of `apply` (x [n, ...] -> arrays [n, ...]) for a split: arrays [N, ...], in its order.

    Args:
        apply: The network.
        split: Examples; with groups they must be sorted by them, those of each fold by themselves.
        batch: The most examples of a forward pass.
        lengths: Lengths of the groups.
        part: The fold whose outputs are returned, N as of a large fold; None for all examples.
    """
    examples = split.y.shape[0] if part is None else part.sizes.large
    batch = min(batch, examples)
    batches = -(-examples // batch)

    def group_of(first: Array) -> Array | None:
        if split.group is None:
            return None
        if part is None:
            return split.group[first + batch - 1]
        folds = jnp.arange(part.sizes.count, dtype=jnp.int32)
        last = jnp.minimum(first + batch, part.sizes.size(folds)) - 1
        return jnp.max(split.group[part.sizes.start(folds) + last])

    def body(carry: None, start: Array) -> tuple[None, Any]:
        # The last batch overlaps the one before it, so that no padding is needed.
        first = jnp.minimum(start, examples - batch)
        row = first if part is None else part.sizes.start(part.fold) + first
        x = jax.lax.dynamic_slice_in_dim(split.x, row, batch)
        return carry, by_length(lengths, group_of(first), apply, x)

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
