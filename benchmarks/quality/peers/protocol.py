"""What a worker speaks: JSON lines on standard input and output. It runs in a peer's environment, without jaxhpo.

The driver starts studies one after the other in a worker; every line has one answer:

    {"start": {"space": [{"name": "x1", "size": 9, "ordered": true}, ...], "seed": 3, "batch": 8, "evals": 256,
               "method": "tpe"}}                                         -> {"cpu": 0.01}
    {"ask": 8}                                                           -> {"levels": [[0, 4], ...], "cpu": 0.2}
    {"tell": {"levels": [[0, 4], ...], "losses": [0.3, ..., null]}}      -> {"cpu": 0.01}

`levels` are a row a configuration, a column a dimension, each from 0 to its size - 1. `losses` are to be minimised;
null failed. What is told is what was asked last, in its order. `cpu` is seconds of processor time. A worker that
fails answers {"error": "..."} and ends.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol


class Study(Protocol):
    """One search."""

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        ...

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Take the losses of what was asked last."""
        ...


def serve(start: Callable[..., Study]) -> None:
    """Answer the driver's lines until they end.

    Args:
        start: makes a study of `space, seed, batch, evals, method`, each a keyword.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    study: Study | None = None
    for line in sys.stdin:
        message = json.loads(line)
        answer: dict[str, Any] = {}
        began = time.process_time()
        try:
            if "start" in message:
                study = start(**message["start"])
            elif study is None:
                raise RuntimeError("no study was started")
            elif "ask" in message:
                answer["levels"] = study.ask(message["ask"])
            else:
                study.tell(**message["tell"])
        except Exception:
            answer["error"] = traceback.format_exc()
        answer["cpu"] = round(time.process_time() - began, 6)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            sys.exit(1)
