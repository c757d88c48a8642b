"""The processes that call Python functions: whatever goes wrong fails its own trial and no other, and they end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from jaxhpo.algorithms import random_search
from jaxhpo.objectives import function
from jaxhpo.study import Study
from tests.objectives.calls import KEY, SPACE, ends, proposal_of, running, scores_of


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


def test_idle_workers_end_and_others_take_their_place(monkeypatch):
    monkeypatch.setattr("jaxhpo.objectives.pool._IDLE", 0.2)
    objective = function(lambda c: __import__("os").getpid(), workers=1).objective(SPACE)

    def pid():
        return int(objective.evaluate(KEY, (), proposal_of([1]))[1].score[0])

    first = pid()
    assert ends(first)
    assert pid() != first


# --- the door ----------------------------------------------------------------------------------------------------
