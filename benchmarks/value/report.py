"""The kept lines as Markdown tables: methods beside a baseline, and problem by problem."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.value.comparison import Compared, compare
from benchmarks.value.run import Line

FEW_ROWS = 2_000
NOTE = (
    "Score is accuracy, or R2: higher is better. Loss is log loss, or the log of the RMSE over the deviation of the "
    "training targets: lower is better. Differences have 95% intervals over problems, then splits. A problem is level "
    "where the mean over splits is within one standard error of 0, with a single split only where it is 0."
)
NOTE_OF_SAID = "Means with 95% intervals over problems, then splits. 0 is honest; above 0 says more than the test does."
FIGURES = {"score": True, "loss": False}
"""What is compared, and whether more is better."""

GROUPS: dict[str, Callable[[Line], bool]] = {
    "all": lambda line: True,
    f"tables up to {FEW_ROWS:,} rows": lambda line: line["kind"] == "table" and line["rows"] <= FEW_ROWS,
    f"tables above {FEW_ROWS:,} rows": lambda line: line["kind"] == "table" and line["rows"] > FEW_ROWS,
    "images": lambda line: line["kind"] == "image",
    "texts": lambda line: line["kind"] == "text",
}


def tables(lines: Sequence[Line], baseline: str) -> str:
    """Return everything in Markdown: for each number of seconds, each kind of problem, and problem by problem."""
    made = [NOTE]
    for seconds in sorted({line["seconds"] for line in lines}):
        rows = [line for line in lines if line["seconds"] == seconds]
        made.append(f"## {seconds:g} seconds, differences from {baseline}")
        for title, belongs in GROUPS.items():
            if chosen := [line for line in rows if belongs(line)]:
                made += [f"### {title[0].upper()}{title[1:]} ({_count(chosen)})", against(chosen, baseline)]
        if any(line.get("said") for line in rows):
            made += ["### Validation score minus test score", NOTE_OF_SAID, honesty(rows)]
        for figure in FIGURES:
            made += [f"### Test {figure}, problem by problem", by_problem(rows, figure)]
    return "\n\n".join(made)


def against(lines: Sequence[Line], baseline: str) -> str:
    """Return a table of methods: mean differences from the baseline with 95% intervals, wins, seconds, failures."""
    wins = "wins / level / losses"
    head = ["method", "score", wins, "loss", wins, "problems", "seconds", "failed"]
    rows = []
    for method in _ordered(line["method"] for line in lines):
        own = [line for line in lines if line["method"] == method]
        cells = []
        for figure, higher in FIGURES.items():
            made = compare(list(differences(lines, method, baseline, figure).values()), higher=higher)
            cells += cells_of(made) if method != baseline else ["0", ""]
        done = [line["wall"] for line in own if "error" not in line]
        paired = sum(map(bool, differences(lines, method, baseline, "score").values()))
        seconds = f"{np.mean(done):.1f}" if done else "-"
        rows.append([method, *cells, str(paired), seconds, str(len(own) - len(done) or "")])
    return markdown(head, rows)


def honesty(lines: Sequence[Line]) -> str:
    """Return a table of methods: validation scores minus test scores, as they are and corrected for choosing."""
    rows = []
    for method in _ordered(line["method"] for line in lines if line.get("said")):
        own = [line for line in lines if line["method"] == method and line.get("said")]
        cells, counts = [], []
        for name in ("score", "corrected_score"):
            found: dict[str, list[float]] = {}
            for line in own:
                if line["said"][name] is not None:
                    found.setdefault(line["problem"], []).append(line["said"][name] - line["score"])
            made = compare(list(found.values()), higher=True)
            cells.append(cells_of(made)[0])
            counts.append(str(sum(map(len, found.values()))))
        rows.append([method, *cells, counts[-1]])
    return markdown(["method", "as it is", "corrected for choosing", "studies"], rows)


def by_problem(lines: Sequence[Line], figure: str) -> str:
    """Return a table of problems: a figure's mean over splits of each method."""
    methods = _ordered(line["method"] for line in lines)
    rows = []
    for problem in _ordered(line["problem"] for line in lines):
        there = [line for line in lines if line["problem"] == problem]
        cells = []
        for method in methods:
            own = [line for line in there if line["method"] == method]
            values = [line[figure] for line in own if "error" not in line]
            failed = len(own) - len(values)
            mean = [f"{np.mean(values):.4f}"] if values else []
            cells.append(", ".join(mean + ([f"{failed} failed"] if failed else [])))
        rows.append([problem, f"{there[0]['rows']:,}", *cells])
    return markdown(["problem", "rows", *methods], rows)


def differences(lines: Iterable[Line], method: str, baseline: str, figure: str) -> dict[str, list[float]]:
    """Return a method's figures minus the baseline's by problem, a number for each split that both have done.

    All lines are of the same seconds. A problem that the method was asked for, without such a split, has none.
    """
    lines = list(lines)
    base = {(line["problem"], line["split"]): line for line in lines if line["method"] == baseline}
    found: dict[str, list[float]] = {}
    for line in sorted((line for line in lines if line["method"] == method), key=lambda line: line["split"]):
        row = found.setdefault(line["problem"], [])
        other = base.get((line["problem"], line["split"]))
        if other is not None and "error" not in other and "error" not in line:
            row.append(line[figure] - other[figure])
    return found


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def cells_of(made: Compared) -> list[str]:
    """Return a comparison as two cells: the mean with its interval, and the wins."""
    if made.mean is None:
        return ["-", "-"]
    value, low, high = made.mean
    return [f"{value:+.4f} ({low:+.4f} to {high:+.4f})", f"{made.wins} / {made.level} / {made.losses}"]


def _count(lines: Sequence[Line]) -> str:
    problems, splits = len({line["problem"] for line in lines}), len({line["split"] for line in lines})
    return f"{problems} problem{'s' * (problems != 1)}, {splits} split{'s' * (splits != 1)}"


def _ordered(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
