"""Recorded learning curves: networks that jaxhpo trained on scikit-learn's digits, looked up epoch by epoch.

`python -m benchmarks.quality.record_curves` makes the files of `benchmarks/data`. Of the 1,797 digits (Alpaydin &
Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", CC BY 4.0) 300 train and 1,137 validate, so that networks
differ. A curve is the mean of several trainings, validation accuracy after each of 27 epochs.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from benchmarks.quality.tasks.task import Task
from jaxhpo.space import Space
from jaxhpo.types import Array

DATA = Path(__file__).parents[2] / "data"
NAMES = ("digits_mlp", "digits_cnn")


def load(name: str) -> Task:
    """Return a recorded task."""
    with np.load(path_of(name), allow_pickle=False) as file:
        space = Space.from_json(json.loads(str(file["space"])))
        accuracy = file["correct"] / float(file["examples"])
    return curve_task(name, space, accuracy)


def path_of(name: str) -> Path:
    """Return where a task's curves lie."""
    return DATA / f"curves_{name}.npz"


def save(name: str, space: Space, correct: np.ndarray, examples: int) -> None:
    """Write curves: correct answers among `examples`, [configurations, epochs], in the order of the levels."""
    DATA.mkdir(exist_ok=True)
    arrays = {"correct": correct.astype(np.uint16), "examples": np.int32(examples)}
    np.savez_compressed(path_of(name), space=np.array(json.dumps(space.to_json())), **arrays)


def curve_task(name: str, space: Space, accuracy: np.ndarray) -> Task:
    """Return the task of looking curves up: [configurations, epochs], the last dimension's levels the fastest."""
    sizes = space.level_counts
    strides = np.cumprod((1, *sizes[:0:-1]))[::-1].astype(np.int32)
    epochs = accuracy.shape[1]

    def compute(levels: Array, budget: Array, table: Array) -> Array:
        row = jnp.sum(levels * jnp.asarray(strides)[None], axis=1, dtype=jnp.int32)
        there = (budget >= 1) & (budget <= epochs)
        return jnp.where(there, table[row, jnp.clip(budget, 1, epochs) - 1], jnp.nan)

    def score(levels: np.ndarray, budget: np.ndarray | None = None) -> np.ndarray:
        after = epochs if budget is None else np.asarray(budget)
        return accuracy[np.asarray(levels) @ strides, after - 1]

    last = accuracy[:, -1]
    about = f"{len(accuracy):,} configurations, {epochs} epochs"
    best, median = float(last.max()), float(np.median(last))
    tables = (accuracy.astype(np.float32),)
    return Task(name, "curves", space, compute, score, best, median, budget=epochs, tables=tables, about=about)
