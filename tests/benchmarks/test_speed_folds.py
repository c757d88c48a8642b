"""What a small study with folds takes: medians and ratios of what processes said, and the study that one runs."""

import itertools

import pytest

from benchmarks.speed import folds, ours


def test_medians_and_ratios(monkeypatch):
    seconds = {1: itertools.cycle([9.0, 1.0, 2.0, 4.0]), 5: itertools.cycle([90.0, 6.0, 8.0, 8.0])}
    caches = []

    def call(function, *, cache, folds, algorithm, trials, epochs):
        assert (function, trials, epochs) == ("ours:small_study", 16, None)
        caches.append(cache)
        train = next(seconds[folds]) if algorithm == "random_search" else float(len(caches))
        whole = {"seconds_from_process_start": 10 * train, "compile": 1.0, "total_gflop": 2.5 * folds}
        return {"train": train, "configs": [{"units": 8}] * 16, **whole}

    monkeypatch.setattr(folds, "call", call)
    cold = folds.cold(quick=False)
    assert len(set(caches)) == 3  # each has an empty cache
    figures = {"seconds_from_process_start": 20.0, "train": 2.0, "compile": 1.0}
    assert cold == {"trials": 16, "smallest": 10.0, "largest": 30.0} | figures
    caches.clear()
    cost = folds.cost(quick=False)
    assert len(set(caches)) == 1
    # The first of each compiles. Then 6/1, 8/2 and 8/4.
    assert cost == {"seconds": {"1": 2.0, "5": 8.0}, "ratio": 4.0, "smallest": 2.0, "largest": 6.0, "arithmetic": 5.0}


def test_other_configurations_do_not_compare(monkeypatch):
    def call(function, *, folds, **rest):
        return {"train": 1.0, "configs": [folds], "total_gflop": 1.0}

    monkeypatch.setattr(folds, "call", call)
    with pytest.raises(RuntimeError, match="random_search trained other configurations"):
        folds.cost(quick=True)


@pytest.mark.slow
def test_folds_and_none_train_the_same_configurations(monkeypatch):
    monkeypatch.setenv("STARTED", "0")
    found = [ours.small_study(folds=each, algorithm="random_search", trials=2, epochs=1) for each in (1, 5)]
    assert found[0]["configs"] == found[1]["configs"]
    assert 4 < found[1]["total_gflop"] / found[0]["total_gflop"] < 6
