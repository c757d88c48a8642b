"""The executor: runs the lanes of a round by the plan, on the host's side of the compiled programs.

Lanes are assigned to buckets, buckets are divided into chunks, and the most expensive chunks run first. Programs are
compiled in the background: chunks whose program is ready run while other programs are compiled.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxhpo.compilation import COMPILERS, xla_options
from jaxhpo.training.run.usage import Account, Ledger
from jaxhpo.training.step.lane_state import Result


class Launch(NamedTuple):
    """A chunk: the lanes of a round that run in one launch of a bucket's program.

    Attributes:
        bucket: Index of the bucket.
        lanes: Lanes of the round: [size or fewer] int.
        cost: Estimate that grows with the run time.
    """

    bucket: int
    lanes: np.ndarray
    cost: float


class Executor:
    """Compiles the programs of buckets, runs chunks on threads, and records times.

    Args:
        launches: Number of chunks that may run at the same time.
    """

    def __init__(self, launches: int):
        self.launches = launches
        self.ledger = Ledger()
        self._programs: dict[int, Future] = {}

    def prepare(self, bucket: int, train: Callable[..., Result], arguments: Any, options: dict[str, Any]) -> None:
        """Start to compile the program of a bucket, once.

        Args:
            bucket: Index of the bucket.
            train: Pure function that trains a chunk.
            arguments: Arguments of the function, or their shapes.
            options: XLA options.
        """
        if bucket in self._programs:
            return
        started = time.perf_counter()
        # Traced in the caller's thread, which may have a JAX configuration of its own.
        lowered = jax.jit(train).lower(*arguments)

        def compile_() -> Any:
            program = lowered.compile(compiler_options=options | xla_options())
            self.ledger.compile_seconds[bucket] = time.perf_counter() - started
            return program

        if not self._programs:
            self._pool = ThreadPoolExecutor(COMPILERS)
        self._programs[bucket] = self._pool.submit(compile_)

    def run(
        self, launches: list[Launch], arguments: Callable[[Launch], tuple], done: Callable[[Launch, Result], None]
    ) -> None:
        """Run chunks. Threads call `arguments` for a chunk's arguments and, one at a time, `done` with its result."""
        batch = _Batch(self, sorted(launches, key=lambda launch: -launch.cost), arguments, done)
        started = time.perf_counter()
        try:
            batch.run()
        finally:
            self.ledger.seconds += time.perf_counter() - started - batch.waited
            self.ledger.waited += batch.waited


class _Batch:
    """One call of `Executor.run`. Its threads share a lock."""

    def __init__(self, executor: Executor, launches: list[Launch], arguments: Callable, done: Callable):
        self._executor, self._launches, self._arguments, self._done = executor, launches, arguments, done
        self._launched = 0
        self._change = threading.Condition()
        self._error: BaseException | None = None
        self._idle_since: float | None = None  # time since which nothing trains, because no program is ready
        self.waited = 0.0

    def run(self) -> None:
        for program in {launch.bucket: self._executor._programs[launch.bucket] for launch in self._launches}.values():
            program.add_done_callback(self._wake)
        count = min(self._executor.launches, len(self._launches))
        threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:  # Ctrl-C: running chunks end, no more start
            self._fail(error)
            for thread in threads:
                thread.join()
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        """Launch chunks until none is left."""
        while True:
            with self._change:
                launch = self._next()
                while launch is None and self._launches and self._error is None:
                    self._note()
                    self._change.wait()
                    launch = self._next()
                if launch is None or self._error is not None:
                    return
                self._launched += 1
                self._note()
            try:
                self._launch(launch)
            except BaseException as error:
                self._fail(error)
                return

    def _next(self) -> Launch | None:
        """Return the most expensive chunk whose program is ready."""
        for i, launch in enumerate(self._launches):
            if self._executor._programs[launch.bucket].done():
                return self._launches.pop(i)
        return None

    def _launch(self, launch: Launch) -> None:
        program = self._executor._programs[launch.bucket].result()
        started = time.perf_counter()
        result = jax.block_until_ready(program(*self._arguments(launch)))
        seconds = time.perf_counter() - started
        with self._change:
            self._launched -= 1
            self._done(launch, result)
            self._executor.ledger.buckets.setdefault(launch.bucket, Account()).busy += seconds
            self._note()
            self._change.notify_all()

    def _wake(self, _: Future) -> None:
        with self._change:
            self._change.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._change:
            self._error = self._error or error
            self._change.notify_all()

    def _note(self) -> None:
        """Add up the time in which nothing trained. Called under the lock whenever a chunk starts or ends."""
        now = time.perf_counter()
        if self._idle_since is not None:
            self.waited += now - self._idle_since
        self._idle_since = now if self._launches and not self._launched else None
