import math

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from jaxhpo.algorithms import grid_search, random_search, tabular_q
from jaxhpo.compilation import HostFunction
from jaxhpo.space import Choice, Int, Space
from jaxhpo.study import Best, Study
from jaxhpo.study.rounds import Carry, Clock, make_steps, round_step
from jaxhpo.study.trials import computed_and_asked
from jaxhpo.types import Objective, Outcome
from tests.study.toy import OPTIMUM, SPACE, objective, search


def run(trials=10, lanes=4, seed=0, **options):
    return Study(SPACE, search(lanes), objective(), seed=seed).run(trials, **options)


def test_the_tables_say_what_happened():
    study = run(10)
    table = study.trials
    before = ["trial", "round", "lane", "source", "budget", "trained_from"]
    assert list(table) == [*before, "a", "b", "c", "score", "state", "reason", "seconds"]
    assert table["trial"].tolist() == list(range(10))
    assert table["round"].tolist() == [0] * 4 + [1] * 4 + [2] * 2
    assert table["lane"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert set(table["budget"]) == {3}
    failed = table["b"] >= 4
    assert 0 < failed.sum() < 10
    assert (table["state"] == np.where(failed, "failed", "complete")).all()
    assert table["score"][failed].isna().all()  # infinities too
    np.testing.assert_allclose(table["score"][~failed], 1 - (table["a"][~failed] - OPTIMUM).abs(), atol=1e-6)
    assert table["seconds"].is_monotonic_increasing
    assert study.finished[3].aux["spent"] == 6
    assert study.metrics["trials"].tolist() == [4, 8, 10]


def test_best_and_incumbent():
    study = run(40)
    table = study.trials
    assert study.best.score == table["score"].max()
    assert study.best.trial == table["score"].idxmax()
    assert study.best.config == study.finished[study.best.trial].config
    assert study.best.test_score is None
    pd.testing.assert_series_equal(study.incumbent["score"], table["score"].cummax().ffill(), check_names=False)


def test_equal_scores_go_to_the_first():
    space = Space({"a": Int(1, 8)})
    study = Study(space, random_search(space, lanes=4))
    study.ask()
    study.tell([0.5, 0.9, 0.9, 0.1])
    assert study.best.trial == 1


def test_the_seed_fixes_everything():
    one, again, other = run(12).trials, run(12).trials, run(12, seed=1).trials
    same = [name for name in one if name != "seconds"]
    pd.testing.assert_frame_equal(one[same], again[same])
    assert not one["a"].equals(other["a"])


def test_trials_can_be_added_in_several_runs():
    study = run(8)
    study.run(8)
    once = run(16)
    same = [name for name in study.trials if name != "seconds"]
    pd.testing.assert_frame_equal(study.trials[same], once.trials[same])


def test_more_lanes_than_trials_are_padded():
    study = run(3, lanes=8)
    assert len(study.trials) == 3
    assert study.trials["trial"].tolist() == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.optimized  # epsilon is up to rounding
def test_the_host_loop_is_the_traced_scan():
    """One round_step serves both: the same trials, bit for bit."""
    space = SPACE_OF_LEVELS
    steps = make_steps(tabular_q(space, lanes=4), objective_of(space))

    @jax.jit
    def scan(seed):
        keys, state = steps.start(seed)
        carry = Carry(state, jnp.int32(0), Clock(jnp.int32(0), jnp.int32(0)))
        return jax.lax.scan(lambda c, _: round_step(steps, keys, c, jnp.int32(4)), carry, length=6)[1]

    record = scan(np.uint32(3))
    study = Study(space, tabular_q(space, lanes=4), objective_of(space), seed=3).run(24)
    configs = [space.to_config(point) for point in np.asarray(record.proposal.point).reshape(-1, len(space))]
    assert [t.config for t in study.finished] == configs
    np.testing.assert_array_equal([t.score for t in study.finished], np.asarray(record.outcome.score).ravel())
    np.testing.assert_array_equal([t.trial for t in study.finished], np.asarray(record.proposal.trial).ravel())
    np.testing.assert_array_equal(study.metrics["epsilon"].astype(np.float32), record.metrics["epsilon"])


SPACE_OF_LEVELS = Space({"a": Int(1, 9), "b": Choice(("x", "y", "z"))})


def objective_of(space):
    def evaluate(key, state, proposal):
        noise = jax.random.uniform(key, proposal.trial.shape)
        return state + 1, Outcome(jnp.sum(proposal.point, axis=1) + noise, {})

    return Objective(lambda key: jnp.int32(0), evaluate)


def test_a_finished_grid_ends_the_run():
    space = SPACE_OF_LEVELS
    study = Study(space, grid_search(space, lanes=4), objective_of(space)).run(100)
    assert len(study.trials) == 27
    assert not study.trials[["a", "b"]].duplicated().any()


# --- enqueue --------------------------------------------------------------------------------------------------------


def test_enqueued_configurations_come_first_and_displace_nothing():
    mine = [{"a": 0.25, "b": 2, "c": "y"}, {"a": 0.75, "b": 1, "c": "x"}]
    study = Study(SPACE, search(), objective())
    for config in mine:
        study.enqueue(config)
    study.run(10)
    assert [t.config for t in study.finished[:2]] == mine
    assert study.trials["round"].tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert study.trials["trial"].tolist() == list(range(10))
    assert study.finished[1].score == pytest.approx(0.95)


def test_enqueued_points_leave_the_grid_whole():
    space = SPACE_OF_LEVELS
    study = Study(space, grid_search(space, lanes=4), objective_of(space))
    study.enqueue({"a": 9, "b": "z"})
    study.run(100)
    assert len(study.trials) == 28
    assert len(study.trials[["a", "b"]].drop_duplicates()) == 27


def test_more_enqueued_than_lanes_take_several_rounds():
    study = Study(SPACE, search(2), objective())
    for i in range(5):
        study.enqueue({"a": i / 8, "b": 1, "c": "x"}, budget=7)
    study.run(6)
    assert study.trials["a"].tolist()[:5] == [i / 8 for i in range(5)]
    assert study.trials["budget"].tolist() == [7] * 5 + [3]


@pytest.mark.parametrize("on_host", [False, True])
def test_an_objective_may_be_minimised(on_host):
    made = objective()
    if on_host:
        made = made._replace(evaluate=HostFunction(made.evaluate))
    up = Study(SPACE, search(), made, seed=1).run(12)
    down = Study(SPACE, search(), made, seed=1, direction="minimize").run(12)
    # Random search asks for the same, so the same scores are told; what is best of them differs.
    np.testing.assert_array_equal(down.trials["score"], up.trials["score"])
    assert down.best.score == down.trials["score"].min() < up.trials["score"].max() == up.best.score
    assert down.incumbent["score"].tolist() == np.fmin.accumulate(down.trials["score"]).tolist()


def test_the_top_trials_come_best_first():
    study = Study(SPACE, search(), direction="minimize")
    study.ask()
    study.tell([0.5, 0.25, math.nan, 0.25])
    assert study.top(3)["trial"].tolist() == [1, 3, 0]
    assert study.top()["score"].tolist() == [0.25, 0.25, 0.5]
    up = run(12)
    assert up.top(1)["trial"].tolist() == [up.best.trial]
    with pytest.raises(ValueError, match="count=0 must be an integer of at least 1"):
        up.top(0)


def test_the_best_trial_in_a_line():
    best = Best(3, {"a": 0.0056234132519, "b": 2, "c": "x"}, 0.98612, 0.97)
    assert repr(best) == "Best(trial=3, score=0.9861, test_score=0.9700: a=0.00562341, b=2, c='x')"


# --- ask and tell ---------------------------------------------------------------------------------------------------


def test_ask_and_tell():
    study = Study(SPACE, search(), direction="minimize")
    batch = study.ask()
    assert study.ask() == batch
    assert [s.trial for s in batch] == [0, 1, 2, 3]
    done = study.tell([0.5, 0.25, math.nan, 1.0])
    assert [t.score for t in done[:2]] == [0.5, 0.25]
    assert done[2].failed
    assert study.best.score == 0.25
    assert study.incumbent["score"].tolist() == [0.5, 0.25, 0.25, 0.25]
    later = study.ask()
    assert [s.trial for s in later] == [4, 5, 6, 7]
    study.tell({s.trial: float(s.trial) for s in later})
    assert study.trials["score"].tolist()[4:] == [4, 5, 6, 7]


def test_ask_and_tell_is_what_run_does():
    told = Study(SPACE, search(), seed=5)
    for _ in range(3):
        batch = told.ask()
        told.tell([math.nan if s.config["b"] >= 4 else 1 - abs(s.config["a"] - OPTIMUM) for s in batch])
    ran = run(12, seed=5)
    assert [t.config for t in told.finished] == [t.config for t in ran.finished]


def test_tell_needs_ask_and_run_needs_tell():
    study = Study(SPACE, search(), objective())
    with pytest.raises(ValueError, match="tell needs trials; call ask first"):
        study.tell([1.0])
    study.ask()
    with pytest.raises(ValueError, match="run needs every asked trial told"):
        study.run(4)


# --- what ends a run ------------------------------------------------------------------------------------------------


def test_a_timeout_ends_the_run_after_a_round():
    study = Study(SPACE, search(), objective()).run(10_000, timeout=0.2)
    assert 4 <= len(study.trials) < 10_000
    assert len(run(4, timeout=1e-9).trials) == 4  # one round always


def test_an_interrupted_run_keeps_what_finished():
    study = Study(SPACE, search(), objective())

    def stop(study, trials):
        if len(study.finished) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study.run(100, callbacks=[stop])
    assert len(study.trials) == 8
    study.run(4)
    pd.testing.assert_series_equal(study.trials["a"], run(12).trials["a"])


def test_an_interrupted_round_gives_back_what_was_enqueued(monkeypatch):
    study = Study(SPACE, search(), objective())
    study.enqueue({"a": 0.5, "b": 1, "c": "x"})
    with monkeypatch.context() as patch:
        patch.setattr("jaxhpo.study.study.round_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            study.run(4)
    study.run(1)
    assert study.finished[0].config == {"a": 0.5, "b": 1, "c": "x"}


def interrupted(steps, keys, carry, limit):
    steps.propose(keys, carry.algorithm, carry.clock, limit)
    raise KeyboardInterrupt


@pytest.mark.slow
def test_continuing_needs_an_objective_that_can():
    space = SPACE_OF_LEVELS
    rungs = tabular_q(space, lanes=4, budget=9, rungs=(1, 3, 9), eps_min=0.0, eps_max=0.0)
    with pytest.raises(
        ValueError, match=r"algorithm continues trial \d+, which the objective cannot; use a single rung"
    ):
        Study(space, rungs, objective_of(space)).run(400)
    kept = []

    def retain(state, trials):
        kept.append(set(trials[trials >= 0].tolist()))
        return state

    study = Study(space, rungs, objective_of(space)._replace(retain=retain)).run(400)
    goes_on = study.trials[study.trials["source"] >= 0]
    assert len(goes_on) > 0
    parents = study.trials.loc[goes_on["source"]]
    assert (parents[["a", "b"]].to_numpy() == goes_on[["a", "b"]].to_numpy()).all()
    assert (parents["budget"].to_numpy() < goes_on["budget"].to_numpy()).all()
    assert (parents["budget"].to_numpy() == goes_on["trained_from"].to_numpy()).all()
    assert (study.trials["trained_from"][study.trials["source"] < 0] == 0).all()
    computed = [trial.budget - trial.trained_from for trial in study.finished]
    assert computed_and_asked(study.finished) == (sum(computed), sum(computed))
    assert len(kept) == 100
    for trial, round_, source in goes_on[["trial", "round", "source"]].to_numpy():
        assert source in kept[round_ - 1], f"trial {trial} continues {source}, which was not named as resumable"
