"""A pool of worker processes that score configurations. The death of a process affects only its own trial.

Processes are started, never forked: a forked process of a program with JAX's threads can hang. The executors of the
standard library and of loky cannot be used, because both give up the whole pool if one process dies.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxhpo.machine import cores

_WORKER = Path(__file__).with_name("worker.py")
_IDLE = 60.0  # seconds after which idle workers end: a notebook may keep a study for hours
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class Call(NamedTuple):
    """The arguments of one call of the function.

    Attributes:
        config: Hyperparameter values by name.
        options: `seed` and `budget`, if the function takes them.
    """

    config: dict[str, Any]
    options: dict[str, int]


class Reply(NamedTuple):
    """The result of one call.

    Attributes:
        score: Score, nan if the trial failed.
        error: Description of the failure, or None.
        exception: Which exception of the function it was, or None.
    """

    score: float
    error: str | None
    exception: str | None = None


def _ignore(call: int, reply: Reply) -> None:
    del call, reply


class Pool:
    """Keeps worker processes between rounds. They end when the pool is deleted and when this process exits.

    Args:
        function: Pickled function, which every worker unpickles once.
        timeout: Longest time of a call in seconds, or None.
    """

    def __init__(self, function: bytes, timeout: float | None):
        self._function, self._timeout = function, timeout
        self._crew = _Crew()
        weakref.finalize(self, self._crew.end)
        self._idle: threading.Timer | None = None
        self._busy = threading.Lock()  # two studies may share an objective

    def map(self, calls: Sequence[Call], workers: int, done: Callable[[int, Reply], None] = _ignore) -> list[Reply]:
        """Return what the function says to each call, in order; at most `workers` run at once.

        `done` is called with a call's number and its reply as soon as that is there, one at a time.

        Raises:
            ValueError: if the function cannot be loaded in a worker.
            RuntimeError: if no worker can be started.
        """
        with self._busy:
            if self._idle is not None:
                self._idle.cancel()
                self._idle.join()  # where it was too late to cancel, it has ended its workers and touches no others
            batch = _Batch(self._crew, self._function, self._timeout, calls, cores() // workers or 1, done)
            try:
                replies = batch.run(min(workers, len(calls)))
            except BaseException:  # Ctrl-C too
                self._crew.end()
                raise
            self._idle = threading.Timer(_IDLE, self._crew.end)
            self._idle.daemon = True
            self._idle.start()
            return replies


class _Batch:
    """One call of `Pool.map`. It has one thread per worker; the threads share a lock."""

    def __init__(
        self,
        crew: "_Crew",
        function: bytes,
        timeout: float | None,
        calls: Sequence[Call],
        threads: int,
        done: Callable[[int, Reply], None],
    ):
        self._crew, self._function, self._timeout, self._threads = crew, function, timeout, threads
        self._calls, self._done = calls, done
        self._left = iter(range(len(calls)))
        self._replies: dict[int, Reply] = {}
        self._lock = threading.Lock()
        self._error: BaseException | None = None

    def run(self, workers: int) -> list[Reply]:
        threads = [threading.Thread(target=self._serve, args=(slot,), daemon=True) for slot in range(workers)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)  # on Windows Ctrl-C does not interrupt a wait without a timeout
        except BaseException as error:
            with self._lock:  # no worker starts after this
                self._error = error
            self._crew.kill()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self._error is not None:
            raise self._error
        return [self._replies[i] for i in range(len(self._calls))]

    def _serve(self, slot: int) -> None:
        try:
            while True:
                with self._lock:
                    call = next(self._left, None) if self._error is None else None
                    if call is None:
                        return
                    worker, fresh = self._crew.worker(slot, self._threads)
                if fresh:
                    worker.load(self._function)
                reply = worker.ask(self._calls[call], self._timeout)
                with self._lock:
                    self._replies[call] = reply
                    self._done(call, reply)
        except BaseException as error:
            with self._lock:
                self._error = self._error or error


class _Crew:
    """The running workers by slot. It is separate from the Pool, so that a finalizer can refer to it."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}
        self._lock = threading.RLock()  # a finalizer can run in any thread, at any time

    def worker(self, slot: int, threads: int) -> "tuple[_Worker, bool]":
        """Return the worker of a slot, and whether it is new."""
        with self._lock:
            worker = self._workers.get(slot)
            if worker is not None and worker.alive:
                return worker, False
            if worker is not None:
                worker.end()
            self._workers[slot] = _Worker(threads)
            return self._workers[slot], True

    def kill(self) -> None:
        with self._lock:
            for worker in self._workers.values():
                worker.kill()

    def end(self) -> None:
        with self._lock:
            self.kill()
            while self._workers:
                self._workers.popitem()[1].end()


class _Worker:
    """The parent's side of one worker process.

    Args:
        threads: Number of threads for numerical libraries in the process, unless the environment sets it.
    """

    def __init__(self, threads: int):
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: str(threads) for name in _THREADS} | dict(os.environ),
            # A group of its own: the terminal's Ctrl-C does not reach it, and its children end with it.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    def load(self, function: bytes) -> None:
        """Send the function; raise ValueError if the worker cannot load it."""
        try:
            self._send((sys.path, function))
            error = self._receive()
        except (EOFError, OSError):
            raise RuntimeError(f"a worker process {self._death()} as it started; try workers=0") from None
        if error is not None:
            raise ValueError(f"score cannot be loaded in a worker process: {error}; make it importable, or workers=0")

    def ask(self, call: Call, timeout: float | None) -> Reply:
        """Return the reply to a call. A worker that does not reply has died, or is ended."""
        late = threading.Event()

        def expire() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(timeout, expire) if timeout is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            self._send(tuple(call))
            reply = Reply(*self._receive())
        except (EOFError, OSError, pickle.UnpicklingError):
            reply = None
        finally:
            if timer is not None:
                timer.cancel()
                timer.join()  # `late` does not change after this
        if late.is_set():
            self._watcher.join()
        if reply is not None:
            return reply
        return Reply(float("nan"), f"no score after {timeout:g} s" if late.is_set() else f"its worker {self._death()}")

    def kill(self) -> None:
        """End the process and its children immediately; any thread may call it."""
        if self.alive:
            self._kill_group()

    def end(self) -> None:
        """End the process and close its pipes."""
        self.kill()
        self._watcher.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # data that the process did not read
                if pipe is not None:
                    pipe.close()

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def _watch(self) -> None:
        self._process.wait()
        if os.name == "posix":
            self._kill_group()  # remaining children would keep its pipe open
        self._ended.set()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _death(self) -> str:
        self._watcher.join(5.0)
        if self.alive:  # it closed its pipe but still runs
            self.kill()
            self._watcher.join()
        code = self._process.returncode
        if code >= 0:
            return f"ended with exit code {code}"
        name = signal.Signals(-code).name
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
