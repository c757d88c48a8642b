"""The standard error of a score, on its way from the objective to the algorithm and to the trials."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo.algorithms import random_search
from jaxhpo.algorithms.warm_start import Portfolio, warm_started
from jaxhpo.compilation import HostFunction
from jaxhpo.objectives import function, traceable
from jaxhpo.space import Float, Space
from jaxhpo.study import Study, run_traced
from jaxhpo.study.rounds import clean
from jaxhpo.types import Algorithm, LaneResult, Objective, Outcome, Proposal

LINE = Space({"x": Float(0.0, 1.0)})
PLAIN = random_search(LINE, lanes=4)
DIRECTIONS = pytest.mark.parametrize("direction", ["maximize", "minimize"])
TOLD = [0.0, math.nan, 0.25, math.nan] + [0.5, math.nan, 0.75, math.nan]
"""What trials 0 to 7 have: a trial's number / 8 is its standard error, which is negative for 1 and 5; 3 and 7 fail."""


def proposal(active):
    lanes = len(active)
    none = np.full(lanes, -1, np.int32)
    return Proposal(np.zeros((lanes, 1), np.float32), np.ones(lanes, np.int32), none, np.array(active), none)


def test_clean_keeps_what_is_known():
    score = np.float32([0.5, np.nan, 0.5, np.inf, 0.5, 0.5, 0.5, 0.5])
    error = np.float32([0.1, 0.1, -0.1, 0.1, np.inf, np.nan, 0.0, 0.1])
    found = jax.jit(clean)(proposal([True] * 7 + [False]), Outcome(score, {}, error))
    np.testing.assert_array_equal(found.standard_error, np.float32([0.1] + [np.nan] * 5 + [0, np.nan]))
    np.testing.assert_array_equal(np.isfinite(found.score), [True, False, True, False, True, True, True, False])


@pytest.mark.parametrize(("given", "expected"), [((), [np.nan] * 3), ((0.25,), [0.25, np.nan, np.nan])])
def test_clean_gives_every_lane_its_own(given, expected):
    found = jax.jit(clean)(proposal([True, True, False]), Outcome(np.float32([1, np.nan, 1]), {}, *given))
    assert found.standard_error.dtype == jnp.float32
    np.testing.assert_array_equal(found.standard_error, np.float32(expected))


def listening(inner):
    """Return an algorithm that keeps the standard errors of its last round."""

    def tell(key, state, proposal, outcome):
        state, _ = inner.tell(key, state[0], proposal, outcome)
        return (state, outcome.standard_error), {"told": jnp.nansum(outcome.standard_error)}

    def init(key):
        return inner.init(key), jnp.zeros(4, jnp.float32)

    return Algorithm(init, lambda key, state: inner.ask(key, state[0]), tell)


def results(xp, trial):
    """Return the scores and standard errors of trials by their numbers."""
    score = xp.where(trial % 4 == 3, np.float32(np.nan), trial.astype(np.float32))
    return score, xp.where(trial % 4 == 1, -1, 1) * trial.astype(np.float32) / 8


def traced(key, state, proposal):
    score, error = results(jnp, proposal.trial)
    return state, Outcome(score, {}, error)


def on_the_host(key, state, proposal, finished, known):
    score, error = results(np, proposal.trial)
    for lane in (2, 0):  # the study reports the others
        if lane not in known:
            finished(lane, LaneResult(float(score[lane]), {}, standard_error=float(error[lane])))
    return state, Outcome(score, {}, error)


OBJECTIVES = {"traced": traced, "host": HostFunction(on_the_host, by_lane=True)}


@DIRECTIONS
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_it_reaches_trials_and_the_algorithm_without_a_sign(kind, direction):
    seen, objective = [], Objective(lambda key: (), OBJECTIVES[kind])
    study = Study(LINE, listening(PLAIN), objective, direction=direction, on_trial=seen.append).run(8)
    np.testing.assert_array_equal([trial.standard_error for trial in study.finished], TOLD)
    for trial in seen:
        np.testing.assert_equal(trial.standard_error, TOLD[trial.trial])
    assert [study.finished[t].score for t in (0, 4)] == [0, 4]
    assert study.metrics["told"].tolist() == [0.25, 1.25]
    assert "standard_error" not in study.trials


@DIRECTIONS
def test_whole_traced_studies_have_it_too(direction):
    objective = Objective(lambda key: (), traced)
    record = run_traced(listening(PLAIN), objective, 2, seeds=2, direction=direction)
    np.testing.assert_array_equal(record.outcome.standard_error, np.float32([TOLD] * 2).reshape(2, 2, 4))
    assert record.metrics["told"].tolist() == [[0.25, 1.25]] * 2


def test_a_portfolio_passes_it_on():
    algorithm = warm_started(listening(PLAIN), LINE, Portfolio(LINE, [{"x": 0.5}]))
    record = run_traced(algorithm, Objective(lambda key: (), traced), 2)
    assert record.metrics["told"].tolist() == [[0.25, 1.25]]


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_known_results_have_theirs(kind):
    known = {2: LaneResult(2.0, {}, standard_error=0.125), 4: LaneResult(4.0, {})}
    study = Study(LINE, listening(PLAIN), Objective(lambda key: (), OBJECTIVES[kind]), known=known).run(12)
    expected = np.array([*TOLD, 1.0, math.nan, 1.25, math.nan])
    expected[[2, 4]] = 0.125, math.nan
    np.testing.assert_array_equal([trial.standard_error for trial in study.finished], expected)
    assert study.metrics["told"].tolist() == [0.125, 0.75, 2.25]


def test_where_nobody_gives_one_it_is_not_known():
    algorithm = random_search(LINE, lanes=2)
    told = Study(LINE, algorithm)
    told.ask()
    told.tell([1.0, 2.0])
    plain = Objective(lambda key: (), lambda key, state, p: (state, Outcome(p.point[:, 0], {})))
    studies = [told]
    for objective in (
        plain,
        traceable(lambda key, hparams: hparams["x"]).objective(LINE),
        function(lambda hparams: hparams["x"], workers=0).objective(LINE),
    ):
        # What is known in one round only: the programs of the others are the same.
        known = {0: LaneResult(0.5, {}, standard_error=0.5)}
        study = Study(LINE, algorithm, objective, known=known).run(4)
        assert [trial.standard_error for trial in study.finished[:1]] == [0.5]
        studies.append(study)
    for study in studies:
        assert all(math.isnan(trial.standard_error) for trial in study.finished[1:])
        assert not any(trial.failed for trial in study.finished)
