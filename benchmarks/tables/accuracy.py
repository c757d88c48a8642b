"""The tables of what real training reaches: studies over seeds, single configurations, loading of the data."""

import statistics
from typing import Any

from benchmarks.tables.committed import load, machine

_NAMES = {"mnist": "MNIST, CNN", "cifar10": "CIFAR-10, CNN", "imdb": "IMDB, bidirectional GRU"}


def tables_of_accuracy() -> dict[str, str]:
    """Return what training reaches as Markdown, by part, from the committed results."""
    runs = load(*(f"accuracy_{name}" for name in _NAMES)).values()
    return {
        "status": status_table(**load("status", "algorithms")),
        "accuracy": accuracy_table(dict(zip(_NAMES, runs, strict=True))),
        "text study": study_sentence(*load("accuracy_study").values()),
        "loading": loading_table(*load("loading").values()),
    }


def status_table(status: dict[str, Any], algorithms: dict[str, Any]) -> str:
    """Return the main jobs as Markdown: medians, and ranges over seeds."""
    lines = [
        "| command | seeds | winner's validation accuracy | its test accuracy | seconds |",
        "|---|---|---|---|---|",
    ]
    for command, rows in status["runs"].items():
        valid, test = (_span([row[f"{part}_accuracy"] for row in rows], ".4f") for part in ("validation", "test"))
        seconds = _span([row["process_seconds"] for row in rows], ".0f")
        lines.append(f"| `{command}` | {len(rows)} | {valid} | {test} | {seconds} |")
    ask_tell = algorithms["methods"]["tabular_q"]["64 lanes"]["both_ms"]
    note = (
        f"Medians, in brackets ranges over seeds. Seconds are of whole processes, start and compilation included. "
        f"{_sentence(machine(status))} Asking and telling `tabular_q` for 64 lanes takes {ask_tell:.1f} ms once "
        f"compiled ({algorithms['measured_on']['processor']})."
    )
    return "\n".join([*lines, "", note])


def accuracy_table(runs: dict[str, dict[str, Any]]) -> str:
    """Return what single configurations reach as Markdown."""
    lines = [
        "| | epochs | validation accuracy | test accuracy | minutes, compilation and loading included |",
        "|---|---|---|---|---|",
    ]
    machines: dict[str, list[str]] = {}
    for name, run in runs.items():
        figures = f"{run['validation_accuracy']:.4f} | {run['test_accuracy']:.4f} | {run['process_seconds'] / 60:.1f}"
        lines.append(f"| {_NAMES[name]} | {run['epochs']} | {figures} |")
        machines.setdefault(machine(run), []).append(_NAMES[name].split(",")[0])
    note = " ".join(f"{', '.join(names)}: {where}." for where, names in machines.items())
    return "\n".join([*lines, "", note])


def study_sentence(study: dict[str, Any]) -> str:
    """Return in words what a study of texts takes and reaches."""
    best = study["best"]
    return (
        f"`{study['command']}` takes {study['process_seconds'] / 60:.1f} minutes. Its winner has validation accuracy "
        f"{best['validation_accuracy']:.4f} and test accuracy {best['test_accuracy']:.4f}. {_sentence(machine(study))}"
    )


def loading_table(loading: dict[str, Any]) -> str:
    """Return how long data take to load as Markdown."""
    lines = ["| data | seconds of the first load | of later ones |", "|---|---|---|"]
    for name, row in loading["seconds"].items():
        lines.append(f"| {_NAMES[name].split(',')[0]} | {row['first']:.1f} | {row['later']:.2f} |")
    words = loading["vocabulary"]
    note = (
        f"Of every load of IMDB, {words['seconds']:.1f} seconds make the vocabulary of {words['reviews']:,} reviews. "
        f"{_sentence(machine(loading))}"
    )
    return "\n".join([*lines, "", note])


def _span(values: list[float], form: str) -> str:
    """Return the median, and the range where there are several."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def _sentence(where: str) -> str:
    return f"Measured on {where}."
