"""Python functions in processes: known answers, and that whatever goes wrong fails its own trial and no other."""

import contextlib
import functools
import gc
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import random_search, tabular_q
from jaxhpo.compilation import HostFunction
from jaxhpo.objectives import Function, function
from jaxhpo.objectives.pool import Pool, Reply, cores
from jaxhpo.objectives.worker import attempt
from jaxhpo.space import Choice, Int, Space
from jaxhpo.study import Study
from jaxhpo.types import FRESH, Proposal

SPACE = Space({"x": Int(1, 4), "kind": Choice(("a", "b"))})
KEY = jax.random.key(7, impl="threefry2x32")


def proposal_of(xs, trials=None):
    lanes = len(xs)
    return Proposal(
        np.stack([SPACE.from_config({"x": x, "kind": "b"}) for x in xs]),
        np.full(lanes, 5, np.int32),
        np.full(lanes, FRESH, np.int32),
        np.ones(lanes, bool),
        np.arange(lanes, dtype=np.int32) if trials is None else np.int32(trials),
    )


def scores_of(wrapped, xs, trials=None):
    objective = wrapped.objective(SPACE)
    assert isinstance(objective.evaluate, HostFunction)
    state, outcome = objective.evaluate(KEY, objective.init(KEY), proposal_of(xs, trials))
    assert (state, outcome.aux) == ((), {})
    assert outcome.score.dtype == np.float32
    return outcome.score


def ends(pid):
    """Wait until a process is no more; a killed one takes a moment, and nobody waits for a child's children."""
    deadline = time.monotonic() + 10
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not running(pid)


def running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    return False


WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


@WORKERS
def test_closures_and_lambdas_see_python_values(workers):
    offset = 100

    def score(config):
        return offset + config["x"] if config == {"x": config["x"], "kind": "b"} else 0

    assert scores_of(function(score, workers=workers), [1, 4, 2]).tolist() == [101, 104, 102]
    assert scores_of(function(lambda c: c["x"] ** 2, workers=workers), [1, 4]).tolist() == [1, 16]


def test_processes_are_others_at_most_lanes_and_stay_for_the_next_batch():
    def score(config):
        import os
        import sys

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

    def here(self, calls, workers):
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
    assert attempt(lambda config: value, {}, {}) == (float(expected), None)


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
    score, error = attempt(lambda config: value, {}, {})
    assert math.isnan(score)
    assert error is not None
    assert error == message


@WORKERS
def test_an_exception_fails_its_trial_alone(workers):
    with pytest.warns(RuntimeWarning) as caught:
        scores = scores_of(function(lambda c: 1 / (c["x"] - 2), workers=workers), [1, 2, 3], trials=[7, 3, 9])
    assert [str(w.message) for w in caught] == ["trial 3 failed: ZeroDivisionError: division by zero"]
    np.testing.assert_array_equal(scores, np.float32([-1, np.nan, 1]))


def test_a_long_message_is_one_line():
    def score(config):
        raise ValueError("first\nsecond " + "x" * 1000)

    _, error = attempt(score, {}, {})
    assert error is not None
    assert error.startswith("ValueError: first second xx")
    assert len(error) == 300


@pytest.mark.parametrize("workers", [1, 3])
def test_a_worker_that_dies_fails_its_trial_alone(workers):
    def score(config):
        import os
        import signal
        import sys

        if config["x"] == 2:
            os._exit(3)
        if config["x"] == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if config["x"] == 4:
            sys.exit("over")
        return 1.0

    with pytest.warns(RuntimeWarning) as caught:
        scores = scores_of(function(score, workers=workers), [1, 2, 1, 3, 1, 4, 1])
    assert [str(w.message) for w in caught] == [
        "trial 1 failed: its worker ended with exit code 3",
        "trial 3 failed: its worker was killed by SIGKILL (out of memory?)",
        "trial 5 failed: its worker ended with exit code 1",
    ]
    np.testing.assert_array_equal(scores, np.float32([1, np.nan, 1, np.nan, 1, np.nan, 1]))


