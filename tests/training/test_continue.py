"""Trials that continue others: bit for bit as at once, only what is missing, and never silently otherwise."""

import jax
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.models import Variant
from jaxhpo.training import Machine, Trainer
from jaxhpo.training.planning.plan import Bucket
from jaxhpo.training.run.continuing import find_sources, shaping
from jaxhpo.training.run.state import ResumeState
from jaxhpo.training.step import schedules
from jaxhpo.training.step.lane_state import LaneState
from jaxhpo.training.step.stopping import Checkpoint
from jaxhpo.types import Proposal
from tests.training.own_models import Net, NnxNet

EPOCHS = 6
SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e30, log=True),
        "batch_size": jh.Choice((16, 32)),
        "layers": jh.Int(1, 2),
        "units": jh.Choice((4, 8)),
        "dropout": jh.Float(0.0, 0.5),
        "optimizer": jh.Choice(("sgd", "adam")),
        "schedule": jh.Choice(("constant", "cosine")),
    }
)
CONFIG = {"learning_rate": 0.01, "batch_size": 16, "layers": 2, "units": 8, "dropout": 0.2}
CONFIG |= {"optimizer": "adam", "schedule": "cosine"}
OWN = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e-1, log=True),
        "batch_size": jh.Choice((16, 32)),
        "width": jh.Choice((12,)),
        "rate": jh.Float(0.0, 0.5),
    }
)
OF_OWN = {"learning_rate": 0.01, "batch_size": 16, "width": 12, "rate": 0.2}  # 12 wide it has batch norm
MODELS = {"mlp": "mlp", "cnn": "cnn", "rnn": "rnn", "linen": Net, "nnx": NnxNet}
CASES = [f"{model}-{engine}" for model in MODELS for engine in ("threads", "vmap")]
CASES.remove("nnx-vmap")  # as linen's


def rows(trainer, *lanes):
    """Return a batch of (trial, source, budget, config) rows."""
    trial, source, budget = (np.array([row[i] for row in lanes], np.int32) for i in range(3))
    point = np.stack([trainer.space.from_config(row[3]) for row in lanes])
    return Proposal(point, budget, source, trial >= 0, trial)


def make(case, small_digits, small_text, **options):
    name, engine = case.split("-")
    data = small_text if name == "rnn" else small_digits
    space = SPACE if isinstance(MODELS[name], str) else OWN
    trainer = Trainer(
        data, MODELS[name], space, epochs=EPOCHS, lanes=2, machine=Machine(engine=engine), continues=True, **options
    )
    return trainer, CONFIG if space is SPACE else OF_OWN


class Bench:
    """A trainer whose programs are compiled once for many tests; `run` evaluates a batch after some state."""

    def __init__(self, trainer, config):
        self.trainer, self.config = trainer, config
        self.start = trainer.objective.init(jax.random.key(0))

    def run(self, state, *lanes, retain=None):
        objective = self.trainer.objective
        state, outcome = objective.evaluate(jax.random.key(3), state, rows(self.trainer, *lanes))
        return (state if retain is None else objective.retain(state, np.array(retain, np.int32))), outcome


@pytest.fixture(scope="module", params=CASES)
def bench(request, small_digits, small_text):
    return Bench(*make(request.param, small_digits, small_text))


@pytest.fixture(scope="module", params=["threads", "vmap"])
def mlp(request, small_digits, small_text):
    return Bench(*make(f"mlp-{request.param}", small_digits, small_text))


def lane(outcome, i):
    return [outcome.score[i], outcome.aux["curve"][i], outcome.aux["loss"][i]]


def assert_same(a, b):
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(left, right)


def trained(state):
    """Return the best weights, a lane's."""
    best = state.best
    return best.networks


@pytest.mark.slow_but_for("mlp-threads")
def test_in_parts_is_at_once_bit_for_bit(bench):
    """One epoch, then to three, then to six; beside a lane that starts afresh, and one that has ended."""
    c = bench.config
    state, whole = bench.run(bench.start, (5, -1, EPOCHS, c))
    at_once = trained(state)
    state, first = bench.run(bench.start, (4, -1, 2, c), (5, -1, 1, c), retain=[5, -1])
    state, second = bench.run(state, (6, 5, 3, c), (7, -1, 1, c), retain=[6])
    assert set(state.kept) == {6}
    # No score of the parts before counts, so that the weights of the last are the best.
    state, third = bench.run(state._replace(best=None), (8, 6, EPOCHS, c))
    assert_same(lane(third, 0), lane(whole, 0))
    assert_same(trained(state), at_once)
    assert np.isfinite(whole.score[0])
    np.testing.assert_array_equal(second.aux["curve"][0, :3], whole.aux["curve"][0, :3])
    assert np.isnan(second.aux["curve"][0, 3:]).all()
    epochs = [outcome.aux["epochs"].tolist() for outcome in (first, second, third)]
    assert epochs == [[2, 1], [2, 1], [3]]
    updates = [outcome.aux["updates"].tolist() for outcome in (first, second, third)]
    assert updates == [[20, 10], [20, 10], [30]]


