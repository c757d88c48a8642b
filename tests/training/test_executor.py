"""The executor compiles each program once, runs the dearest chunk first, and ends cleanly on errors."""

import threading
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.training.run.executor import Executor, Launch


class Doubled(NamedTuple):
    value: jax.Array


def double(x):
    return Doubled(2 * x)


def launches(costs, bucket=0):
    return [Launch(bucket, np.array([i]), cost) for i, cost in enumerate(costs)]


def arguments(launch):
    return (np.float32(launch.lanes[0]),)


@pytest.fixture
def executor():
    executor = Executor(2)
    for bucket in range(2):
        executor.prepare(bucket, double, (jnp.float32(0),), {})
    return executor


def test_every_chunk_comes_back_to_its_lanes(executor):
    found = {}
    batch = [Launch(i % 2, np.array([i]), float(i)) for i in range(20)]
    executor.run(batch, arguments, lambda launch, result: found.update({int(launch.lanes[0]): float(result.value)}))
    assert found == {i: 2.0 * i for i in range(20)}
    assert set(executor.ledger.compile_seconds) == {0, 1}
    assert executor.ledger.total().busy > 0
    assert executor.ledger.seconds > 0


def test_the_dearest_runs_first():
    executor, order = Executor(1), []
    executor.prepare(0, double, (jnp.float32(0),), {})
    executor.run(launches([1, 3, 2]), arguments, lambda launch, _: order.append(launch.cost))
    assert order == [3, 2, 1]


def test_results_arrive_one_at_a_time(executor):
    inside, most = [0], [0]

    def done(launch, result):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.002)
        inside[0] -= 1

    executor.run(launches([1] * 20), arguments, done)
    assert most == [1]


def test_a_program_is_traced_and_compiled_once():
    executor, traced = Executor(1), []

    def counted(x):
        traced.append(1)
        return Doubled(2 * x)

    for _ in range(2):
        executor.prepare(0, counted, (jnp.float32(0),), {})
        executor.run(launches([1, 1]), arguments, lambda *_: None)
    assert len(traced) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["arguments", "done"])
def test_an_error_ends_the_batch_and_the_executor_lives_on(executor, error, where):
    begun = []

    def fail(launch, *_):
        begun.append(launch)
        if len(begun) == 3:
            raise error("on purpose")
        return arguments(launch)

    def fine(*_):
        pass

    with pytest.raises(error, match="on purpose"):
        executor.run(launches([1] * 50), *((fail, fine) if where == "arguments" else (arguments, fail)))
    assert len(begun) <= 4  # the other thread may have begun one more
    found = []
    executor.run(launches([1] * 5), arguments, lambda launch, result: found.append(float(result.value)))
    assert len(found) == 5


def test_a_program_that_cannot_be_compiled_says_so():
    executor = Executor(2)
    executor.prepare(0, double, (jnp.float32(0),), {"no_such_option": 1})
    with pytest.raises(Exception, match="no_such_option"):
        executor.run(launches([1, 1]), arguments, lambda *_: None)


def test_waiting_for_a_program_is_not_training(monkeypatch):
    executor, gate = Executor(1), threading.Event()
    lower = jax.stages.Lowered.compile

    def slow(self, **options):
        gate.wait(0.3)
        return lower(self, **options)

    monkeypatch.setattr(jax.stages.Lowered, "compile", slow)
    executor.prepare(0, double, (jnp.float32(0),), {})
    executor.run(launches([1]), arguments, lambda *_: None)
    assert executor.ledger.waited > 0.2
    assert executor.ledger.seconds < executor.ledger.waited
