"""What a user ends with: test score and loss against seconds.

    python -m benchmarks.value --half tuning|reporting [--seconds 60] [--splits 3] [--problems a b] [--methods x y]
    python -m benchmarks.value --half reporting --table    # tables of what is kept; runs nothing
    python -m benchmarks.value --quick

Every method runs on every split of every problem that it is for, in a process of its own. Each answer is a JSON line in
`results/value/HALF.jsonl`, and what has a line is not run again, whatever has changed since: its commit is in it. Any
algorithm of jaxhpo is a method, with options of `jaxhpo.tune` after a colon, such as `q_learning:epochs=20,lanes=4`.
Its study gives two lines: that of the winner has the name of the method, that of the ensemble `+ensemble` at its end.
To ask for either runs both. What its trials said is kept in `results/value/HALF/`. The other methods are hand_written,
hand_written_5, optuna_tpe, hist_gradient_boosting, random_forest, linear and tfidf_naive_bayes. scikit-learn's take as
long as they take; the others may take `--seconds`, compilation included. Optuna and the data need
`pip install -e '.[benchmarks]'`. Run nothing beside it.
"""

import argparse
import math
import tempfile
from difflib import get_close_matches
from pathlib import Path

from benchmarks.record import RESULTS
from benchmarks.value import methods, report
from benchmarks.value.problems import PROBLEMS, Problem
from benchmarks.value.run import Line, read, run

HALVES = ("tuning", "reporting")
QUICK_METHODS = (methods.BASELINE, "random_search:trials=8,epochs=2", "linear", "tfidf_naive_bayes")


def chosen_problems(names: list[str] | None, half: str | None) -> list[Problem]:
    """Return the problems that are named, else those of a half; raise ValueError naming an unknown one."""
    if names is None:
        return [problem for problem in PROBLEMS.values() if half in (None, problem.half)]
    found = []
    for name in dict.fromkeys(names):
        if name not in PROBLEMS:
            near = get_close_matches(name, PROBLEMS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"problem {name!r} is unknown; {hint}known are {', '.join(PROBLEMS)}")
        if half not in (None, PROBLEMS[name].half):
            raise ValueError(f"problem {name!r} is of the half {PROBLEMS[name].half!r}, not {half!r}; leave one out")
        found.append(PROBLEMS[name])
    return found


def chosen_methods(names: list[str] | None, problems: list[Problem], *, strict: bool) -> list[str]:
    """Return the methods that are named, else the usual ones.

    Raises:
        ValueError: if one is unknown, has wrong options, lacks its package, or is for none of the problems; where
            `strict`, not for all.
    """
    chosen = list(methods.DEFAULT_METHODS) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if lacking := methods.lacking(name):
            raise ValueError(f"method {name!r} needs {lacking}; pip install {lacking}, or name other --methods")
    for name in names or ():
        if strict or not any(methods.fits(name, problem) for problem in problems):
            for problem in problems:
                methods.check_fits(name, problem)
    return chosen


def kept(file: Path, **wanted: list[str] | None) -> list[Line]:
    """Return the lines of a file whose fields are among those wanted; raise ValueError where none is."""
    lines = read(file)
    if not lines:
        raise ValueError(f"{file} has no lines; run the benchmark first, or name another file by --output")
    for field, values in wanted.items():
        if values is not None:
            there = {line[field] for line in lines}
            if unknown := [value for value in values if value not in there]:
                raise ValueError(f"{field} {unknown[0]!r} has no line in {file}; there are {', '.join(sorted(there))}")
            lines = [line for line in lines if line[field] in values]
    return lines


def smallest_of_each(problems: list[Problem]) -> list[Problem]:
    """Return the problem of each kind and task with the fewest numbers, or texts."""
    found: dict[tuple[str, str], Problem] = {}
    for problem in sorted(problems, key=lambda problem: problem.rows * max(problem.columns, 1)):
        found.setdefault((problem.kind, problem.task), problem)
    return list(found.values())


def shown(line: Line) -> str:
    """Return a run in a line, to watch."""
    head = f"{line['problem']:24s} split {line['split']}  {line['method']:24s}"
    if "error" in line:
        return f"{head}  failed: {line['error']}"
    trials = "" if line["trials"] is None else f", {line['trials']} trials"
    return f"{head}  score {line['score']:.4f}, loss {line['loss']:.4f}, {line['wall']:.1f} s{trials}"


def main() -> None:
    """Run what is missing, or make tables of what there is."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--half", choices=HALVES, help="the problems that defaults are chosen by, or the others")
    arguments.add_argument("--seconds", type=_positive, default=60.0, help="that a method may take; 60 unless given")
    arguments.add_argument("--splits", type=_count, default=3, help="how many; 3 unless given")
    arguments.add_argument("--problems", nargs="+", metavar="NAME", help="which; those of the half unless given")
    arguments.add_argument(
        "--methods", nargs="+", metavar="NAME", help="which, with their options; the usual ones unless given"
    )
    arguments.add_argument("--output", type=Path, metavar="FILE.jsonl", help="the file of lines")
    arguments.add_argument("--again", action="store_true", help="run again what failed")
    arguments.add_argument("--quick", action="store_true", help="small: does it run; keeps no lines unless told where")
    arguments.add_argument("--table", action="store_true", help="run nothing; print tables of the lines that are kept")
    arguments.add_argument("--baseline", default=methods.BASELINE, help="the method that others are compared with")
    options = arguments.parse_args()
    if not (options.half or options.problems or options.quick or (options.table and options.output)):
        arguments.error("say --half tuning or --half reporting, or name --problems")
    file = options.output or RESULTS / "value" / f"{options.half or 'named'}.jsonl"
    try:
        if options.table:
            half = [options.half] if options.half else None
            names = options.methods and [options.baseline, *options.methods]
            kept(file, method=[options.baseline])  # or it is refused
            print(report.tables(kept(file, half=half, problem=options.problems, method=names), options.baseline))
            return
        problems = chosen_problems(options.problems, options.half)
        if options.quick:
            problems = smallest_of_each(problems)
        wanted = list(QUICK_METHODS) if options.quick and options.methods is None else options.methods
        names = chosen_methods(wanted, problems, strict=bool(options.problems and options.methods))
    except ValueError as error:
        arguments.error(str(error))
    with tempfile.TemporaryDirectory() as nowhere:
        if options.quick and options.output is None:
            file = Path(nowhere) / "quick.jsonl"
        splits, seconds = (1, 5.0) if options.quick else (options.splits, options.seconds)
        for line in run(problems, names, splits=splits, seconds=seconds, file=file, again=options.again):
            print(shown(line), flush=True)
        if options.quick:
            print(report.tables(read(file), options.baseline))


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds above 0")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    main()
