"""Surrogates: smooth, their best unbeaten, and made anew from what the Trainer does."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.prior import record_trainings
from benchmarks.prior.lessons import LESSONS
from benchmarks.quality import fit_surrogates, tasks
from benchmarks.quality.problems import PROBLEMS
from benchmarks.quality.tasks import surrogates
from jaxhpo.training.config.hyperparameters import DEFAULTS

NEED_DATA = ("mnist", "cifar", "reviews")
DRAWN = [name for name in LESSONS if name.startswith("drawn")]


def draw(task, count, seed):
    sizes = task.space.level_counts
    return np.random.default_rng(seed).integers(0, sizes, (count, len(sizes))).astype(np.int32)


@pytest.mark.parametrize("name", surrogates.NAMES)
def test_no_fresh_sample_beats_the_best(name):
    task = tasks.load(name)
    levels = draw(task, 20_000, 11)
    assert np.asarray(jax.jit(task.compute)(jnp.asarray(levels), None, *task.tables)).max() < task.best
    fit = surrogates.read(name)[1]
    near = fit_surrogates.pairs(fit.best.astype(int), np.array(task.space.level_counts))
    assert task.score(near).max() <= task.best + 1e-12  # nor any other levels of two dimensions


@pytest.mark.parametrize("name", surrogates.NAMES)
def test_a_surrogate_follows_its_trainings(name):
    trainings, fit = surrogates.read(name)
    assert fit.held_out > 0.6
    assert set(tasks.load(name).space) == set(trainings.space) - {"optimizer"}
    assert set(trainings.space) <= set(DEFAULTS)
    assert len(trainings.score) == len(trainings.places) == PROBLEMS[name].configurations
    assert trainings.space == PROBLEMS[name].space


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_read(name):
    trainings, fit = surrogates.read(name)
    assert fit is None
    assert trainings.space == LESSONS[name].space
    # The same hyperparameters, by name and order; but of dropout, where there is none.
    same = [name for name in PROBLEMS["digits_few"].space if name in trainings.space or name != "dropout"]
    assert list(trainings.space) == same
    assert trainings.places.shape == (LESSONS[name].configurations, len(trainings.space) - 1)
    assert trainings.score.shape == (LESSONS[name].configurations,)
    assert trainings.score.min() >= 0
    assert trainings.score.max() <= 1
    usual = max(trainings.nothing, np.median(trainings.score))
    assert trainings.score.max() > usual + 0.015  # there is something to learn


@pytest.mark.parametrize("name", LESSONS)
def test_nothing_is_judged_on_a_lesson(name):
    assert name not in PROBLEMS
    assert name not in tasks.names(*tasks.FAMILIES)
    with pytest.raises(ValueError, match="not fitted"):
        surrogates.load(name)


def test_each_lesson_has_configurations_of_its_own():
    seeds = {record_trainings.seed_of(name) for name in (*PROBLEMS, *LESSONS)}
    assert len(seeds) == len(PROBLEMS) + len(LESSONS)
    assert [record_trainings.seed_of(name) for name in PROBLEMS] == list(range(len(PROBLEMS)))


@pytest.mark.parametrize("name", [name for name in LESSONS if not name.startswith(NEED_DATA) and name not in DRAWN[8:]])
def test_a_lessons_examples_are_made_alike_twice(name):
    problem = LESSONS[name]
    first, second = problem.examples(), problem.examples()
    assert len(first.y_train) == problem.train
    if problem.balanced:
        counts = np.bincount(first.y_valid)
        assert 3 * problem.valid // 5 <= len(first.y_valid) <= problem.valid
        assert counts.min() == counts.max()
        assert np.bincount(first.y_train).min() < 0.8 * len(first.y_train) / len(counts)
    else:
        assert len(first.y_valid) == problem.valid
    np.testing.assert_array_equal(first.x_train, second.x_train)
    np.testing.assert_array_equal(first.y_valid, second.y_valid)


def test_loading_twice_is_loading_once():
    first, second = tasks.load("digits_few"), tasks.load("digits_few")
    levels = draw(first, 100, 0)
    assert first.fingerprint == second.fingerprint
    np.testing.assert_array_equal(first.score(levels), second.score(levels))


def test_only_its_own_optimizer_reads_the_momentum():
    for name, relevant in (("digits_many", True), ("digits_short", False)):
        task = tasks.load(name)
        levels = draw(task, 50, 0)
        other = levels.copy()
        other[:, surrogates.MOMENTUM] = 11
        assert np.array_equal(task.score(levels), task.score(other)) != relevant


def test_places_are_points_and_back():
    places = np.random.default_rng(0).integers(0, 256, (200, 7)).astype(np.uint8)
    points = surrogates.to_points(places)
    assert points.min() >= 0
    assert points.max() <= 1
    np.testing.assert_array_equal(surrogates.to_places(points), places)
    score = np.array([0.1, 0.5, 0.95])
    np.testing.assert_allclose(surrogates.decode(surrogates.encode(score, 0.96, 0.1), 0.96, 0.1), score)


def test_a_known_function_is_found():
    problem = PROBLEMS["digits_few"]
    places = record_trainings.places(problem, 240, 0)
    rate, units = places[:, 0] / 255, places[:, 5] / 255
    score = 0.9 - 0.8 * (rate - 0.6) ** 2 - 0.3 * (units - 0.8) ** 2
    trainings = surrogates.Trainings(problem.space, places, score, 0.1)
    fit = fit_surrogates.fit(trainings, quick=True)
    assert fit.held_out > 0.95
    task = surrogates.surrogate("digits_few", trainings, fit)
    levels = draw(task, 300, 1)
    seen = np.asarray(jax.jit(task.compute)(jnp.asarray(levels), None, *task.tables))
    np.testing.assert_allclose(seen, task.score(levels), atol=2e-5 * (task.best - task.median))
    best = dict(zip(task.space, fit.best.tolist(), strict=True))
    assert abs(best["learning_rate"] - 0.6 * 24) < 2
    assert abs(best["units"] - 0.8 * 12) < 2


@pytest.mark.slow
def test_a_problem_is_recorded(monkeypatch, capsys):
    before = surrogates.path_of("cancer").read_bytes()
    monkeypatch.setattr(sys, "argv", ["record_trainings", "cancer", "--quick"])
    record_trainings.main()
    assert "cancer: repeat 1/1, 16/16" in capsys.readouterr().out
    assert surrogates.path_of("cancer").read_bytes() == before


@pytest.mark.slow
def test_a_lesson_is_recorded_and_not_fitted(monkeypatch, capsys):
    before = surrogates.path_of("moons").read_bytes()
    monkeypatch.setattr(sys, "argv", ["record_trainings", "moons", "--quick"])
    record_trainings.main()
    said = capsys.readouterr().out
    assert "moons: repeat 1/1, 16/16" in said
    assert "held-out" not in said
    assert surrogates.path_of("moons").read_bytes() == before


def test_recorded_lessons_are_left_as_they_are(monkeypatch, capsys):
    before = surrogates.path_of("moons").read_bytes()
    monkeypatch.setattr(sys, "argv", ["record_trainings", "moons", "--fit"])
    record_trainings.main()
    assert "held-out" not in capsys.readouterr().out
    assert surrogates.path_of("moons").read_bytes() == before