def test_a_trial_that_takes_too_long_fails_and_its_processes_end(tmp_path):
    def score(config):
        import os
        import subprocess
        import time

        if config["x"] == 2:
            child = subprocess.Popen(["sleep", "60"])
            (tmp_path / "pids").write_text(f"{os.getpid()} {child.pid}")
            time.sleep(60)
        return 1.0

    started = time.perf_counter()
    with pytest.warns(RuntimeWarning) as caught:
        scores = scores_of(function(score, workers=2, timeout=1), [1, 2, 1, 1])
    assert time.perf_counter() - started < 20
    assert [str(w.message) for w in caught] == ["trial 1 failed: no score after 1 s"]
    np.testing.assert_array_equal(scores, np.float32([1, np.nan, 1, 1]))
    assert all(ends(pid) for pid in (tmp_path / "pids").read_text().split())


def test_a_function_may_print_read_and_start_processes(capfd):
    def score(config):
        import subprocess
        import sys

        print("hello from a worker", flush=True)
        subprocess.run(["echo", "and its child"], check=True)
        return len(sys.stdin.read()) + len(subprocess.run(["cat"], capture_output=True, check=True).stdout)

    assert scores_of(function(score, workers=1), [1, 2]).tolist() == [0, 0]
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("hello from a worker") == 2
    assert err.count("and its child") == 2


def test_cores_are_shared_out_unless_the_user_has_done_it(monkeypatch):
    def score(config):
        import os

        return int(os.environ["OMP_NUM_THREADS"]) * 100 + int(os.environ["MKL_NUM_THREADS"])

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setattr("jaxhpo.objectives.pool.cores", lambda: 8)
    assert scores_of(function(score, workers=2), [1, 1]).tolist() == [704, 704]


def test_an_interrupt_leaves_no_worker(tmp_path):
    marks = tmp_path / "pids"

    def score(config):
        import os
        import time

        with marks.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(60)

    def interrupt():
        while not marks.exists() or len(marks.read_text().split()) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    study = Study(SPACE, random_search(SPACE, lanes=4), function(score, workers=2).objective(SPACE), seed=0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            study.run(8)
    finally:
        signal.signal(signal.SIGINT, before)
    thread.join()
    pids = marks.read_text().split()
    assert len(pids) == 2
    assert not any(running(pid) for pid in pids)


def test_a_script_without_a_guard_works_and_killing_it_ends_its_workers(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import os, sys, time
        import numpy as np
        import jax
        from jaxhpo.objectives import function
        from jaxhpo.space import Int, Space
        from jaxhpo.types import Proposal

        FACTOR = 3
        SPACE = Space({"x": Int(1, 4)})

        def helper(x):
            return FACTOR * x

        def score(config):
            if config["x"] == 4:
                print(os.getpid(), file=sys.stderr, flush=True)
                time.sleep(60)
            return helper(config["x"])

        def run(x):
            point, one = SPACE.from_config({"x": x})[None], np.ones(1, np.int32)
            objective = function(score, workers=1).objective(SPACE)
            key = jax.eval_shape(lambda: jax.random.key(0))
            return objective.evaluate(key, (), Proposal(point, one, -one, one == 1, one))[1].score

        print(run(2)[0], flush=True)
        run(4)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "6.0\n"
        pid = int(process.stderr.readline())
        assert running(pid)
        process.kill()
        process.wait()
        assert ends(pid)


def test_a_study_runs():
    objective = function(lambda c, seed: c["x"] + seed / 2**31, workers=2).objective(SPACE)
    study = Study(SPACE, tabular_q(SPACE, lanes=4), objective, seed=0).run(16)
    assert study.best.config["x"] == 4
    assert study.trials["score"].nunique() == 16


def test_idle_workers_end_and_others_take_their_place(monkeypatch):
    monkeypatch.setattr("jaxhpo.objectives.pool._IDLE", 0.2)
    objective = function(lambda c: __import__("os").getpid(), workers=1).objective(SPACE)

    def pid():
        return int(objective.evaluate(KEY, (), proposal_of([1]))[1].score[0])

    first = pid()
    assert ends(first)
    assert pid() != first


# --- the door ----------------------------------------------------------------------------------------------------


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
