"""The default configuration in a round of an algorithm: its own row there counts as one that was cut."""

import jax
import numpy as np
import pytest

from jaxhpo import algorithms
from jaxhpo.study import Study
from jaxhpo.types import FRESH, Objective, Outcome
from tests.algorithms.test_contract import BUDGET, SPACE, VARIANTS, score_of

DEFAULT = {"learning_rate": 2e-3, "units": 32, "layers": 2, "optimizer": "adam", "fixed": "only"}
LANES = 4


def study_of(name, lanes=LANES, *, default):
    """Return a study of a contract's method, with the default or without."""

    def evaluate(key, state, proposal):
        del key
        return state, Outcome(1 - ((proposal.point - 0.6) ** 2).sum(-1), {"at": proposal.point})

    objective = Objective(lambda key: (), evaluate, retain=lambda state, trials: state)
    method, options = VARIANTS[name]
    study = Study(SPACE, algorithms.make(method, SPACE, lanes=lanes, budget=BUDGET, **options), objective)
    if default:
        study._queue.add_default(SPACE.from_config(DEFAULT), BUDGET)
    return study


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one._carry.algorithm, other._carry.algorithm)


def own_metrics(study):
    return study.metrics.drop(columns=["trials", "seconds"])


@pytest.mark.sampled
@pytest.mark.slow_but_for("random_search", "asha")
@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "tabular_q-small"])
def test_the_algorithm_is_told_what_it_is_told_of_a_cut_row(name):
    study, cut = study_of(name, default=True), study_of(name, default=False)
    study.run(LANES)
    cut.run(LANES - 1)  # the last lane of its first round is cut
    same(study, cut)
    assert own_metrics(study).equals(own_metrics(cut))
    for trial, other in zip(study.finished, cut.finished, strict=False):
        assert (trial.config, trial.budget, trial.score) == (other.config, other.budget, other.score)
    default = study.finished[-1]
    assert study._queue.default == default.trial == default.lane == LANES - 1
    assert (default.config, default.budget, default.source, default.round) == (DEFAULT, BUDGET, FRESH, 0)
    assert default.score == pytest.approx(score_of(SPACE.from_config(DEFAULT)), abs=1e-6)
    np.testing.assert_array_equal(default.aux["at"], SPACE.from_config(DEFAULT))
    study.run(4 * LANES)
    assert [trial.trial for trial in study.finished] == list(range(5 * LANES))
    rounds = [trial.round for trial in study.finished]
    assert rounds == sorted(rounds)
    assert set(rounds) == set(range(6 if name == "pbt" else 5))  # whose lacking member makes its step alone
    assert all(trial.source != default.trial for trial in study.finished)


@pytest.mark.sampled
@pytest.mark.slow_but_for("random_search")
@pytest.mark.parametrize("name", algorithms.names())
def test_with_one_lane_the_algorithms_whole_first_round_is_cut(name):
    study = study_of(name, 1, default=True).run(1)
    assert study.finished[0].config == DEFAULT
    assert study._queue.default == 0
    algorithm, (keys, carry) = study._algorithm, study._start()
    before = algorithm.init(keys.algorithm)
    told = algorithm.ask(jax.random.fold_in(keys.algorithm, np.int32(0)), before)
    told = told._replace(active=np.zeros(1, bool))
    outcome = Outcome(np.full(1, np.nan, np.float32), {}, np.full(1, np.nan, np.float32))
    tell = jax.jit(algorithm.tell)
    state, _ = tell(jax.random.fold_in(keys.algorithm, np.int32(0)), algorithm.grow(before, 1), told, outcome)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), state, carry.algorithm)
    assert carry.clock.trial == carry.clock.round == 1
    study.run(4)
    assert [trial.trial for trial in study.finished] == list(range(5))


def test_grid_search_alone_is_exhaustive():
    made = {name: algorithms.make(name, SPACE, lanes=4, budget=BUDGET) for name in algorithms.names()}
    assert [name for name, algorithm in made.items() if algorithm.exhaustive] == ["grid_search"]
    portfolio = algorithms.Portfolio(SPACE, [DEFAULT])
    for name in ("grid_search", "pbt", "asha"):
        warm = algorithms.warm_started(made[name], SPACE, portfolio)
        plain = made[name]
        assert (warm.exhaustive, warm.perturbs) == (plain.exhaustive, plain.perturbs)
