"""Past studies, read from the files that `tune(output=...)` writes."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxhpo.errors import check_path
from jaxhpo.machine import strict_json
from jaxhpo.space import Space


@dataclass(frozen=True)
class PastTrial:
    """A finished trial of a past study.

    Attributes:
        trial: Number of the trial, from 0.
        config: Value of each active hyperparameter, by name.
        score: Score; nan if the trial failed.
        budget: Budget of the trial.
        point: [D] float32, the configuration in the unit cube.
    """

    trial: int
    config: dict[str, Any]
    score: float
    budget: int
    point: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class PastStudy:
    """A study as its journal tells it.

    Attributes:
        space: What varied.
        direction: "maximize" or "minimize": which scores are better.
        finished: The finished trials, in order.
        header: What was tuned, and how: data, model, algorithm with its options, seed, plan, versions.
    """

    space: Space
    direction: str
    finished: list[PastTrial] = field(repr=False)
    header: dict[str, Any] = field(repr=False)


def read_journal(path: str | os.PathLike) -> PastStudy:
    """Return the study whose finished trials `tune(output=path)` wrote, also if its process was killed.

    Args:
        path: The journal. A last line that a killed process left unfinished is skipped.

    Raises:
        ValueError: if the file cannot be read, or is no journal.
    """
    file = check_path("path", path)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ValueError(f"path={str(path)!r} cannot be read: {reason}") from None
    rows = [_parse(path, number, line, last=number == len(lines)) for number, line in enumerate(lines, 1)]
    rows = [row for row in rows if row is not None]
    header = rows[0].get("header") if rows else None
    if not isinstance(header, Mapping) or "space" not in header:
        raise ValueError(f"path={str(path)!r} is not a journal: its first line has no header; see tune(output=...)")
    try:
        space = Space.from_json(header["space"])
        finished = [_read_trial(space, row) for row in rows[1:] if "trial" in row]
        finished.sort(key=lambda trial: trial.trial)  # lines are in the order in which trials finished
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path={str(path)!r} is not a journal of its space: {error}") from None
    return PastStudy(space, header.get("direction", "maximize"), finished, dict(header))


def _read_trial(space: Space, row: Mapping[str, Any]) -> PastTrial:
    point = space.from_config(row["config"])
    score = math.nan if row["score"] is None else float(row["score"])
    return PastTrial(int(row["trial"]), space.to_config(point), score, int(row["budget"]), point)


def _parse(path: str | os.PathLike, number: int, line: str, *, last: bool) -> dict[str, Any] | None:
    try:
        row = strict_json.parse(line)
    except ValueError:
        row = None
    if isinstance(row, dict):
        return row
    if last and number > 1:
        return None
    raise ValueError(f"path={str(path)!r} is not a journal: line {number} is no JSON object")
