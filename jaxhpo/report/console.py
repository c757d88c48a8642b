"""What a terminal shows before a study begins, and at its end."""

import html
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxhpo.errors import printable
from jaxhpo.space import Choice, Dimension
from jaxhpo.study import Study

_LOOKS_LIKE_ANOTHER = re.compile(r"None|True|False|-?|[-+]?\.?\d.*")
"""Strings that look like a value of another type, or like no value at all."""


def show_lines(lines: Sequence[str]) -> None:
    """Show lines above the progress of a study: in a notebook, else on standard error."""
    lines = [printable(line) for line in lines]
    if Console(stderr=True).is_jupyter:
        from IPython.display import HTML, display

        text = html.escape("\n".join(lines))
        display(HTML(f"<div style='font-family: monospace; white-space: pre-wrap'>{text}</div>"))
        return
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def shorten(value: Any, dimension: Dimension | None = None) -> str:
    """Return a hyperparameter's value in few characters.

    Args:
        value: The value.
        dimension: What it is a value of. The options of a Choice are written as they are, so that no two look alike;
            a string that would read as a number, None, True, False or nothing has quotes. Other floats have three
            significant digits.
    """
    if isinstance(value, float) and not isinstance(dimension, Choice):
        return f"{value:.3g}"
    return repr(value) if isinstance(value, str) and _LOOKS_LIKE_ANOTHER.fullmatch(value) else str(value)


def best_table(study: Study, size: int = 5) -> Table:
    """Return a table of the best configurations, one a column, best first."""
    finished = {trial.trial: trial for trial in study.finished}
    trials = [finished[number] for number in study.top(size)["trial"].tolist()]
    table = Table(title=f"The best {len(trials)} of {len(study.finished)} trials", box=box.SIMPLE_HEAD)
    table.add_column("trial", style="bold")
    for trial in trials:
        table.add_column(str(trial.trial), justify="right", no_wrap=True)
    metric = study.summary["metric"]
    name = metric if "function" in study.summary else f"validation {metric}"
    table.add_row(name, *(f"{t.score:.4f}" for t in trials), style="bold")
    for name, dimension in study.space.items():
        # What is inactive in a configuration is not in it.
        values = (shorten(t.config[name], dimension) if name in t.config else "-" for t in trials)
        table.add_row(*(escape(printable(text)) for text in (name, *values)))
    return table


def _model_lines(summary: dict[str, Any]) -> list[str]:
    """Return what a study of trainings says of its ensemble, of choosing, and of trials level with the winner."""
    metric, winner, ensemble = summary["metric"], summary.get("winner"), summary.get("ensemble")
    lines, answers = [], {"winner": winner}
    if winner is not None and ensemble is not None and ensemble["trials"] != [winner["trial"]]:
        answers["ensemble"] = ensemble
        scores = f"validation {metric} {ensemble['score']:.4f}, test {metric} {ensemble['test_score']:.4f}"
        times = ensemble["flop"] / winner["flop"] if winner["flop"] else ensemble["networks"] / winner["networks"]
        size = f"{times:,.1f} times the arithmetic"
        lines.append(f"Ensemble: {_count(len(ensemble['trials']), 'trial')}, {scores}.")
        if summary["recommended"] == "ensemble":
            lines.append(
                f"Recommended: the ensemble (lower validation loss): {_count(ensemble['networks'], 'network')}, {size}."
            )
        else:
            why = "more training examples" if ensemble["loss"] < winner["loss"] else "lower validation loss"
            lines.append(f"Recommended: the winner ({why}); the ensemble costs {size}.")
    if winner is None:
        return lines
    lines += _choosing_lines(answers, metric)
    if summary["level"]:
        level = "1 other trial is" if summary["level"] == 1 else f"{summary['level']:,} other trials are"
        lines.append(f"{level} level with the winner: within a standard error of the difference.")
    if summary["few_examples"]:
        choosing = f"choosing among {summary['trials']:,} trials"
        lines.append(f"Few examples: {choosing} made the winner look {winner['optimism']:.4f} better.")
    return lines


def _choosing_lines(answers: dict[str, dict[str, Any]], metric: str) -> list[str]:
    """Return the scores of winner and ensemble that are corrected for choosing, and their gains."""
    corrected = [
        f"{who} {one['corrected_score']:.4f}" for who, one in answers.items() if one["corrected_score"] is not None
    ]
    gains = [
        f"{who} {one['gain']:.4f} +- {one['gain_standard_error']:.4f}"
        for who, one in answers.items()
        if one["gain"] is not None and one["gain_standard_error"] is not None
    ]
    lines = [f"Validation {metric}, corrected for choosing: {', '.join(corrected)}."] if corrected else []
    return [*lines, f"Gain over the default configuration: {', '.join(gains)}."] if gains else lines


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def listing(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a plain table."""
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for i, column in enumerate(columns):
        table.add_column(column, no_wrap=i == 0)
    for row in rows:
        table.add_row(*row)
    return table


def closing_lines(summary: dict[str, Any], *, details: bool = False) -> list[str]:
    """Return what the end of a study says in words: the winner, and where the time went.

    Args:
        summary: `Study.summary`.
        details: Whether to say what was computed, by which programs, and on which device, too.
    """
    best, seconds = summary["best"], summary["seconds"]
    lines = []
    if best is None:
        why = "no call gave a finite score" if "function" in summary else "every training diverged"
        none = f"None of the {summary['trials']} trials succeeded: {why}."
        lines.append(none if summary["trials"] else "No trial had finished.")
    else:
        metric, test = summary["metric"], best["test_score"]
        if "function" in summary:
            scores = f"{metric} {best['score']:.6g}"
        else:
            tested = "not scored on test data" if test is None else f"test {metric} {test:.4f}"
            scores = f"validation {metric} {best['score']:.4f}, {tested}"
        default = summary.get("default")
        also = " (the default)" if default is not None and default["trial"] == best["trial"] else ""
        lines.append(f"Winner: trial {best['trial']}{also}, {scores}.")
        lines += _model_lines(summary)
    final = summary["final"]
    if final is not None:
        found, count = f"test {final['metric']} {final['mean']:.4f}", len(final["test_scores"])
        if count > 1:
            found += f" +- {final['standard_error']:.4f} (standard error)"
        seeds = f"{count} seeds" if count > 1 else "one seed"
        lines.append(f"Trained on all but the test examples, {seeds}: {found}.")
    what = "failed" if "function" in summary else "diverged"
    failed = f" ({summary['failed']} {what})" if summary["failed"] else ""
    lines.append(
        f"{summary['trials']} trials{failed} in {seconds['total']:.1f} s: compiling {seconds['compile']:.1f} s, "
        f"training {seconds['train']:.1f} s, choosing {seconds['algorithm']:.2f} s."
    )
    if restarts := summary.get("restarts"):
        lines.append(
            f"{restarts['computed']:,} units of budget were computed for {restarts['asked']:,} asked: "
            "every trial trained from its start."
        )
    if not details:
        return lines
    training = summary["training"]
    if training and training["trials"]:
        lines.append(
            f"{training['total_gflop']:,.0f} GFLOP at {training['gflop_per_second']:.0f} GFLOP/s, "
            f"{training['useful_share']:.0%} of it what the trials asked for."
        )
    lines.append(
        f"{summary['compilations']} programs compiled, {summary['cache_hits']} taken from the cache; "
        f"{summary['plan']['lanes']} lanes by {summary['plan']['engine']} "
        f"on {summary['device']}."
    )
    return lines
