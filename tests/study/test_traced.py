import jax
import numpy as np
import pytest

from jaxhpo.algorithms import random_search, tabular_q
from jaxhpo.compilation import HostFunction, jit
from jaxhpo.space import Float, Space
from jaxhpo.study import Study, run_traced
from jaxhpo.types import Objective, Outcome
from tests.study.toy import SPACE, objective, search

LEVELS = Space({"a": Float(0.0, 1.0, levels=11), "b": Float(0.0, 1.0, levels=5)})


def distance():
    """Return the objective (a - 0.3)^2 + (b - 0.5)^2."""

    def evaluate(key, state, proposal):
        score = ((proposal.point - np.array([[0.3, 0.5]], np.float32)) ** 2).sum(axis=1)
        return state, Outcome(score, {})

    return Objective(lambda key: (), evaluate)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_it_does_what_studies_of_its_seeds_do(direction):
    algorithm = tabular_q(LEVELS, lanes=4)
    record = run_traced(algorithm, distance(), 6, seeds=[0, 7], direction=direction)
    assert record.proposal.point.shape == (2, 6, 4, 2)
    assert set(record.metrics) >= {"epsilon", "q_variance"}
    for row, seed in enumerate((0, 7)):
        study = Study(LEVELS, algorithm, distance(), seed=seed, direction=direction).run(24)
        sign = 1 if direction == "maximize" else -1
        np.testing.assert_array_equal(
            sign * record.outcome.score[row].reshape(-1), study.trials["score"].to_numpy("f4")
        )
        points = np.stack([trial.point for trial in study.finished])
        np.testing.assert_array_equal(record.proposal.point[row].reshape(24, 2), points)
        np.testing.assert_array_equal(record.proposal.trial[row].reshape(-1), study.trials["trial"])


def test_failed_trials_are_nan_and_state_is_carried():
    record = run_traced(search(), objective(), 5, seeds=3)
    values = SPACE.decode(record.proposal.point)["b"]
    np.testing.assert_array_equal(np.isnan(record.outcome.score), np.asarray(values) >= 4)
    np.testing.assert_array_equal(record.outcome.aux["spent"], 6)


def test_seeds_may_be_traced():
    algorithm = random_search(SPACE, lanes=2)
    together = run_traced(algorithm, objective(), 3, seeds=[3, 5])
    one = lambda seed: run_traced(algorithm, objective(), 3, seeds=seed[None]).outcome.score[0]  # noqa: E731
    in_turn = jit(lambda seeds: jax.lax.map(one, seeds))(np.array([3, 5], np.uint32))
    np.testing.assert_array_equal(in_turn, together.outcome.score)


def test_many_seeds_are_one_program():
    jitted = jit(lambda: run_traced(random_search(LEVELS, lanes=2), distance(), 3, seeds=50).outcome.score)
    scores = jitted()
    assert scores.shape == (50, 3, 2)
    assert len(np.unique(np.asarray(scores))) > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"algorithm": None}, "algorithm=None must be an Algorithm"),
        (
            {"objective": Objective(lambda key: (), HostFunction(print))},
            "or of a Python function; use Study",
        ),
        ({"rounds": 0}, "rounds=0 must be an integer of at least 1"),
        ({"seeds": True}, "seeds=True must be a number of studies"),
        ({"seeds": 0}, "seeds=0 must be a number of studies"),
        ({"seeds": [-1]}, r"integers in [0, 2**32)"),
        ({"seeds": "many"}, "seeds='many' must be"),
        ({"direction": "up"}, "direction='up' must be 'maximize' or 'minimize'"),
    ],
)
def test_arguments_are_checked(change, message):
    given = {"algorithm": search(), "objective": objective(), "rounds": 2} | change
    with pytest.raises(ValueError) as error:
        run_traced(**given)
    assert message in str(error.value)
