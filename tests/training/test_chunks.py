"""Chunks: a trial's result does not depend on its chunk; a chunk ends when its lanes have; the books add up."""

import os
import subprocess
import sys
from functools import partial

import jax
import numpy as np
import pytest

from jaxhpo.models import Variant
from jaxhpo.space import Choice, Float, Int, Space
from jaxhpo.training import Machine, Trainer, make_family, probe
from jaxhpo.training.goal.scoring import read_goal
from jaxhpo.training.planning.plan import Bucket
from jaxhpo.training.step import engines
from jaxhpo.types import Proposal

SPACE = Space(
    {
        "learning_rate": Float(1e-3, 1e30, log=True),
        "batch_size": Choice((16, 32)),
        "layers": Int(1, 2),
        "units": Choice((4, 8)),
        "dropout": Float(0.0, 0.5),
    }
)
GOOD = {"learning_rate": 0.01, "batch_size": 16, "layers": 2, "units": 8, "dropout": 0.2}
BAD = GOOD | {"learning_rate": 1e30}


def batch(trainer, configs, budget):
    lanes = len(configs)
    point = np.stack([trainer.space.from_config(config) for config in configs])
    number = np.arange(lanes, dtype=np.int32)
    return Proposal(point, np.full(lanes, budget, np.int32), np.full(lanes, -1, np.int32), number >= 0, number)


def mixed(lanes):
    random = np.random.default_rng(0)
    return [
        GOOD | {"layers": int(random.integers(1, 3)), "units": int(random.choice([4, 8])), "dropout": i / lanes / 2}
        for i in range(lanes)
    ]


def train(trainer, configs, budget=2, key=3):
    state = trainer.objective.init(jax.random.key(0))
    return trainer.objective.evaluate(jax.random.key(key), state, batch(trainer, configs, budget))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn"])
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_weights_do_not_depend_on_the_chunk(model, engine, small_digits, small_text):
    """Bit for bit: the same lane first in a full chunk of others, and last in one with padding."""
    dataset = small_text if model == "rnn" else small_digits
    trainer = Trainer(dataset, model, SPACE, epochs=2, lanes=4, machine=Machine(engine=engine))
    size = 4 if engine == "vmap" else 1
    trainer.plan = trainer.plan._replace(buckets=(Bucket(8, 2, Variant(), (8,), size, 0),))
    data = trainer.objective.init(jax.random.key(0)).data
    program = jax.jit(partial(trainer.programs.train, 0))
    points = np.stack([SPACE.from_config(config) for config in mixed(8)])
    found = []
    for rows in ([5, 0, 1, 2], [3, 7, 4, 5], [5, 5, 5, 5]):
        rows = np.array([5] if size == 1 else rows, np.int32)
        active = np.ones(len(rows), bool) if rows[-1] != 5 or size == 1 else rows == 5
        result = program(jax.random.key(1), data, points[rows], np.full(size, 2, np.int32), active, rows)
        place = int(np.flatnonzero(rows == 5)[-1])
        found.append([np.asarray(leaf[place]) for leaf in jax.tree.leaves(result)])
    for other in found[1:]:
        for left, right in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_a_batch_in_chunks_is_the_batch(small_digits):
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=2, lanes=16, machine=Machine(engine="vmap"))
    several = trainer.plan.buckets[-1]._replace(size=4)
    trainer.plan = trainer.plan._replace(buckets=(several,))
    small = train(trainer, mixed(16))[1]
    alone = Trainer(small_digits, "mlp", SPACE, epochs=2, lanes=16, machine=Machine(engine="threads"))
    other = train(alone, mixed(16))[1]
    np.testing.assert_allclose(small.aux["loss"], other.aux["loss"], rtol=1e-5)
    # Trials 0 to 3 in another order, so in another chunk and place.
    order = np.random.default_rng(1).permutation(16)
    asked = batch(trainer, mixed(16), 2)
    shuffled = jax.tree.map(lambda leaf: leaf[order], asked)
    again = trainer.objective.evaluate(jax.random.key(3), trainer.objective.init(jax.random.key(0)), shuffled)[1]
    np.testing.assert_array_equal(again.aux["loss"], small.aux["loss"][order])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_4096_lanes_on_a_small_machine(engine, small_digits):
    few = small_digits.take(64)
    trainer = Trainer(few, "mlp", SPACE, epochs=1, lanes=4096, machine=Machine(engine=engine, memory=0.1))
    assert max(bucket.size for bucket in trainer.plan.buckets) < 4096
    state, outcome = train(trainer, mixed(4096), budget=1)
    assert not np.isnan(outcome.score).any()
    assert state.best.score == outcome.score.max()
    assert trainer.report()["trials"] == 4096


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["threads", "vmap"])
def test_a_chunk_ends_when_all_its_lanes_have(engine, small_digits, monkeypatch):
    epochs, train_epoch = [], engines.train_epoch

    def counted(*arguments):
        epoch = arguments[-3]
        jax.debug.callback(epochs.append, epoch)
        return train_epoch(*arguments)

    monkeypatch.setattr(engines, "train_epoch", counted)
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=20, lanes=4, machine=Machine(engine=engine))
    train(trainer, [BAD] * 4, budget=20)
    jax.effects_barrier()
    assert set(map(int, epochs)) == {0}  # diverged in the first
    epochs.clear()
    train(trainer, [BAD, GOOD, GOOD, BAD], budget=3)
    jax.effects_barrier()
    assert set(map(int, epochs)) == {0, 1, 2}


