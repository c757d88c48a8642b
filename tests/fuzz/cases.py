"""All kinds of generated inputs, what counts as a failure, and what is measured."""

import resource
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

import jaxhpo as jh
from tests.fuzz.calls import FIELDS, OPTIONS, lines, run_command, run_fields, run_options, run_tune, searches
from tests.fuzz.data import TABLE_OPTIONS, frames, pairs, run_arrays, run_frame
from tests.fuzz.files import archives, csv_texts, pictures, run_csv, run_images, run_npz
from tests.fuzz.spaces import DIMENSION, JSON, SPACE, run_dimension, run_json, run_space
from tests.fuzz.values import NUMBERS, VALUES, seldom

PACKAGE = str(Path(jh.__file__).parent)


class Case(NamedTuple):
    """A generated input: its kind, what to do with it, and how it reads in a report."""

    kind: str
    payload: Any

    def run(self) -> None:
        RUN[self.kind](self.payload)


RUN: dict[str, Callable[[Any], None]] = {
    "space": run_space,
    "dimension": run_dimension,
    "json": run_json,
    "arrays": run_arrays,
    "frame": run_frame,
    "csv": run_csv,
    "npz": run_npz,
    "images": run_images,
    "options": run_options,
    "fields": run_fields,
    "command": run_command,
    "tune": run_tune,
}
DRAW: dict[str, st.SearchStrategy] = {
    "space": seldom(VALUES, SPACE),
    "dimension": DIMENSION,
    "json": JSON,
    "arrays": pairs(),
    "frame": frames(),
    "csv": st.tuples(
        seldom(st.text(max_size=60), csv_texts()),
        seldom(st.sampled_from([".tsv", ".csv.gz"]), st.just(".csv")),
        TABLE_OPTIONS,
    ),
    "npz": seldom(st.binary(max_size=60), archives()),
    "images": st.tuples(pictures(), seldom(st.tuples(st.integers(-1, 9), NUMBERS), st.none() | st.just((8, 8)))),
    "options": OPTIONS,
    "fields": FIELDS,
    "command": lines(),
    "tune": searches(),
}

QUICK = tuple(kind for kind in DRAW if kind != "tune")
"""Kinds of inputs that are taken or refused without a training."""


def cases(*kinds: str) -> st.SearchStrategy[Case]:
    """Return the strategy of generated inputs of some kinds."""
    return st.sampled_from(kinds).flatmap(lambda kind: DRAW[kind].map(lambda payload: Case(kind, payload)))


def check(case: Case) -> str | None:
    """Return the message with which an input is refused, None if it is taken.

    Raises:
        AssertionError: if it is refused by another library, or without a word.
        Exception: any other that jaxhpo lets through.
    """
    refusal: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case.run()
        except (ValueError, TypeError) as error:
            refusal = error
    if refusal is None:
        return None
    where = traceback.extract_tb(refusal.__traceback__)[-1].filename
    assert where.startswith(PACKAGE), f"{type(refusal).__name__} of {where}: {refusal}"[:500]
    assert str(refusal).strip(), "the message is empty"
    return str(refusal)


class Findings:
    """What many inputs did: failures by place, the slowest call, the largest growth of memory."""

    def __init__(self) -> None:
        self.failures: dict[str, tuple[int, Case, str]] = {}
        self.slowest, self.largest = (0.0, "none"), (0, "none")
        self.count: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def look(self, case: Case) -> None:
        """Try an input."""
        self.count[case.kind] += 1
        before, begun = _peak(), time.process_time()
        try:
            self.refused[case.kind] += check(case) is not None
        except Exception as error:
            frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(PACKAGE)]
            place = (
                f"{Path(frames[-1].filename).relative_to(PACKAGE)}:{frames[-1].lineno}" if frames else "tests/fuzz.py"
            )
            key = f"{case.kind}: {type(error).__name__} at {place}"
            times, first, said = self.failures.get(key, (0, case, f"{error}"[:300]))
            self.failures[key] = times + 1, first, said
        shown = f"{case.kind}: {case.payload!r}"[:400]
        self.slowest = max(self.slowest, (time.process_time() - begun, shown))
        self.largest = max(self.largest, (_peak() - before, shown))


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def warm_up() -> None:
    """Import and compile what a first call would, so that it is not taken for slow."""
    frame = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20))
    check(Case("csv", (frame, ".csv", {})))
    for algorithm in ("random_search", "sobol", "grid_search", "tabular_q", "q_learning"):
        check(Case("command", ["tune", "digits", "--algorithm", algorithm]))
