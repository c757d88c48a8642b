"""The program of a worker process: it loads a user's function once, then scores configurations.

It is run by path and does not import jaxhpo, which would cost each worker seconds and the memory of JAX.
"""

import math
import os
import pickle
import queue
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

_LARGEST = 3.4028235e38  # of float32
_LONGEST = 300  # characters of a message
_STANDARD, _PACKAGE = Path(sysconfig.get_path("stdlib")), Path(__file__).parent.parent  # folders of Python and jaxhpo


def describe(error: BaseException) -> str:
    """Return an exception's type, message, file and line in one line: "ValueError: bad shape (train.py, line 12)"."""
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be read"
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    line, at = " ".join(f"{name}: {message}".split()).removesuffix(":"), place(error)
    where = f" ({at[0]}, line {at[1]})" if at else ""
    most = _LONGEST - len(where)
    return (line if len(line) <= most else line[: most - 3] + "...") + where


def place(error: BaseException) -> tuple[str, int] | None:
    """Return the file's name and the line where an exception was raised, the innermost one of the user's own code.

    Files of Python and of installed packages are not the user's, unless there are no others. Those of jaxhpo never are.
    """
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    frames = [at for at in frames if _PACKAGE not in Path(at[0]).parents]
    own = [at for at in frames if not _is_foreign(at[0])]
    if not frames:
        return None
    file, line = (own or frames)[-1]
    # Of a notebook's cell the file is one of the kernel's, which says nothing.
    return "a notebook's cell" if "ipykernel_" in file or file.startswith("<ipython") else Path(file).name, line


def _is_foreign(file: str) -> bool:
    path = Path(file)
    installed = "site-packages" in path.parts or "dist-packages" in path.parts
    return installed or file.startswith("<frozen") or _STANDARD in path.parents


def attempt(
    score: Callable[..., Any], config: dict[str, Any], options: dict[str, int]
) -> tuple[float, str | None, str | None]:
    """Return the score of a configuration, or nan, a description of the failure, and which exception it was.

    The third is None unless the function's own code is to blame. It is equal for exceptions of one type from one line.
    """
    try:
        value = score(config, **options)
        numeric = hasattr(value, "__float__") and getattr(value, "shape", ()) == ()
        if not numeric or isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
            why = f"the score is {type(value).__name__}, not a number"
            return math.nan, why, why
        number = float(value)
    except Exception as error:
        return math.nan, describe(error), identify(error)
    if not math.isfinite(number):
        return math.nan, f"the score is {number}", None
    if abs(number) > _LARGEST:
        return math.nan, f"the score is {number}, beyond float32", None
    return number, None, None


def identify(error: BaseException) -> str:
    """Return a text that is the same for all exceptions of one type that one line raises."""
    return f"{type(error).__module__}.{type(error).__qualname__} {place(error)}"


def _serve(requests: BinaryIO, replies: BinaryIO) -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        while True:
            try:
                inbox.put(pickle.load(requests))
            except (EOFError, OSError, pickle.UnpicklingError):
                os._exit(0)  # the parent is gone or ends this process; nobody waits for the score

    def reply(answer: Any) -> None:
        pickle.dump(answer, replies)
        replies.flush()

    threading.Thread(target=read, daemon=True).start()
    sys.path[:], function = inbox.get()
    try:
        score = pickle.loads(function)
    except Exception as error:
        reply(describe(error))
        return
    reply(None)
    while True:
        reply(attempt(score, *inbox.get()))


def _main() -> None:
    # Move the pipes away from the standard streams, which the user's function and its children may use.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    _serve(requests, replies)


if __name__ == "__main__":
    _main()
