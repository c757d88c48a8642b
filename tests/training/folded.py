"""Data in folds, and trainers of them, for the tests; and what a fold's network is, in plain NumPy."""

from dataclasses import replace

import jax
import numpy as np

import jaxhpo as jh
from jaxhpo.data import Dataset
from jaxhpo.data.folds import Folds
from jaxhpo.training import Machine, Trainer, make_family
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.planning.resources import read_resources
from jaxhpo.training.step.stopping import Stopping
from jaxhpo.types import FRESH, Proposal

SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e30, log=True),
        "batch_size": jh.Choice((8, 16)),
        "layers": jh.Int(1, 2),
        "units": jh.Choice((4, 8)),
        "dropout": jh.Float(0.0, 0.5),
        "optimizer": jh.Choice(("sgd", "adam")),
    }
)
GOOD = {"learning_rate": 0.02, "batch_size": 8, "layers": 2, "units": 8, "dropout": 0.0, "optimizer": "adam"}


def with_folds(data: Dataset, count: int) -> Dataset:
    """Return the training and validation examples of some data as a pool in folds: the last one is for validation."""
    x, y = np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])
    end = Folds.in_order(count, len(y)).slices[-1].start
    return replace(data, x_train=x[:end], y_train=y[:end], x_valid=x[end:], y_valid=y[end:])


def vectors(number=100, count=3, *, targets=None) -> Dataset:
    """Return vectors in folds whose means and deviations differ, of three classes, or of one or more targets."""
    random = np.random.default_rng(0)
    fold = np.zeros(number + 20)
    for i, own in enumerate(Folds.in_order(count, number).slices):
        fold[own] = i
    x = random.normal(size=(number + 20, 6))
    y = np.digitize(x[:, 0] + 0.3 * x[:, 1], [-0.5, 0.5]).astype(np.int32)
    if targets is not None:
        several = np.stack([x[:, i] + 5 * fold * (i + 1) for i in range(max(targets, 1))], 1).astype(np.float32)
        y = several[:, 0] if targets == 0 else several
    x = (x * (1 + 0.5 * fold[:, None]) + 0.5 * fold[:, None]).astype(np.float32)
    cut = number - 10  # wherever it is, as with_folds puts both parts together
    parts = [x[:cut], y[:cut], x[cut:number], y[cut:number], x[number:], y[number:]]
    return with_folds(Dataset("vectors", *parts, classes=3 if targets is None else None), count)


def trainer_of(data, model="mlp", space=SPACE, *, engine="threads", lanes=4, epochs=4, **options) -> Trainer:
    """Return a trainer; `folds` and `repeats` are among the options."""
    goal = read_goal(data.task, *(options.pop(name, default) for name, default in _GOAL.items()))
    family = make_family(data, model, space, goal, epochs, folds=options.get("folds", 1))
    machine = Machine(engine=engine, memory=options.pop("memory", None))
    stopping = Stopping(options.pop("checkpoint", "best"), options.pop("patience", None))
    return Trainer.of(family, read_resources(lanes, machine, options.pop("continues", False), stopping, **options))


_GOAL = {"loss": None, "metric": None, "minimize": False}


def rows_of(space, *lanes) -> Proposal:
    """Return a round of rows (trial, config, budget[, source])."""
    trial, budget = (np.array([lane[i] for lane in lanes], np.int32) for i in (0, 2))
    source = np.array([lane[3] if len(lane) > 3 else FRESH for lane in lanes], np.int32)
    return Proposal(np.stack([space.from_config(lane[1]) for lane in lanes]), budget, source, trial >= 0, trial)


def run(trainer, *lanes, state=None, key=3):
    """Return the state and the outcome of a round of rows; see `rows_of`."""
    state = trainer.objective.init(jax.random.key(0)) if state is None else state
    return trainer.objective.evaluate(jax.random.key(key), state, rows_of(trainer.space, *lanes))


def pool_of(data):
    """Return all examples of training and validation, in their order."""
    return np.concatenate([data.x_train, data.x_valid]), np.concatenate([data.y_train, data.y_valid])


def moments_of(x):
    """Return the mean and the deviation of each column of training examples."""
    return x.mean(0, np.float64), x.std(0, dtype=np.float64)


def of_mlp(trainer, weights, copy, x, train=None, targets=None):
    """Return what a network of a trial says of rows, in plain NumPy: the MLP with ReLU, in float64.

    Args:
        trainer: Its trainer.
        weights: The trial's networks.
        copy: Which of them.
        x: Rows: [n, F].
        train: Its training rows, whose mean and deviation are its own.
        targets: Their targets, for regression.
    """
    config = trainer.space.to_config(weights.point)
    own = trainer.family.alone(trainer.plan, weights.bucket, config, weights.networks[copy].params)[1]
    own = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), own)
    mean, deviation = moments_of(train)
    h = (x - mean) / deviation
    for i in range(config["layers"]):
        h = np.maximum(h @ own[f"hidden_{i}"]["kernel"] + own[f"hidden_{i}"]["bias"], 0)
    z = h @ own["out"]["kernel"] + own["out"]["bias"]
    if targets is None:
        return z
    z = z if targets.ndim > 1 else z[:, 0]
    return z * targets.std(0, dtype=np.float64) + targets.mean(0, np.float64)


def fold_outputs(trainer, weights):
    """Return what a trial says of the rows that its folds held out, in the order of the pool: [N, K] or [N]."""
    x, y = pool_of(trainer.data)
    said = []
    for copy, own in enumerate(trainer.layout.folds.slices):
        rest = np.setdiff1d(np.arange(len(y)), np.arange(own.start, own.stop))
        targets = y[rest] if trainer.data.task == "regression" else None
        said.append(of_mlp(trainer, weights, copy, x[own], x[rest], targets))
    return np.concatenate(said)


def assert_same(left, right):
    """Check that two trees of arrays are equal bit for bit."""
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(a, b)
