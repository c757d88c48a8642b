"""The tables of the README: algorithms, the names that a prior knows, the status, what single configurations reach."""

import statistics
from typing import Any

from benchmarks.tables.committed import load, machine
from jaxhpo import algorithms as methods
from jaxhpo.priors.hyperparameter_features import MEANINGS


def algorithms_table() -> str:
    """Return the registry of algorithms as Markdown."""
    lines = ["| name | what it does | take it |", "|---|---|---|"]
    lines += [f"| `{name}` | {methods.summary(name)} | {methods.use(name)} |" for name in methods.names()]
    return "\n".join(lines)


def meanings_table() -> str:
    """Return the names that the prior of `q_learning` knows as Markdown."""
    lines = ["| hyperparameter | also called |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(f'`{n}`' for n in kind.names) or '-'} |" for name, kind in MEANINGS.items()]
    return "\n".join(lines)


def status_table(status: dict[str, Any], algorithms: dict[str, Any]) -> str:
    """Return the status as Markdown: medians, and ranges over seeds."""
    lines = [
        "| command | seeds | winner's validation accuracy | its test accuracy | seconds |",
        "|---|---|---|---|---|",
    ]
    for command, rows in status["runs"].items():
        valid, test = (_span([row[f"{part}_accuracy"] for row in rows], ".4f") for part in ("validation", "test"))
        seconds = _span([row["process_seconds"] for row in rows], ".0f")
        lines.append(f"| `{command}` | {len(rows)} | {valid} | {test} | {seconds} |")
    ask_tell = algorithms["methods"]["tabular_q"]["64 lanes"]["both_ms"]
    about = status["measured_on"]
    return "\n".join(
        [
            *lines,
            "",
            f"Medians and ranges; a winner is picked by validation accuracy. Seconds are whole processes, start and "
            f"compilation included, on {about['cores']} cores ({about['processor']}), jax {about['versions']['jax']}. "
            f"Asking and telling `tabular_q` for 64 lanes takes {ask_tell:.1f} ms once compiled "
            f"({algorithms['measured_on']['processor']}).",
        ]
    )


_NAMES = {"mnist": "MNIST, CNN", "cifar10": "CIFAR-10, CNN", "imdb": "IMDB, bidirectional GRU"}


def accuracy_table(runs: dict[str, dict[str, Any]], study: dict[str, Any], loading: dict[str, Any]) -> str:
    """Return what single configurations reach as Markdown, and how long data take to load."""
    lines = [
        "| | epochs | validation accuracy | test accuracy | minutes, compilation and loading included |",
        "|---|---|---|---|---|",
    ]
    machines: dict[str, list[str]] = {}
    for name, run in runs.items():
        figures = f"{run['validation_accuracy']:.4f} | {run['test_accuracy']:.4f} | {run['process_seconds'] / 60:.1f}"
        lines.append(f"| {_NAMES[name]} | {run['epochs']} | {figures} |")
        machines.setdefault(machine(run), []).append(_NAMES[name].split(",")[0])
    machines.setdefault(machine(study), []).append("the study")
    machines.setdefault(machine(loading), []).append("loading")
    words = loading["vocabulary"]
    loads = "; ".join(f"{name} {row['first']:.1f} and {row['later']:.2f}" for name, row in loading["seconds"].items())
    return "\n".join(
        [
            *lines,
            "",
            f"`{study['command']}` takes {study['process_seconds'] / 60:.1f} minutes; its winner has validation "
            f"accuracy {study['best']['validation_accuracy']:.4f} and test accuracy "
            f"{study['best']['test_accuracy']:.4f}. Seconds of the first and of later loads: {loads}, of which the "
            f"vocabulary of {words['reviews']:,} reviews {words['seconds']:.1f}. "
            + "; ".join(f"{', '.join(what)}: {machine}" for machine, what in machines.items())
            + ".",
        ]
    )


def accuracy() -> str:
    """Return `accuracy_table` of the committed results."""
    runs = load(*(f"accuracy_{name}" for name in _NAMES))
    runs = dict(zip(_NAMES, runs.values(), strict=True))
    return accuracy_table(runs, *load("accuracy_study", "loading").values())


def _span(values: list[float], form: str) -> str:
    """Return the median, and the range where there are several."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"
