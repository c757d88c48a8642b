"""Q-learning's rungs: which trials may go on, what going on costs, and the search that stops what does not promise."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.algorithms.common.history import History
from jaxhpo.algorithms.gp.search import codes
from jaxhpo.algorithms.multi_fidelity.rungs import rung_of
from jaxhpo.algorithms.q_learning.actions import Considered
from jaxhpo.algorithms.q_learning.promotion import Promotion
from jaxhpo.algorithms.q_learning.reward_posterior import RewardPosterior
from jaxhpo.algorithms.q_learning.value import Decision, choose
from jaxhpo.priors.learned_prior import Knowledge
from jaxhpo.space import Float, Space
from jaxhpo.types import Proposal

from .multi_fidelity import Rounds

RUNGS = (1, 3, 9)
SIZE = 16


def history(*trials, point=None):
    """Return a history of (budget, score); trials are numbered from 100 on."""
    count, room = len(trials), SIZE - len(trials)
    budget, score = np.array([trial[0] for trial in trials]), np.array([trial[1] for trial in trials])
    point = np.zeros((count, 1)) if point is None else np.array(point)[:, None]
    return History(
        jnp.asarray(np.pad(point, ((0, room), (0, 0))), jnp.float32),
        jnp.asarray(np.pad(score, (0, room), constant_values=np.nan), jnp.float32),
        jnp.full(SIZE, jnp.nan, jnp.float32),
        jnp.asarray(np.pad(budget, (0, room)), jnp.int32),
        jnp.asarray(np.pad(np.arange(100, 100 + count), (0, room), constant_values=-1), jnp.int32),
        jnp.int32(count),
    )


def batch(*sources):
    """Return a batch of trials that continue these; None is a padding lane."""
    lanes = len(sources)
    source = jnp.array([-1 if s is None else s for s in sources], jnp.int32)
    active = jnp.array([s is not None for s in sources])
    return Proposal(jnp.zeros((lanes, 1)), jnp.ones(lanes, jnp.int32), source, active, jnp.full(lanes, -1, jnp.int32))


def flags(*rows):
    return jnp.zeros(SIZE, bool).at[jnp.array(rows, jnp.int32)].set(True)


def open_rows(keep, opened, place, told, proposal):
    made = jax.jit(Promotion(RUNGS, keep).told)(flags(*opened), jnp.array(place, jnp.int32), told, proposal)
    return np.flatnonzero(np.asarray(made)).tolist()


TOLD = history(
    (1, 0.1),
    (1, 0.9),  # closed before
    (1, 0.5),
    (3, 0.4),
    (1, 0.2),
    # The batch: new ones, a failed one and one between the rungs among them, one that goes on, one that ends.
    (1, 0.7),
    (1, math.nan),
    (2, 0.99),
    (3, 0.8),
    (9, 0.95),
)


@pytest.mark.parametrize(("keep", "wanted"), [(3, [0, 4, 5, 8]), (2, [4, 5, 8]), (1, [5, 8])])
def test_the_best_of_each_rung_stay_open(keep, wanted):
    # Rows 2 and 3 go on, so they close.
    proposal = batch(-1, -1, -1, 102, 103)
    assert open_rows(keep, [0, 2, 3, 4], [5, 6, 7, 8, 9], TOLD, proposal) == wanted


def test_equal_scores_close_in_the_order_they_were_told():
    assert open_rows(2, [0, 1], [2, 3], history(*[(1, 0.5)] * 4), batch(-1, -1)) == [0, 1]


def test_a_padding_lane_closes_nothing():
    padded = batch(-1, None)._replace(source=jnp.array([-1, 100], jnp.int32))
    assert open_rows(8, [0], [1, SIZE], history((1, 0.5), (1, 0.4)), padded) == [0, 1]


def test_what_a_full_history_does_not_take_opens_nothing():
    assert open_rows(8, [0], [SIZE, SIZE], history((1, 0.5)), batch(-1, -1)) == [0]


def test_what_continues_a_failed_or_unknown_trial_is_harmless():
    assert open_rows(8, [], [1, 2], history((1, math.nan), (3, 0.3), (3, 0.4)), batch(100, 555)) == [1, 2]


def test_rungs_of_budgets():
    found = rung_of(np.array(RUNGS, np.int32), jnp.array([0, 1, 2, 3, 4, 9, 27], jnp.int32))
    assert found.tolist() == [-1, 0, -1, 1, -1, 2, -1]
    assert found.dtype == jnp.int32


def considered(point, row):
    point = jnp.asarray(point, jnp.float32)[:, None]
    one = jnp.ones(len(point), jnp.float32)
    return Considered(point, codes(point), one > 0, one, one > 0, 0 * one, jnp.array(row, jnp.int32))


def test_proposals_go_on_where_their_trials_stopped():
    told = history((1, 0.5), (3, 0.6), (1, 0.2), point=[0.1, 0.2, 0.3])
    actions = considered([0.2, 0.1, 0.7, 0.8], [1, 0, -1, -1])
    made = Promotion(RUNGS, 1).proposal(actions, jnp.array([2, 0, 1], jnp.int32), told)
    np.testing.assert_array_equal(made.point[:, 0], np.float32([0.7, 0.2, 0.1]))
    assert made.budget.tolist() == [1, 9, 3]
    assert made.source.tolist() == [-1, 101, 100]
    assert made.active.tolist() == [True] * 3
    assert made.trial.tolist() == [-1] * 3


@pytest.mark.parametrize(
    ("rungs", "budgets", "progress"),
    [
        ((1, 3, 9), (0, 1, 3, 9, 27), (0, 0, 0.5, 1, 1)),
        ((3, 27), (1, 3, 9, 27), (0, 0, 0.5, 1)),
        ((2, 3), (2, 3), (0, 1)),
        ((9,), (9,), (0,)),  # where budgets do not count, none is asked for
    ],
)
def test_progress_is_0_at_the_lowest_rung_and_1_at_the_largest(rungs, budgets, progress):
    space = Space({"x": Float(0.0, 1.0)})
    model = RewardPosterior(space, Knowledge(space, None), rungs[-1], rungs[0])
    np.testing.assert_allclose(model.progress(jnp.array(budgets, jnp.int32)), progress, atol=1e-6)
    assert model.progresses == (len(rungs) > 1)
    assert model.inputs(jnp.zeros((4, 1)))[1].shape == (4, 3 if len(rungs) > 1 else 1)


# --- actions that go on, beside new ones -------------------------------------------------------------------------

LINE = Space({"x": Float(0.0, 1.0)})
# Whole trainings say that the score falls with the distance from 0.4, and first epochs that it is half of that.
WHOLE = [0.0, 0.2, 0.8, 1.0]
HALF = [0.45, 0.9]


def height(x):
    return 1.0 - (x - 0.4) ** 2


NEW = considered([0.42, 0.35, 0.5], [-1, -1, -1])
PROMOTION, MODEL = Promotion(RUNGS, 8), RewardPosterior(LINE, Knowledge(LINE, None), 9, 1)


@jax.jit
def act(opened, fresh, told):
    code = jnp.where(told.budget > 0, codes(told.point), jnp.uint32(0))
    decision = Decision(LINE, MODEL, MODEL.condition(MODEL.start, told), code)
    made = PROMOTION.join(fresh, decision, told, opened)
    return made, choose(decision, made, jnp.zeros(3, bool), 0.0), decision.worth(told.point)


def joined(opened, fresh):
    """Return what is considered where rows of the history are open, what three lanes choose, and worths."""
    trials = [(9, height(x)) for x in WHOLE] + [(3, height(HALF[0]) - 0.1), (1, height(HALF[1]) - 0.4)]
    told = history(*trials, point=WHOLE + HALF)
    made, chosen, worth = act(opened, fresh, told)
    return jax.tree.map(np.asarray, made), PROMOTION.proposal(made, chosen, told), np.asarray(worth)


@pytest.mark.slow
def test_going_on_costs_what_is_left():
    made, _, worth = joined(flags(4, 5), NEW)
    left = {4: 6 / 9, 5: 8 / 9}
    order = sorted(left, key=lambda row: -(worth[row] - math.log(left[row])))
    assert made.row.tolist() == [*order, *[-1] * (SIZE - 2), -1, -1, -1]
    assert made.allowed.tolist() == [True] * 2 + [False] * (SIZE - 2) + [True] * 3
    np.testing.assert_allclose(made.cost[:2], [math.log(left[row]) for row in order], rtol=1e-5)
    np.testing.assert_array_equal(made.point[:2, 0], np.float32([{4: 0.45, 5: 0.9}[row] for row in order]))
    assert made.progress[:2].tolist() == [{4: 1.0, 5: 0.5}[row] for row in order]
    assert made.ends[:2].tolist() == [{4: True, 5: False}[row] for row in order]
    # New ones begin at the lowest rung, and lack all.
    assert made.progress[2:].tolist() == [0.0] * (SIZE + 1)
    assert made.cost[-3:].tolist() == [0.0] * 3
    assert made.ends[2:].tolist() == [False] * (SIZE + 1)
    np.testing.assert_array_equal(made.code, codes(jnp.asarray(made.point)))


@pytest.mark.slow
def test_a_promising_trial_goes_on_and_another_does_not():
    _, proposal, worth = joined(flags(4, 5), NEW)
    assert worth[4] > worth[5] + 1
    sources = proposal.source.tolist()
    assert 104 in sources
    assert 105 not in sources
    assert proposal.budget[sources.index(104)] == 9


@pytest.mark.slow
def test_a_closed_trial_does_not_go_on():
    _, proposal, _ = joined(flags(), NEW)
    assert proposal.source.tolist() == [-1] * 3
    assert proposal.budget.tolist() == [1] * 3
    assert len(set(np.asarray(proposal.point)[:, 0].tolist())) == 3


def test_a_closed_trial_does_not_go_on_where_nothing_else_is_allowed():
    told = considered([0.8, 0.2, 0.0], [-1, -1, -1])._replace(allowed=jnp.zeros(3, bool))
    _, proposal, _ = joined(flags(4), told)
    assert proposal.source.tolist() == [104, -1, -1]
    assert proposal.budget.tolist() == [9, 1, 1]
    assert set(np.asarray(proposal.point)[1:, 0].tolist()) <= set(np.float32([0.8, 0.2, 0.0]).tolist())


def test_a_trial_goes_on_once_where_nothing_else_is_allowed():
    told = considered([*HALF, HALF[0]], [-1, -1, -1])._replace(allowed=jnp.zeros(3, bool))
    _, proposal, _ = joined(flags(4, 5), told)
    assert sorted(proposal.source.tolist()) == [-1, 104, 105]
    assert sorted(proposal.budget.tolist()) == [1, 3, 9]


# --- the search --------------------------------------------------------------------------------------------------

OPTIONS = {"prior": None, "min_budget": 1, "eta": 3, "candidates": 8, "evaluations": 2}


@pytest.mark.slow
def test_trials_climb_rung_by_rung():
    rng, rounds = np.random.default_rng(0), Rounds("q_learning", lanes=3, budget=9, **OPTIONS)
    for r in range(20):
        if r in (4, 9):
            rounds.tell_others((3, 0.9), (2, 0.95), (9, 0.5))
        rounds.play(lambda row: np.nan if rng.uniform() < 0.2 else rng.uniform(), limit=2 if r % 5 == 1 else None)
    by_trial = {row.trial: row for row in rounds.rows}
    climbed = [row for row in rounds.rows if row.source >= 0]
    others = set(range(len(rounds.rows))) - {row.trial for row in climbed}
    assert {row.budget for row in climbed} == {3, 9}
    for row in climbed:  # that none goes on twice, `Rounds` checks
        source = by_trial[row.source]
        assert RUNGS.index(row.budget) == RUNGS.index(source.budget) + 1
        assert row.point == source.point
        assert np.isfinite(source.score)
    assert all(by_trial[trial].budget in (1, 2, 3, 9) for trial in others)
    done = {row.source for row in climbed}
    standing = [r for r in rounds.rows if r.budget in (1, 3) and r.trial not in done and np.isfinite(r.score)]
    assert rounds.kept == [row.trial for row in standing]


@pytest.mark.slow
def test_the_best_is_found_with_fewer_epochs_than_whole_trainings_take():
    def score(row):
        rate, _, kind = row.point
        return -4 * (rate - 0.6) ** 2 - 0.3 * (abs(kind - 0.5) > 0.1) - 0.5 * (1 - math.log(row.budget) / math.log(9))

    rounds = Rounds("q_learning", lanes=3, budget=9, **OPTIONS)
    for _ in range(24):
        rounds.play(score)
    whole = [row for row in rounds.rows if row.budget == 9]
    assert max(row.score for row in whole) > -0.02
    begun = [row for row in rounds.rows if row.source < 0]
    assert len(whole) < len(begun) / 2
    assert rounds.epochs < 9 * len(begun) / 2
    assert np.mean([row.score for row in whole]) > np.mean([score(row._replace(budget=9)) for row in begun]) + 0.1


def test_arguments_are_checked():
    with pytest.raises(ValueError, match=r"^keep=0 must be an integer of at least 1$"):
        algorithms.q_learning(LINE, lanes=2, budget=9, min_budget=1, keep=0)
    with pytest.raises(ValueError, match="min_budget=10 must not be above budget=9"):
        algorithms.q_learning(LINE, lanes=2, budget=9, min_budget=10)
    assert algorithms.q_learning(LINE, lanes=2, budget=9).resumable is None
    assert algorithms.q_learning(LINE, lanes=2, budget=9, min_budget=3).resumable is not None
