"""Runs methods on problems, each in a process of its own, and keeps a JSON line of each answer.

An algorithm of jaxhpo gives two lines from one process: that of the winner, and that of the ensemble. What its trials
said is kept beside the lines, in `recorded.py`'s form.

A line has: problem, kind, task, half, rows (of the data), split, method, seconds (allowed), score, loss, wall (seconds
from the start of the method to its predictions, compilation among them and imports not), trials, config (the winner's),
about (see `benchmarks.record`), commit, date; of a run that failed `error` instead of what it has not.
"""

import datetime as dt
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.value import methods
from benchmarks.value.methods import Answer
from benchmarks.value.problems import Problem, parts
from benchmarks.value.recorded import plain, write

Line = dict[str, Any]
KEY = ("problem", "split", "method", "seconds")
_OF_PROBLEM = ("kind", "task", "half", "rows")
_PACKAGES = ("scikit-learn", "optuna")
_GRACE = 600.0  # seconds beside three times those allowed, after which a process is ended


def key_of(line: Line) -> tuple:
    """Return what a line is of."""
    return tuple(line[name] for name in KEY)


def read(file: Path) -> list[Line]:
    """Return the lines of a file, the last of each (problem, split, method, seconds); what was cut short is left out.

    Raises:
        ValueError: if a line is none of this benchmark's.
    """
    found: dict[tuple, Line] = {}
    for number, text in enumerate(_whole(file), 1):
        try:
            line = json.loads(text)
            found[key_of(line)] = line
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file}, line {number} is no line of benchmarks.value ({error}); mend it") from None
    return list(found.values())


def _whole(file: Path) -> list[str]:
    """Return the lines that end."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return text.split("\n")[:-1]


def run(
    problems: Iterable[Problem],
    names: Iterable[str],
    *,
    splits: int,
    seconds: float,
    file: Path,
    again: bool = False,
) -> Iterator[Line]:
    """Yield the lines of all (problem, split, method) that the file has not, as they are kept in it.

    Where one of the two lines of a study is not there, both are made anew: they are of one study.

    Args:
        problems: which; a method runs on those that it is for.
        names: of methods, with their options.
        splits: how many, from 0.
        seconds: allowed to each method.
        file: of lines; a new one is made.
        again: whether those that failed run again.
    """
    trainings, commit = list(dict.fromkeys(map(methods.training_of, names))), commit_of()
    file.parent.mkdir(parents=True, exist_ok=True)
    there = {key_of(line) for line in read(file) if not (again and "error" in line)}
    with file.open("a", encoding="utf-8") as out:
        out.truncate(sum(len(line.encode()) + 1 for line in _whole(file)))  # without what an interruption cut short
        for problem in problems:
            for split in range(splits):
                for name in trainings:
                    asked = [about(problem, split, each, seconds) for each in methods.answers_of(name)]
                    if all(key_of(what) in there for what in asked) or not methods.fits(name, problem):
                        continue
                    kept = records(file) / record_name(asked[0])
                    found = in_process(problem, split, name, seconds, kept)
                    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
                    lines = [what | found[what["method"]] | {"commit": commit, "date": date} for what in asked]
                    out.writelines(json.dumps(line) + "\n" for line in lines)
                    out.flush()
                    os.fsync(out.fileno())
                    yield from lines


def about(problem: Problem, split: int, name: str, seconds: float) -> Line:
    """Return what a line is of, and what is known of its problem."""
    what = dict(zip(KEY, (problem.name, split, name, seconds), strict=True))
    return what | {field: getattr(problem, field) for field in _OF_PROBLEM}


def records(file: Path) -> Path:
    """Return the folder with the records of the studies whose lines are in a file."""
    return file.with_suffix("")


def record_name(line: Line) -> str:
    """Return the name of the record of the study that a line is of."""
    method = methods.training_of(line["method"]).replace(":", "-")
    return f"{line['problem']}-{line['split']}-{method}-{line['seconds']:g}.npz"


def in_process(
    problem: Problem, split: int, name: str, seconds: float, kept: Path, limit: float | None = None
) -> dict[str, Line]:
    """Return what `measure` does, in a new process that shares nothing compiled; `error` where it or the process fails.

    Args:
        problem: to run on.
        split: of it, and the method's seed.
        name: of the method, with its options.
        seconds: allowed to the method.
        kept: the file for the record of a study.
        limit: seconds after which the process is ended.
    """
    limit = 3 * seconds + _GRACE if limit is None else limit
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as cache:
        process = context.Process(target=_child, args=(theirs, cache, problem, split, name, seconds, kept))
        process.start()
        theirs.close()
        try:
            if not mine.poll(limit):
                return failed(name, f"ended after {limit:.0f} s")
            return mine.recv()
        except EOFError:
            process.join()
            return failed(name, f"the process ended with code {process.exitcode}")
        finally:
            if process.is_alive():
                process.join(5)
            process.kill()
            process.join()
            mine.close()


def failed(name: str, error: str) -> dict[str, Line]:
    """Return the lines of a method that has no answer."""
    return {each: {"error": error} for each in methods.answers_of(name)}


def _child(pipe: Connection, cache: str, problem: Problem, split: int, name: str, *what: Any) -> None:
    os.environ["JAXHPO_CACHE_DIR"] = cache
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
    try:
        lines = measure(problem, split, name, *what)
    except Exception as error:
        lines = failed(name, _said(error))
    pipe.send(lines)


def measure(problem: Problem, split: int, name: str, seconds: float, kept: Path) -> dict[str, Line]:
    """Run one method on one split in this process; return the figures of its answers by their names.

    Args:
        problem: to run on.
        split: of it, and the method's seed.
        name: of the method, with its options.
        seconds: allowed to the method.
        kept: the file for the record of a study; written after the clock has stopped.
    """
    from benchmarks import record
    from benchmarks.value.comparison import check_outputs, loss_of, score_of

    method, given = methods.load(name), parts(problem, split)
    classes = np.unique(given.y_train) if problem.task == "classification" else None
    where = record.about()  # which starts the device as well
    where["versions"] |= {name: version(name) for name in _PACKAGES if find_spec(name.replace("scikit-", "sk"))}
    deviation = 1.0 if classes is not None else float(np.std(given.y_train))
    begun = time.perf_counter()
    found = method(problem, given, seconds, split)
    wall = time.perf_counter() - begun

    def line(answer: Answer | Exception) -> Line:
        if isinstance(answer, Exception):
            return {"error": _said(answer)}
        check_outputs(answer.outputs, len(given.y_test), classes)
        made = {"about": where, "score": score_of(answer.outputs, given.y_test, classes)}
        made["loss"] = loss_of(answer.outputs, given.y_test, classes, deviation)
        took = wall if answer.wall is None else answer.wall
        return made | {
            "wall": round(took, 2),
            "trials": answer.trials,
            "config": plain(answer.config),
            "said": answer.said,
        }

    if isinstance(found, Answer):
        return {name: line(found)}
    write(kept, found.record(about(problem, split, name, seconds) | {"deviation": deviation}))
    return dict(zip(methods.answers_of(name), map(line, (found.winner, found.ensemble)), strict=True))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def commit_of() -> str | None:
    """Return the commit of this package, with `-dirty` where files differ from it; None where git knows none."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    return found.stdout.strip() or None