@pytest.mark.slow_but_for("threads")
def test_lanes_of_a_chunk_wait_for_their_epochs(mlp):
    """Epochs 0, and 4 to 5: those between are nobody's, and not counted."""
    c = mlp.config
    state, _ = mlp.run(mlp.start, (0, -1, 4, c), retain=[0])
    mlp.trainer.forget()
    at_once = mlp.run(mlp.start, (0, -1, EPOCHS, c))[1]
    whole = mlp.trainer.report()
    mlp.trainer.forget()
    _, outcome = mlp.run(state, (1, 0, EPOCHS, c), (2, -1, 1, c))
    assert_same(lane(outcome, 0), lane(at_once, 0))
    assert outcome.aux["epochs"].tolist() == [2, 1]
    report = mlp.trainer.report()
    assert report["useful_gflop"] == pytest.approx(whole["useful_gflop"] * 3 / EPOCHS)
    assert report["total_gflop"] == pytest.approx(whole["total_gflop"] * 3 / EPOCHS)


@pytest.mark.slow
def test_what_is_traced_may_change(mlp):
    c = mlp.config
    other = c | {"learning_rate": 0.05, "batch_size": 32, "dropout": 0.0, "schedule": "constant"}
    state, _ = mlp.run(mlp.start, (0, -1, 3, c), retain=[0])
    _, outcome = mlp.run(state, (1, 0, EPOCHS, c), (2, 0, EPOCHS, other))  # one source, two that continue it
    assert np.isfinite(outcome.score).all()
    assert outcome.aux["updates"].tolist() == [30, 15]
    assert np.array_equal(*outcome.aux["loss"][:, :3])
    assert (outcome.aux["loss"][0, 3:] != outcome.aux["loss"][1, 3:]).all()


@pytest.mark.slow
def test_a_schedule_goes_by_epochs_where_batches_change(small_digits, monkeypatch):
    asked, factor = [], schedules.factor

    def noted(names, index, warmup, count, updates):
        jax.debug.callback(lambda *found: asked.append(tuple(map(int, found))), count, updates)
        return factor(names, index, warmup, count, updates)

    monkeypatch.setattr(schedules, "factor", noted)
    trainer = Trainer(
        small_digits, "mlp", SPACE, epochs=EPOCHS, lanes=2, machine=Machine(engine="threads"), continues=True
    )
    bench = Bench(trainer, CONFIG)
    state, _ = bench.run(bench.start, (0, -1, 2, CONFIG | {"batch_size": 32}), retain=[0])
    jax.effects_barrier()
    assert asked == [(count, 30) for count in range(10)]
    asked.clear()
    bench.run(state, (1, 0, 3, CONFIG))
    jax.effects_barrier()
    assert asked == [(count, 60) for count in range(20, 30)]  # a third of the way, as trial 0 was


