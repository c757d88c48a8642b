"""What variants of one step bring on the same recorded studies: mean differences from one of them, as plain data."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.value.comparison import Compared, compare
from benchmarks.value.report import FIGURES, cells_of, differences, markdown
from benchmarks.value.run import Line
from jaxhpo.study.statistics import Interval


def compared(lines: Iterable[Line], baseline: str) -> dict[str, Any]:
    """Return each variant's mean differences from the baseline as plain data, by the method of the studies."""
    lines, found = list(lines), {}
    for study in dict.fromkeys(line["study"] for line in lines):
        there = [line for line in lines if line["study"] == study]
        found[study] = {
            "problems": sorted({line["problem"] for line in there}),
            "studies": len({(line["problem"], line["split"]) for line in there}),
            "variants": {name: _row(there, name, baseline) for name in dict.fromkeys(line["method"] for line in there)},
        }
    return found


def _row(lines: list[Line], name: str, baseline: str) -> dict[str, Any]:
    row: dict[str, Any] = {"trials": float(np.mean([line["trials"] for line in lines if line["method"] == name]))}
    for figure, higher in FIGURES.items():
        made = compare(list(differences(lines, name, baseline, figure).values()), higher=higher)
        assert made.mean is not None  # every variant is there on every study
        interval = {field: round(value, 6) for field, value in made.mean._asdict().items()}
        row[figure] = interval | {"wins": made.wins, "level": made.level, "losses": made.losses}
    return row


def shown(what: str, result: dict[str, Any]) -> str:
    """Return the tables in Markdown; `what` says what the variants are."""
    head = [what, "trials", *(cell for figure in FIGURES for cell in (figure, "wins / level / losses"))]
    made = [f"Differences from {result['baseline']!r} in test score and loss, with 95% intervals over problems."]
    for study, there in result["compared"].items():
        rows = []
        for name, row in there["variants"].items():
            cells = [f"{row['trials']:.1f}"]
            for figure in FIGURES:
                own = row[figure]
                mean = Interval(*(own[field] for field in Interval._fields))
                cells += cells_of(Compared(mean, own["wins"], own["level"], own["losses"]))
            rows.append([name, *cells])
        made += [f"### {study} (problems: {len(there['problems'])}, studies: {there['studies']})", markdown(head, rows)]
    return "\n\n".join(made)
