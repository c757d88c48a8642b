"""What a terminal shows at the end of `jaxhpo tune digits`; the README's picture is drawn of it.

    python -m benchmarks.training.terminal [--quick] [--no-save]

Runs the command in a pseudo-terminal with a compilation cache of its own, and keeps the last state of every line.
Needs a system with pseudo-terminals: Linux or macOS.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.record import RESULTS, parser, save

COLUMNS, _LINES = 96, 40
_SHORT = ["--trials", "8", "--epochs", "1", "--model", "mlp"]
_CURSOR = ("\x1b[?25l", "\x1b[?25h")  # hidden, shown
_CLEAR = "\r\x1b[2K"  # a progress bar draws its line again


def record(arguments: list[str], cache: str) -> str:
    """Return all that `jaxhpo` writes to a terminal.

    Raises:
        RuntimeError: If it fails.
    """
    import fcntl
    import pty
    import struct
    import termios

    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, COLUMNS, 0, 0))
    settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "JAXHPO_CACHE_DIR": cache}
    command = [str(Path(sys.executable).parent / "jaxhpo"), *arguments]
    child = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=os.environ | settings, start_new_session=True
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so that the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    if child.wait():
        raise RuntimeError(written.decode(errors="replace"))
    return written.decode("utf-8")


def screen(written: str) -> list[str]:
    """Return the lines that stay, with their colours as ANSI codes."""
    for code in _CURSOR:
        written = written.replace(code, "")
    return [line.rpartition(_CLEAR)[2].rstrip() for line in written.replace("\r\n", "\n").rstrip("\n").split("\n")]


def main() -> None:
    """Record a study and write `results/terminal.json` and the picture."""
    options = parser(__doc__).parse_args()
    arguments = ["tune", "digits", *(_SHORT if options.quick else [])]
    with tempfile.TemporaryDirectory() as cache:
        lines = screen(record(arguments, cache))
    result = {"typed": " ".join(["jaxhpo", *arguments]), "columns": COLUMNS, "screen": lines}
    save("terminal", result, write=not options.no_save, module="training.terminal")
    if not options.no_save:
        from benchmarks.tables.pictures.terminal import draw

        (RESULTS / "terminal.svg").write_text(draw(result), encoding="utf-8")


if __name__ == "__main__":
    main()
