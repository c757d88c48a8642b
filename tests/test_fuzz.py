"""Generated inputs: some in every run, and that what looks for more of them finds what is wrong."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz import cases as fuzz

QUIET = {"deadline": None, "database": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=80, **QUIET)
@given(fuzz.cases("space", "dimension", "json", "arrays", "npz"))
def test_a_few_are_taken_or_refused_in_words(case):
    fuzz.check(case)


@pytest.mark.slow
@settings(max_examples=150, **QUIET)
@given(fuzz.cases(*fuzz.QUICK))
def test_spaces_data_and_commands_are_taken_or_refused_in_words(case):
    fuzz.check(case)


@pytest.mark.slow
@settings(max_examples=20, **QUIET)
@given(fuzz.cases("tune"))
def test_searches_run_or_are_refused_in_words(case):
    fuzz.check(case)


def raise_key_error(payload):
    del payload
    raise KeyError("lost")


SILENT = compile("raise ValueError", f"{fuzz.PACKAGE}/x.py", "exec")
WRONG = {
    "another type": (raise_key_error, "KeyError at tests"),
    "another library": (lambda payload: np.zeros(3).reshape(payload), "AssertionError at tests"),
    "nothing said": (
        lambda payload: exec(compile("raise ValueError", f"{fuzz.PACKAGE}/x.py", "exec")),
        "AssertionError",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_found(name, monkeypatch):
    call, said = WRONG[name]
    monkeypatch.setitem(fuzz.RUN, "space", call)
    found = fuzz.Findings()
    for _ in range(3):
        found.look(fuzz.Case("space", 7))
    ((key, (times, case, _)),) = found.failures.items()
    assert key.startswith(f"space: {said}")
    assert (times, case.payload, found.count["space"]) == (3, 7, 3)


def test_time_and_memory_are_measured(monkeypatch):
    peaks, times = iter([100, 150, 150, 190]), iter([0.0, 2.0, 2.0, 7.0])
    monkeypatch.setattr(fuzz, "_peak", lambda: next(peaks))
    monkeypatch.setattr(fuzz.time, "process_time", lambda: next(times))
    monkeypatch.setitem(fuzz.RUN, "space", lambda payload: None)
    found = fuzz.Findings()
    found.look(fuzz.Case("space", "a"))
    found.look(fuzz.Case("space", "b"))
    assert found.largest == (50, "space: 'a'")
    assert found.slowest == (5.0, "space: 'b'")
    assert not found.failures
    monkeypatch.undo()
    assert fuzz._peak() > 2**20
