"""Python functions in processes: known answers, and what is refused."""

import functools
import gc
import math
import os
import sys
import threading
import time
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import tabular_q
from jaxhpo.objectives import Function, function
from jaxhpo.objectives.pool import Pool, Reply, cores
from jaxhpo.objectives.worker import attempt
from jaxhpo.space import Int, Space
from jaxhpo.study import Study
from jaxhpo.types import Proposal
from tests.objectives.calls import KEY, SPACE, proposal_of, running, scores_of

WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


@WORKERS
def test_closures_and_lambdas_see_python_values(workers):
    offset = 100

    def score(config):
        return offset + config["x"] if config == {"x": config["x"], "kind": "b"} else 0

    assert scores_of(function(score, workers=workers), [1, 4, 2]).tolist() == [101, 104, 102]
    assert scores_of(function(lambda c: c["x"] ** 2, workers=workers), [1, 4]).tolist() == [1, 16]


@pytest.mark.slow
def test_processes_are_others_at_most_lanes_and_stay_for_the_next_batch():
    def score(config):
        import os

        return -1 if "jaxhpo" in sys.modules else os.getpid()

    objective = function(score, workers=2).objective(SPACE)

    first, second = ({int(pid) for pid in objective.evaluate(KEY, (), proposal_of([1] * 6))[1].score} for _ in range(2))
    assert 1 <= len(first | second) <= 2
    assert os.getpid() not in first
    assert -1 not in first
    assert all(running(pid) for pid in first)
    del objective
    gc.collect()
    assert not any(running(pid) for pid in first)


def test_the_default_is_a_process_a_core_and_never_more_than_lanes(monkeypatch):
    asked = []

    def here(self, calls, workers, done):
        asked.append(workers)
        return [Reply(1.0, None)] * len(calls)

    monkeypatch.setattr(Pool, "map", here)
    for lanes in (1, 3, 500):
        scores_of(function(lambda c: 1.0), [1] * lanes)
    assert asked == [1, min(3, cores()), min(500, cores())]


@WORKERS
def test_seed_and_budget_are_given_to_who_takes_them(workers):
    def seeds(config, seed):
        assert isinstance(seed, int)
        return seed % 100_000

    first = scores_of(function(seeds, workers=workers), [1, 1, 1], trials=[3, 8, 4])
    again = scores_of(function(seeds, workers=workers), [2, 2], trials=[8, 3])
    assert len(set(first.tolist())) == 3
    assert again.tolist() == [first[1], first[0]]
    assert scores_of(function(lambda c, budget: budget, workers=workers), [1]).tolist() == [5]
    both = function(lambda c, *, seed, budget=0: budget if 0 <= seed < 2**31 else -1, workers=workers)
    assert scores_of(both, [1]).tolist() == [5]
    assert scores_of(function(functools.partial(lambda c, seed: seed, seed=9), workers=workers), [1]).tolist() == [9]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (2.5, 2.5), (np.float64(0.1), 0.1), (np.array(4), 4), (jnp.bfloat16(2), 2), (Fraction(1, 4), 0.25)],
)
def test_numbers_of_any_kind_are_scores(value, expected):
    assert attempt(lambda config: value, {}, {}) == (float(expected), None, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the score is NoneType, not a number"),
        ("0.5", "the score is str, not a number"),
        (True, "the score is bool, not a number"),
        (np.bool_(True), f"the score is {np.bool_.__name__}, not a number"),
        (np.zeros(1), "the score is ndarray, not a number"),
        ((1.0, {}), "the score is tuple, not a number"),
        (math.nan, "the score is nan"),
        (-math.inf, "the score is -inf"),
        (1e300, "the score is 1e+300, beyond float32"),
        (10**400, "OverflowError: int too large to convert to float"),
    ],
)
def test_other_results_are_failures(value, message):
    score, error, exception = attempt(lambda config: value, {}, {})
    assert math.isnan(score)
    assert error is not None
    assert error == message
    # Numbers that are not finite may be the configuration's fault, results of another type are the function's.
    assert (exception is None) == error.startswith(("the score is nan", "the score is -inf", "the score is 1e"))


