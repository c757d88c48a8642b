"""The driver's end of `protocol.py`: a process that asks and tells one peer."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

_ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
}


class WorkerError(RuntimeError):
    """A peer failed; the message is the end of what it said."""


class Worker:
    """A running worker. Use it as a context, which ends it.

    `wall` and `cpu` are the seconds of the last answer: by the clock, and of the worker's processor time.
    """

    def __init__(self, command: Sequence[str]):
        self._folder = tempfile.TemporaryDirectory()  # peers write files where they are
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 closed on exit
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | _ONE_THREAD
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=self._folder.name,
            env=environment,
        )
        self.wall = self.cpu = 0.0

    def start(self, **study: Any) -> None:
        """Begin a study; see `protocol.py`."""
        self._answer({"start": study})

    def ask(self, count: int) -> list[list[int]]:
        """Return so many configurations, as level indices."""
        levels = self._answer({"ask": count})["levels"]
        if len(levels) != count:
            raise WorkerError(f"{len(levels)} configurations came where {count} were asked for")
        return levels

    def tell(self, levels: list[list[int]], losses: list[float | None]) -> None:
        """Tell the losses of what was asked last."""
        self._answer({"tell": {"levels": levels, "losses": losses}})

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.perf_counter()
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        self.wall = time.perf_counter() - began
        if not line:
            self._said.seek(0)
            raise WorkerError(f"the worker ended: {self._said.read()[-1500:].strip()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"].strip())
        self.cpu = answer["cpu"]
        return answer

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *exception: object) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._said.close()
        self._folder.cleanup()
