"""Runs come back as they were kept, and incumbents change where they should."""

import dataclasses

import numpy as np
import pytest

from benchmarks.quality import store, tasks
from benchmarks.quality.store import Run

RUN = Run("gp", "ours", "branin", "analytic", "12345678", 1, 100, [0, 1], "v1", curves=[[1, 0.5, 4, 0.25], [2, 0.125]])


def test_runs_come_back(tmp_path):
    skipped = dataclasses.replace(RUN, task="ackley20", curves=[], skipped="too many levels")
    other = dataclasses.replace(
        RUN, who="smac3", kind="peer", lanes=8, seconds={"each": 0.5}, options={"b": 1, "a": "x"}
    )
    store.append(RUN, skipped, other, root=tmp_path)
    assert store.load(tmp_path) == [RUN, other]
    assert store.load(tmp_path, skipped=True, who="gp") == [skipped, RUN]
    assert store.load(tmp_path, kind="peer", lanes={1, 8}) == [other]
    assert store.load(tmp_path, verdict=True) == []
    assert store.kept("gp", root=tmp_path) == {RUN.key, skipped.key}
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["gp.json", "smac3.json"]


def test_a_newer_run_replaces_an_older_one(tmp_path):
    newer = dataclasses.replace(RUN, version="v2")
    batch = dataclasses.replace(RUN, lanes=8)
    store.append(RUN, batch, root=tmp_path)
    store.append(newer, root=tmp_path)
    assert store.load(tmp_path) == [newer, batch]
    assert RUN.key not in store.kept("gp", root=tmp_path)


def test_the_verdict_is_kept_apart(tmp_path):
    store.append(RUN, root=tmp_path, verdict=True)
    assert store.load(tmp_path) == []
    assert store.load(tmp_path, verdict=True) == [RUN]


def test_regret_between_changes():
    np.testing.assert_array_equal(RUN.regret([1, 3, 4, 100]), [[0.5, 0.5, 0.25, 0.25], [np.nan, 0.125, 0.125, 0.125]])


def test_the_limit_counts_epochs_where_curves_do():
    assert RUN.limit == 100
    assert dataclasses.replace(RUN, unit="epochs", budget=27).limit == 2700


def test_incumbents_change_by_what_was_seen():
    task = dataclasses.replace(tasks.load("branin"), best=1.0, median=0.0)
    seen = np.array([np.nan, 0.1, 0.1, 0.4, 0.3, 0.9])
    truth = np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.75])
    assert store.changes(task, seen, truth) == [2, 0.8, 4, 0.9, 6, 0.25]
    assert store.changes(task, seen, truth, np.array([5, 9, 9, 9, 20, 30])) == [9, 0.9, 30, 0.25]


def test_equal_regrets_are_written_once():
    task = dataclasses.replace(tasks.load("branin"), best=1.0, median=0.0)
    assert store.changes(task, np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.5, 0.2])) == [1, 0.5, 3, 0.8]


def test_a_runs_fields_are_checked_by_name(tmp_path):
    store.append(RUN, root=tmp_path)
    with pytest.raises(AttributeError):
        store.load(tmp_path, method="gp")
