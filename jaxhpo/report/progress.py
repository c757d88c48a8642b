"""Progress while a study runs: a bar in a terminal, a line that changes in a notebook, a line a round in a log."""

import math
import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from jaxhpo.study import Study, Trial


class ProgressBar:
    """A callback that shows trials, incumbent and time; silent where not `enabled`.

    A terminal's is on standard error. A notebook's needs no widgets, and its last state stays in the saved notebook.

    Args:
        trials: How many trials the run has.
        lanes: Trials of a round.
        enabled: Whether to show anything.
        details: Whether to show epsilon, where the algorithm has one, and the lanes.
    """

    def __init__(self, trials: int, lanes: int, *, enabled: bool, details: bool = False):
        console = Console(stderr=True)
        self._lanes, self._details = lanes, details
        self._shown: _Bar | _Line | _Log | None = None
        if enabled and console.is_jupyter:
            self._shown = _Line(trials)
        elif enabled and console.is_terminal and not console.is_dumb_terminal:
            self._shown = _Bar(console, trials)
        elif enabled:
            self._shown = _Log(trials)

    def __enter__(self) -> "ProgressBar":
        if self._shown is not None:
            self._shown.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shown is not None:
            self._shown.stop()

    def __call__(self, study: Study, trials: list[Trial]) -> None:
        """Show where the study stands; a callback of `Study.run`."""
        del trials
        if self._shown is None:
            return
        metrics = study.latest_metrics
        best = study.incumbent["score"].iloc[-1]
        parts = [f"best {best:.4f}" if not math.isnan(best) else "no success yet"]
        if self._details and "epsilon" in metrics:
            parts.append(f"epsilon {metrics['epsilon']:.2f}")
        if self._details:
            parts.append(f"{self._lanes} lanes")
        self._shown.update(len(study.finished), "  ".join(parts))


class _Log:
    """A line a round, for what is no terminal: a file or another program."""

    def __init__(self, trials: int):
        self._trials = trials
        self._begun = time.perf_counter()

    def start(self) -> None:
        pass

    def update(self, done: int, status: str) -> None:
        line = f"{done} of {self._trials} trials, {', '.join(status.split('  '))}"
        print(f"{line}, {time.perf_counter() - self._begun:.0f} s", file=sys.stderr, flush=True)

    def stop(self) -> None:
        pass


class _Bar:
    """A terminal's."""

    def __init__(self, console: Console, trials: int):
        self._bar = RichProgress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("compiling", total=trials, status="")

    def start(self) -> None:
        self._bar.start()

    def update(self, done: int, status: str) -> None:
        self._bar.update(self._task, description="tuning", completed=done, status=status)

    def stop(self) -> None:
        self._bar.stop()


class _Line:
    """A notebook's: rich's own needs ipywidgets there, and leaves nothing in the saved notebook."""

    def __init__(self, trials: int):
        self._trials, self._done, self._status = trials, 0, ""
        self._begun = time.perf_counter()
        self._handle: Any = None

    def start(self) -> None:
        from IPython.display import display

        self._handle = display(self._content("compiling"), display_id=True)

    def update(self, done: int, status: str) -> None:
        self._done, self._status = done, status
        self._handle.update(self._content("tuning"))

    def stop(self) -> None:
        if self._done:
            self._handle.update(self._content("done" if self._done >= self._trials else "stopped"))

    def _content(self, what: str) -> Any:
        from IPython.display import HTML

        minutes, seconds = divmod(round(time.perf_counter() - self._begun), 60)
        bar = f"<progress value='{self._done}' max='{self._trials}'></progress>"
        text = f"{what} {bar} {self._done}/{self._trials}  {self._status}  {minutes}:{seconds:02d}"
        return HTML(f"<div style='font-family: monospace; white-space: pre'>{text}</div>")
