"""The executor: runs a batch of lanes by the plan, on the host's side of the compiled programs.

Lanes go to their buckets, buckets are cut into chunks, the dearest first. Programs are compiled in the background:
chunks whose program is ready run while the others' are made. What a chunk returns is put back where its lanes stood.
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
from jaxhpo.training.step.lane import Result


class Launch(NamedTuple):
    """A chunk: which lanes of the batch go into one launch of a bucket's program."""

    bucket: int
    lanes: np.ndarray  # [size or fewer] int
    cost: float  # anything that grows with the seconds it takes


class Executor:
    """Compiles the programs of buckets, runs chunks on threads, and keeps the books.

    Args:
        launches: chunks that may run at once.
    """

    def __init__(self, launches: int):
        self.launches = launches
        self.ledger = Ledger()
        self._programs: dict[int, Future] = {}

    def prepare(self, bucket: int, train: Callable[..., Result], arguments: Any, options: dict[str, Any]) -> None:
        """Begin to compile a bucket's program, once.

        Args:
            bucket: whose program it is.
            train: the pure function that trains a chunk.
            arguments: its arguments, or their shapes.
            options: of XLA.
        """
        if bucket in self._programs:
            return
        started = time.perf_counter()
        # Traced here, in the caller's thread: it may run under a JAX configuration of its own.
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
        """Run chunks; `arguments` makes a launch's, `done` takes its result, one at a time. Other threads call both."""
        batch = _Batch(self, sorted(launches, key=lambda launch: -launch.cost), arguments, done)
        started = time.perf_counter()
        try:
            batch.run()
        finally:
            self.ledger.seconds += time.perf_counter() - started - batch.waited
            self.ledger.waited += batch.waited


class _Batch:
    """One call of `Executor.run`: what its threads share, under one lock."""

    def __init__(self, executor: Executor, launches: list[Launch], arguments: Callable, done: Callable):
        self._executor, self._launches, self._arguments, self._done = executor, launches, arguments, done
        self._launched = 0
        self._change = threading.Condition()
        self._error: BaseException | None = None
        self._idle_since: float | None = None  # since when nothing has trained, for want of a program
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
        except BaseException as error:  # Ctrl-C: what is launched ends, nothing more begins
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
        """Take the dearest chunk whose program is ready."""
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
        """Book the time in which nothing trained; called, under the lock, whenever something begins or ends."""
        now = time.perf_counter()
        if self._idle_since is not None:
            self.waited += now - self._idle_since
        self._idle_since = now if self._launches and not self._launched else None