WRONG = {
    "unknown": ((9, 77, 6, {}), "continues trial 77, whose training is not kept"),
    "dropped": ((9, 1, 6, {}), "continues trial 1, whose training is not kept"),
    "budget": ((9, 0, 3, {}), "continues trial 0 of budget 3 to 3; it must lie above, up to 6"),
    "beyond": ((9, 0, 7, {}), "continues trial 0 of budget 3 to 7; it must lie above, up to 6"),
    "structure": ((9, 0, 6, {"units": 4, "layers": 1}), "trial 0 with another layers, units;"),
    "optimizer": ((9, 0, 6, {"optimizer": "sgd"}), "trial 0 with another optimizer;"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_continue_fails_alone_with_a_warning(mlp, case):
    (trial, source, budget, changes), message = WRONG[case]
    c = mlp.config
    state, _ = mlp.run(mlp.start, (0, -1, 3, c), (1, -1, 3, c), retain=[0])
    with pytest.warns(RuntimeWarning, match=f"trial 9 failed: it .*{message}") as caught:
        after, outcome = mlp.run(state, (trial, source, budget, c | changes), (10, 0, 4, c))
    assert len(caught) == 1
    assert np.isnan(outcome.score).tolist() == [True, False]
    assert outcome.aux["epochs"].tolist() == [0, 1]
    assert 9 not in after.kept


def test_a_user_s_model_keeps_its_static_values():
    space = jh.Space(
        dict(OWN) | {"width": jh.Choice((8, 12)), "lr_mult": jh.Choice((1, 2)), "optim": jh.Choice(("sgd",))}
    )
    names = shaping(space, ("width", "rate", "lr_mult"))
    assert names == ("width", "lr_mult", "optim")
    config = OF_OWN | {"lr_mult": 1, "optim": "sgd"}
    lowest = Checkpoint(np.full(1, 0.5, np.float32), np.full(1, 2, np.int32), None, None, None)
    kept = {0: ResumeState(0, 3, config, (LaneState(*[None] * 6, lowest, None),), True)}
    point = np.stack([space.from_config(config | change) for change in ({"rate": 0.0, "batch_size": 32}, {"width": 8})])
    asked = Proposal(point, np.full(2, 6), np.zeros(2, np.int32), np.ones(2, bool), np.arange(1, 3))
    with pytest.warns(RuntimeWarning, match="trial 2 failed: it continues trial 0 with another width;"):
        proposal, sources = find_sources(asked, kept, space, names, EPOCHS)
    assert proposal.active.tolist() == [True, False]
    # With other hyperparameters its own epochs count, from the source's last on.
    assert sources[0].states[0].checkpoint == (np.float32(np.inf), 3, None, None, None)
    assert sources[0]._replace(states=()) == kept[0]._replace(states=())


@pytest.mark.slow
def test_a_user_s_model_goes_on_in_another_program(small_digits, small_text):
    """Of another batch size."""
    bench = Bench(*make("linen-threads", small_digits, small_text))
    state, _ = bench.run(bench.start, (0, -1, 3, bench.config), retain=[0])
    _, outcome = bench.run(state, (1, 0, EPOCHS, bench.config | {"batch_size": 32}))
    assert outcome.aux["updates"].tolist() == [15]
    assert np.isfinite(outcome.aux["curve"]).all()


def test_a_diverged_trial_cannot_be_continued(mlp):
    bad = mlp.config | {"learning_rate": 1e30, "optimizer": "sgd"}
    state, outcome = mlp.run(mlp.start, (0, -1, 2, bad), (1, -1, 2, mlp.config), retain=[0, 1])
    assert np.isnan(outcome.score[0])
    assert set(state.kept) == {1}
    with pytest.warns(RuntimeWarning, match="trial 2 failed: it continues trial 0, whose training is not kept"):
        mlp.run(state, (2, 0, 3, bad))
    state, outcome = mlp.run(state, (3, 1, 6, mlp.config | {"learning_rate": 1e30}))
    assert np.isnan(outcome.score[0])
    assert outcome.aux["epochs"].tolist() == [1]  # it diverged in its first
    assert set(state.kept) == {1}


def test_only_what_is_named_is_kept(mlp):
    c = mlp.config
    state, _ = mlp.run(mlp.start, (0, -1, 1, c), (1, -1, EPOCHS, c), (2, -1, 2, c))
    assert set(state.kept) == {0, 2}  # no budget is above that of 1
    before = state
    state = mlp.trainer.objective.retain(state, np.array([2, -1, 55], np.int32))
    assert set(state.kept) == {2}
    assert set(before.kept) == {0, 2}
    for leaf in jax.tree.leaves(state.kept[2].states):
        assert getattr(leaf.base, "nbytes", leaf.nbytes) == leaf.nbytes  # no chunk is kept for a lane
    state, _ = mlp.run(state, (3, -1, 1, c))
    state, _ = mlp.run(state, (4, -1, 1, c))  # nobody named 3: it makes room
    assert set(state.kept) == {2, 4}
    assert not mlp.trainer.objective.retain(state, np.full(2, -1, np.int32)).kept


def test_chunks_of_a_batch_take_lanes_that_start_together(small_digits):
    trainer = Trainer(
        small_digits, "mlp", SPACE, epochs=EPOCHS, lanes=4, machine=Machine(engine="vmap"), continues=True
    )
    trainer.plan = trainer.plan._replace(buckets=(Bucket(8, 2, Variant(), (8,), 2, 0),))
    bench = Bench(trainer, CONFIG)
    state, _ = bench.run(bench.start, (0, -1, 5, CONFIG), (1, -1, 4, CONFIG), retain=[0, 1])
    chunks = []
    run = trainer.executor.run
    trainer.executor.run = lambda launches, *rest: (chunks.extend(launches), run(launches, *rest))[1]
    lanes = [(2, 0, 6, CONFIG), (3, -1, 1, CONFIG), (4, 1, 6, CONFIG), (5, -1, 1, CONFIG)]
    _, outcome = bench.run(state, *lanes)
    assert [launch.lanes.tolist() for launch in chunks] == [[1, 3], [2, 0]]
    assert chunks[1].cost == pytest.approx(1.5 * chunks[0].cost)  # three epochs and two
    assert outcome.aux["epochs"].tolist() == [1, 1, 2, 1]


@pytest.mark.slow
def test_without_continuing_nothing_is_kept(small_digits):
    trainer = Trainer(small_digits, "mlp", SPACE, epochs=2, lanes=2, machine=Machine(engine="threads"))
    assert trainer.objective.retain is None
    bench = Bench(trainer, CONFIG)
    state, outcome = bench.run(bench.start, (0, -1, 1, CONFIG), (1, 0, 2, CONFIG))
    assert not state.kept
    assert np.isnan(outcome.score).tolist() == [False, True]


def test_chunks_that_continue_need_more_memory(small_digits):
    small = {"lanes": 1024, "machine": Machine(engine="vmap", memory=0.03)}
    sizes = [
        max(b.size for b in Trainer(small_digits, "mlp", SPACE, continues=c, **small).plan.buckets)
        for c in (False, True)
    ]
    assert sizes[1] < sizes[0]
