"""What the tests of called functions share: a space, proposals, and what has become of a process."""

import contextlib
import time
from pathlib import Path

import jax
import numpy as np

from jaxhpo.compilation import HostFunction
from jaxhpo.space import Choice, Int, Space
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