@WORKERS
def test_an_exception_fails_its_trial_alone(workers):
    failing = function(lambda c: 1 / (c["x"] - 2), workers=workers)
    with pytest.warns(RuntimeWarning) as caught:
        scores = scores_of(failing, [1, 2, 3], trials=[7, 3, 9])
    place = f"test_function.py, line {failing.score.__code__.co_firstlineno}"
    assert [str(w.message) for w in caught] == [f"trial 3 failed: ZeroDivisionError: division by zero ({place})"]
    np.testing.assert_array_equal(scores, np.float32([-1, np.nan, 1]))


def test_a_long_message_is_one_line():
    def score(config):
        raise ValueError("first\nsecond " + "x" * 1000)

    _, error, _ = attempt(score, {}, {})
    assert error is not None
    assert error.startswith("ValueError: first second xx")
    assert error.endswith(f"x... (test_function.py, line {score.__code__.co_firstlineno + 1})")
    assert len(error) == 300


def test_a_study_runs():
    objective = function(lambda c, seed: c["x"] + seed / 2**31, workers=2).objective(SPACE)
    study = Study(SPACE, tabular_q(SPACE, lanes=4), objective, seed=0).run(16)
    assert study.best.config["x"] == 4
    assert study.trials["score"].nunique() == 16


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (3, {}, r"score=3 must be a function score\(config\)"),
        (lambda: 1.0, {}, r"score takes \(\); it must be score\(config\), and may also take seed and budget"),
        (lambda config, key: 1.0, {}, r"score takes \(config, key\)"),
        (len, {"workers": -1}, "workers=-1 must be an integer of at least 0"),
        (len, {"workers": 1.5}, "workers=1.5 must be"),
        (len, {"workers": True}, "workers=True must be"),
        (len, {"timeout": 0}, "timeout=0 must be a number of seconds above 0"),
        (len, {"timeout": math.nan}, "timeout=nan must be"),
        (len, {"timeout": math.inf}, "timeout=inf must be"),
        (len, {"timeout": "1"}, "timeout='1' must be"),
        (len, {"timeout": 1, "workers": 0}, "timeout=1 needs a process"),
    ],
)
def test_what_cannot_be_is_refused(score, options, message):
    with pytest.raises(ValueError, match=message):
        function(score, **options)


def test_what_cannot_be_sent_is_refused_at_the_door():
    lock = threading.Lock()

    def score(config):
        with lock:
            return 1.0

    with pytest.raises(ValueError, match=r"cannot be sent to a process: .*lock.*; make what it refers to inside it"):
        function(score).objective(SPACE)
    assert scores_of(function(score, workers=0), [1]).tolist() == [1]


def test_what_a_worker_cannot_load_is_an_error_of_the_study():
    class Unloadable:
        def __reduce__(self):
            return __import__, ("no_such_module_of_mine",)

        def __call__(self, config):
            return 1.0

    objective = function(Unloadable(), workers=1).objective(SPACE)
    with pytest.raises(ValueError, match="cannot be loaded in a worker process: ModuleNotFoundError"):
        objective.evaluate(KEY, (), proposal_of([1, 2]))


def test_the_unbound_form_says_what_it_is():
    assert function(len, workers=2, timeout=1.5) == Function(len, 2, 1.5)
    with pytest.raises(ValueError, match="space=3 must be"):
        function(len).objective(3)


def test_calls_are_reported_as_they_end_and_known_ones_are_not_made():
    seen = []
    space = Space({"x": Int(0, 3)})

    def score(config):
        assert config["x"] != 3  # it is known
        time.sleep(0.3 if config["x"] == 0 else 0.0)
        return config["x"]

    objective = function(score, workers=2).objective(space)
    rows = np.array([space.from_config({"x": x}) for x in (0, 1, 2, 3)])
    trial = np.arange(4, dtype=np.int32)
    proposal = Proposal(rows, np.ones(4, np.int32), np.full(4, -1, np.int32), np.ones(4, bool), trial)
    report = {"finished": lambda lane, result: seen.append((lane, result.score)), "known": {3: None}}
    _, outcome = objective.evaluate(KEY, (), proposal, **report)
    assert seen[-1] == (0, 0.0)  # it took the longest
    assert sorted(seen) == [(0, 0.0), (1, 1.0), (2, 2.0)]
    np.testing.assert_array_equal(outcome.score, np.array([0, 1, 2, np.nan], np.float32))