@pytest.mark.slow
def test_the_report_adds_up(small_digits):
    """By hand: an MLP 64-units-10, two epochs; three lanes are padded to four, 54 validation examples to 64."""
    space = Space(
        {"learning_rate": Float(1e-3, 1e-1, log=True), "batch_size": Choice((16,))} | {"layers": Choice((1,))}
    )
    narrow = {"learning_rate": 0.01, "batch_size": 16, "layers": 1}
    trainer = Trainer(small_digits, "mlp", space, epochs=2, lanes=4, machine=Machine(engine="vmap"))
    units = trainer.plan.buckets[0].units
    train(trainer, [narrow] * 3)
    report, valid = trainer.report(), len(small_digits.y_valid)
    forward = 2 * (64 * units + units * 10)
    backward = 2 * forward - 2 * 64 * units
    lane = 2 * (160 * (forward + backward) + valid * forward)
    assert report["useful_gflop"] == pytest.approx(3 * lane / 1e9)
    executed = 2 * (160 * (forward + backward) + -(-valid // 32) * 32 * forward)
    assert report["total_gflop"] == pytest.approx(4 * executed / 1e9)
    assert report["useful_share"] == pytest.approx(3 * lane / (4 * executed))
    assert report["trials"] == report["buckets"][0]["trials"] == 3
    samples = 3 * 2 * 160
    assert report["samples_per_second_per_lane"] == pytest.approx(samples / report["buckets"][0]["busy_seconds"])
    assert report["gflop_per_second"] == pytest.approx(report["total_gflop"] / report["seconds"])


@pytest.mark.slow
def test_narrow_lanes_are_not_counted_as_useful_in_full(small_digits):
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=1, lanes=4, machine=Machine(engine="vmap"))
    trainer.plan = trainer.plan._replace(buckets=(Bucket(8, 2, Variant(), (8,), 4, 0),))
    train(trainer, [GOOD | {"units": 4, "layers": 1}] * 4, budget=1)
    assert trainer.report()["useful_share"] < 0.5


def test_the_probe_takes_an_engine_that_runs_here(small_digits):
    family = make_family(small_digits, "mlp", SPACE, read_goal("classification"), 2)
    trainer = probe(family, Machine(), lanes=4)
    assert trainer.plan.engine in ("threads", "vmap")
    assert trainer.report()["trials"] == 0
    with pytest.raises(ValueError, match="memory=0 must be"):
        probe(family, Machine(memory=0), lanes=4)


SHARDED = """
import jax, numpy as np
from tests.training import test_chunks as t
from sklearn.datasets import load_digits
from jaxhpo.data import from_arrays
x, y = load_digits(return_X_y=True)
rows = np.concatenate([np.flatnonzero(y == label)[:27] for label in range(10)])
digits = from_arrays(x[rows].reshape(-1, 8, 8), y[rows], name="small digits").take(160)
one = t.Trainer(digits, "mlp", t.SPACE, epochs=2, lanes=16, machine=t.Machine(engine="vmap"))
two = t.Trainer(digits, "mlp", t.SPACE, epochs=2, lanes=16, machine=t.Machine(devices=2))
assert two.plan.engine == "sharded" and two.plan.devices == 2, two.plan
assert all(bucket.size % 2 == 0 for bucket in two.plan.buckets)
configs = [*t.mixed(13), t.BAD]
a, b = (t.train(trainer, configs)[1] for trainer in (one, two))
assert np.isnan(a.score).tolist() == np.isnan(b.score).tolist() == 13 * [False] + [True]
np.testing.assert_allclose(a.aux["loss"][:13], b.aux["loss"][:13], rtol=1e-5)
state = two.objective.init(jax.random.key(0))
placed = two.executor._programs[0].result().output_shardings
assert {len(sharding.device_set) for sharding in jax.tree.leaves(placed)} == {2}
state, _ = two.objective.evaluate(jax.random.key(3), state, t.batch(two, configs, 2))
assert 0 <= two.score_test(state) <= 1
try:
    t.Trainer(digits, "mlp", t.SPACE, machine=t.Machine(devices=3))
except ValueError as error:
    print(error)
"""


def test_lanes_on_two_devices_are_those_on_one(as_quickly):
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
    environment = os.environ | as_quickly | {"XLA_FLAGS": flags}
    environment |= {
        "JAX_COMPILATION_CACHE_DIR": as_quickly["JAXHPO_CACHE_DIR"],
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    done = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "devices=3 exceeds the 2 that JAX sees; use at most 2"
