"""What is called after a round, what ends a run from inside, and results that are reported lane by lane."""

import math
import threading

import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.compilation import HostFunction
from jaxhpo.space import Int, Space
from jaxhpo.study import StopWhenReached, StopWhenStalled, Study
from jaxhpo.types import LaneResult, Objective, Outcome
from tests.study.toy import SPACE, objective, search

LINE = Space({"x": Int(0, 99)})


def test_callbacks_are_called_in_order_after_every_round():
    calls = []

    def first(study, trials):
        calls.append(("first", [trial.trial for trial in trials], len(study.finished)))

    def second(study, trials):
        calls.append(("second", study.latest_metrics["round"]))

    Study(SPACE, search(), objective()).run(6, callbacks=(first, second))
    assert calls == [("first", [0, 1, 2, 3], 4), ("second", 0), ("first", [4, 5], 6), ("second", 1)]


def test_stop_ends_the_run_after_the_round():
    study = Study(SPACE, search(), objective())
    study.run(100, callbacks=[lambda study, trials: study.stop("enough") if len(study.finished) == 8 else None])
    assert len(study.finished) == 8
    assert study.stop_reason == "enough"
    study.run(4)
    assert study.stop_reason is None
    assert len(study.finished) == 12
    with pytest.raises(ValueError, match="stop ends a run, and the study is not running; call it from a callback"):
        study.stop("now")


def told(scores, direction="maximize", *callbacks):
    """Return a study whose trials score as listed, a lane each round, run with callbacks."""
    values = jnp.asarray(scores, jnp.float32)

    def evaluate(key, state, proposal):
        return state, Outcome(values[proposal.trial], {})

    algorithm = jh.algorithms.random_search(LINE, lanes=1)
    study = Study(LINE, algorithm, Objective(lambda key: (), evaluate), direction=direction)
    return study.run(len(scores), callbacks=callbacks)


