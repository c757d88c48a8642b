"""The program of a worker process: it loads a user's function once, then scores configurations.

It is run by path and does not import jaxhpo, which would cost each worker seconds and the memory of JAX.
"""

import math
import os
import pickle
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

_LARGEST = 3.4028235e38  # of float32
_LONGEST = 300  # characters of a message


def describe(error: BaseException) -> str:
    """Return an exception's type and message in one line."""
    line = " ".join(traceback.format_exception_only(error)[-1].split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def attempt(score: Callable[..., Any], config: dict[str, Any], options: dict[str, int]) -> tuple[float, str | None]:
    """Return the score of a configuration and None, or nan and a description of the failure."""
    try:
        value = score(config, **options)
        numeric = hasattr(value, "__float__") and getattr(value, "shape", ()) == ()
        if not numeric or isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
            return math.nan, f"the score is {type(value).__name__}, not a number"
        number = float(value)
    except Exception as error:
        return math.nan, describe(error)
    if not math.isfinite(number):
        return math.nan, f"the score is {number}"
    if abs(number) > _LARGEST:
        return math.nan, f"the score is {number}, beyond float32"
    return number, None


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
