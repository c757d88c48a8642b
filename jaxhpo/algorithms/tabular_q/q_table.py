"""A Q table with rows for visited states only, in arrays of fixed size.

A dense table over configurations, performances and epochs would have millions of rows, nearly all of them unvisited.
The key of a state is exact: its digits, packed in mixed radix into as few 32-bit words as possible. If the table is
full, a new state replaces the oldest one.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxhpo.types import Array


class QTable(NamedTuple):
    """The table: at most C rows, A actions, W words per key.

    Attributes:
        keys: Keys of the states: [C, W] uint32.
        values: Q of each action: [C, A] float32.
        inserted: Number of rows ever inserted; the next row is this modulo C: [] int32.
    """

    keys: Array
    values: Array
    inserted: Array


class Packing:
    """The exact packing of digits into words. Two states never share a key.

    Args:
        sizes: Number of values of each digit.
    """

    def __init__(self, sizes: tuple[int, ...]):
        self._parts: list[list[tuple[int, int]]] = [[]]  # a word is a sum of digit * stride
        capacity = 1
        for index, size in enumerate(sizes):
            # A digit with one value needs no space, but its stride must fit into the word too.
            if capacity * max(size, 2) > 2**32:
                self._parts.append([])
                capacity = 1
            self._parts[-1].append((index, capacity))
            capacity *= size
        self.words = len(self._parts)

    def pack(self, digits: Array) -> Array:
        """Return keys: [N, len(sizes)] int32 -> [N, W] uint32."""
        digits = digits.astype(jnp.uint32)
        words = [sum(digits[:, i] * np.uint32(stride) for i, stride in part) for part in self._parts]
        return jnp.stack(words, axis=1)


def empty(capacity: int, words: int, actions: int) -> QTable:
    """Return a table without rows."""
    return QTable(jnp.zeros((capacity, words), jnp.uint32), jnp.zeros((capacity, actions), jnp.float32), jnp.int32(0))


def find(table: QTable, keys: Array) -> tuple[Array, Array]:
    """Return the rows of keys ([N, W] -> [N] int32), and whether they exist ([N] bool)."""
    index = jnp.arange(table.keys.shape[0], dtype=jnp.int32)
    same = jnp.all(table.keys[None] == keys[:, None], axis=2) & (index < table.inserted)[None]
    # A maximum of integers: XLA vectorises it on a CPU, while an argmax of booleans takes ten times as long.
    row = jnp.max(jnp.where(same, index[None], -1), axis=1)
    return jnp.maximum(row, 0), row >= 0


def read(table: QTable, row: Array, there: Array, initial: float) -> Array:
    """Return Q of every action for the results of `find`: [N] -> [N, A]; an unvisited state has the initial value."""
    return jnp.where(there[:, None], table.values[row], jnp.float32(initial))


def insert(
    table: QTable, keys: Array, row: Array, there: Array, wanted: Array, initial: float
) -> tuple[QTable, Array, Array]:
    """Insert the keys that are `wanted` ([N] bool) and not in the table.

    Args:
        table: Table.
        keys: Keys of states: [N, W].
        row: Rows that `find` returned for the keys: [N] int32.
        there: Whether they exist: [N] bool.
        wanted: Whether a key needs a row: [N] bool.
        initial: Initial value of Q.

    Returns:
        Table, rows of the keys ([N] int32), and whether a row belongs to the key ([N] bool). It does not if the key was
        not wanted, or if its old row has just been replaced.
    """
    capacity, size = table.keys.shape[0], keys.shape[0]
    new = wanted & ~there
    # A new key that occurs twice gets one row, which its first occurrence inserts.
    same = jnp.all(keys[:, None] == keys[None], axis=2) & new[None]
    first = jnp.argmax(same, axis=1).astype(jnp.int32)
    leads = new & (first == jnp.arange(size, dtype=jnp.int32))
    place = (table.inserted + jnp.cumsum(leads, dtype=jnp.int32) - 1) % capacity
    place = jnp.where(new, place[first], row)
    target = jnp.where(leads, place, capacity)  # out of range, hence dropped
    made = jnp.zeros(capacity, bool).at[target].set(True, mode="drop")
    table = QTable(
        table.keys.at[target].set(keys, mode="drop"),
        jnp.where(made[:, None], jnp.float32(initial), table.values),
        table.inserted + jnp.sum(leads, dtype=jnp.int32),
    )
    return table, place, wanted & (new | ~made[row])


def add_mean(table: QTable, rows: Array, changes: Array, use: Array) -> QTable:
    """Add changes ([N, A] float32, where `use` [N, A] bool) to rows ([N] int32).

    Several changes of one cell are averaged. Their sum would multiply the learning rate by their number.
    """
    capacity, size = table.keys.shape[0], rows.shape[0]
    same = rows[:, None] == rows[None]
    weight = same.astype(jnp.float32)
    total = jnp.matmul(weight, jnp.where(use, changes, 0.0), precision="highest")
    count = jnp.matmul(weight, use.astype(jnp.float32), precision="highest")
    # One lane writes for all lanes with the same row: an accelerator adds duplicates in an arbitrary order.
    leads = jnp.argmax(same, axis=1) == jnp.arange(size)
    target = jnp.where(leads, rows, capacity)  # out of range, hence dropped
    return table._replace(values=table.values.at[target].add(total / jnp.maximum(count, 1.0), mode="drop"))