@pytest.mark.parametrize(
    ("scores", "direction", "callback", "trials", "reason"),
    [
        ([0.1, 0.5, 0.4, 0.9], "maximize", StopWhenReached(0.5), 2, "trial 1 reached 0.5"),
        ([0.9, math.nan, 0.5, 0.1], "minimize", StopWhenReached(0.5), 3, "trial 2 reached 0.5"),
        ([0.1, 0.2], "maximize", StopWhenReached(0.5), 2, None),
        ([0.1, 0.5, 0.5, 0.4, 0.9], "maximize", StopWhenStalled(2), 4, "2 trials have brought no better score"),
        ([math.nan] * 3 + [0.5, 0.6], "minimize", StopWhenStalled(1), 5, "1 trial has brought no better score"),
        ([math.nan] * 4, "maximize", StopWhenStalled(1), 4, None),
    ],
)
def test_shipped_callbacks(scores, direction, callback, trials, reason):
    study = told(scores, direction, callback)
    assert len(study.finished) == trials
    assert study.stop_reason == reason


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: StopWhenReached(math.nan), "score=nan must be a finite number"),
        (lambda: StopWhenReached("0.9"), "score='0.9' must be a finite number"),
        (lambda: StopWhenStalled(0), "trials=0 must be an integer of at least 1"),
        (lambda: Study(SPACE, search(), objective()).run(4, callbacks=print), "write callbacks=[<built-in function"),
        (lambda: Study(SPACE, search(), objective()).run(4, callbacks=[1]), "callbacks hold 1, which cannot be called"),
        (lambda: Study(SPACE, search(), objective()).run(4, callbacks=1), "callbacks=1 must be a list of functions"),
        (lambda: Study(SPACE, search(), objective()).run(4, timeout="soon"), "timeout='soon' must be a number of"),
        (lambda: Study(SPACE, search(), objective()).run(4, timeout="0m"), "timeout='0m' must be a number of seconds"),
    ],
)
def test_bad_callbacks_and_limits(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(("timeout", "seconds"), [(3, 3.0), ("90s", 90.0), ("1.5m", 90.0), ("2h", 7200.0), ("7", 7.0)])
def test_a_timeout_is_seconds_or_a_text(timeout, seconds):
    from jaxhpo.study import check_timeout

    assert check_timeout(timeout) == seconds


def test_on_round_warns_and_is_called_still():
    seen = []
    with pytest.warns(DeprecationWarning, match=r"on_round of Study.run will go; use callbacks=\[...\]"):
        Study(SPACE, search(), objective()).run(
            4, on_round=lambda study, trials, metrics: seen.append(metrics["round"])
        )
    assert seen == [0]


# --- results lane by lane ---------------------------------------------------------------------------------------------


def by_lane(order, calls):
    """Return an objective that reports lanes in an order of its own, from a thread, and fails the last silently."""

    def evaluate(key, state, proposal, finished, known):
        calls.append(dict(known))
        score = proposal.point[:, 0].astype(np.float32)
        score[order[-1]] = np.nan
        aux = {"trial": proposal.trial.copy()}

        def report():
            for lane in order[:-1]:
                if lane not in known:
                    finished(lane, LaneResult(float(score[lane]), {"trial": proposal.trial[lane]}))

        thread = threading.Thread(target=report)
        thread.start()
        thread.join()
        return state, Outcome(score, aux)

    return Objective(lambda key: (), HostFunction(evaluate, by_lane=True))


def test_every_lane_is_reported_once_as_it_finishes():
    calls, seen = [], []
    algorithm = jh.algorithms.random_search(LINE, lanes=4)
    study = Study(LINE, algorithm, by_lane([2, 0, 1, 3], calls), on_trial=seen.append).run(8)
    assert [trial.trial for trial in seen] == [2, 0, 1, 3, 6, 4, 5, 7]
    assert [trial.round for trial in seen] == [0] * 4 + [1] * 4
    for trial in seen:
        same = study.finished[trial.trial]
        assert (trial.config, trial.lane, trial.budget) == (same.config, same.lane, same.budget)
        np.testing.assert_equal(trial.score, same.score)
        assert trial.aux["trial"] == trial.trial
        assert trial.seconds <= same.seconds
    assert [trial.failed for trial in study.finished] == [False, False, False, True] * 2


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_what_is_known_is_not_evaluated_or_reported_again(direction):
    calls, seen = [], []
    known = {1: LaneResult(5.0, {"trial": np.int32(-7)}), 6: LaneResult(math.nan, {"trial": np.int32(-8)})}
    algorithm = jh.algorithms.random_search(LINE, lanes=4)
    study = Study(
        LINE, algorithm, by_lane([2, 0, 1, 3], calls), direction=direction, on_trial=seen.append, known=known
    ).run(8)
    assert calls == [{1: known[1]}, {2: known[6]}]
    assert [trial.trial for trial in seen] == [2, 0, 3, 4, 5, 7]
    assert (study.finished[1].score, study.finished[1].aux["trial"]) == (5.0, -7)
    assert study.finished[6].failed
    plain = Study(LINE, algorithm, by_lane([2, 0, 1, 3], []), direction=direction).run(4)
    assert [t.config for t in study.finished[:4]] == [t.config for t in plain.finished]


def test_a_known_result_of_another_objective_is_refused():
    known = {1: LaneResult(0.5, {"loss": np.float32(0.1)})}
    study = Study(SPACE, search(), objective(), known=known)
    with pytest.raises(ValueError, match=r"known has trial 1 with aux \['loss'\]; the objective returns spent"):
        study.run(4)


def test_a_traced_objective_reports_its_lanes_when_the_round_is_evaluated():
    seen = []
    study = Study(SPACE, search(), objective(), on_trial=seen.append).run(8)
    assert [trial.trial for trial in seen] == list(range(8))
    np.testing.assert_equal([trial.score for trial in seen], [trial.score for trial in study.finished])
    assert seen[3].aux["spent"] == study.finished[3].aux["spent"]
