"""What reaches the terminal: one line for an error or a warning of jaxhpo's, and nothing of the libraries below it."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from jaxhpo.cli.language import in_options, shortened
from jaxhpo.errors import printable

_FILTER = r"""
import re, sys
noise = re.compile(rb"[IWE]\d{4} |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |WARNING: All log messages before absl")
for line in sys.stdin.buffer:
    if not noise.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
"""A program that passes on lines other than those that XLA's log writes below the level of a crash."""


def complain(kind: str, message: str, names: Any = (), given: Any = None) -> None:
    """Write a message on standard error, as one line.

    Args:
        kind: "error" or "warning".
        message: What Python says.
        names: Arguments that are options of the command.
        given: The values of the options, where they are known.
    """
    line = " ".join(in_options(shortened(message), names, given).split())
    print(f"{kind}: {printable(line)}", file=sys.stderr)


@contextlib.contextmanager
def plain_warnings(names: Any = (), given: Any = None) -> Iterator[None]:
    """Show jaxhpo's own warnings as one line each, and no others."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, DeprecationWarning) or not _is_ours():
            return
        complain("warning", str(message), names, given)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _is_ours() -> bool:
    """Return whether the innermost code that is none of the `warnings` module's, nor this file's, is jaxhpo's."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in ("warnings", "_py_warnings", __name__):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "jaxhpo"


def quiet_libraries() -> None:
    """Keep the logs of JAX, XLA, absl and others from the terminal; what ends the process is still shown.

    XLA writes to the file descriptor of standard error. A small process reads it, which outlives a crash of this one.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # else Python prints warnings that no handler takes
    try:
        terminal = os.dup(2)
        reader = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _FILTER],
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process
        )
    except OSError:  # no more processes or files: libraries speak, and nothing else is lost
        return
    assert reader.stdin is not None
    sys.stderr = io.TextIOWrapper(
        os.fdopen(terminal, "wb", 0), sys.stderr.encoding, "backslashreplace", write_through=True, line_buffering=True
    )
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    reader.returncode = 0  # it ends when all processes that write have; nobody waits for it


def flush_or_refuse() -> int:
    """Write what standard output still holds; return 0, or 1 where it cannot be written, after saying so."""
    out = sys.stdout
    if out is None:  # it is closed
        return 0
    try:
        out.flush()
    except BrokenPipeError:  # `| head` has read enough
        pass
    except OSError as error:
        complain("error", f"standard output cannot be written: {error.strerror}")
    else:
        return 0
    assert sys.stdout is not None
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # else Python complains again as it ends
    return 1
