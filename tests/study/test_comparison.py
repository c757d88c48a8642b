"""Trials of the first round computed again alone: what is a fault, what is rounding, and what it costs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.compilation import CompilationCounter
from jaxhpo.study.comparison import Comparison
from jaxhpo.study.rounds import Record
from jaxhpo.types import Outcome, Proposal

SPACE = jh.Space({"x": jh.Float(0.0, 1.0), "n": jh.Int(1, 4)})
WHOLE = jh.Space({"n": jh.Int(1, 4)})


def record_of(scores, space=SPACE):
    """Return a round of three lanes, of which the first is padding, with x = 0.5 and 0 where it is there."""
    point = np.zeros((3, len(space)), np.float32)
    point[1, 0] = 0.5
    active = np.array([False, True, True])
    trial = np.array([-1, 0, 1], np.int32)
    proposal = Proposal(point, np.ones(3, np.int32), np.full(3, -1, np.int32), active, trial)
    return Record(proposal, Outcome(np.array([0.0, *scores], np.float32), {}), {})


class Alone:
    """Computes `score(x, trial, call)`, and counts its calls."""

    def __init__(self, score):
        self.score, self.calls = score, 0

    def __call__(self, proposal, lane):
        self.calls += 1
        return self.score(float(proposal.point[lane, 0]), int(proposal.trial[lane]), self.calls)


def compare(scores, score, space=SPACE, **options):
    """Return what a comparison found, and how often a trial was computed alone."""
    comparison, alone = Comparison(space, options.pop("sign", 1.0), **options), Alone(score)
    comparison.compare(record_of(scores, space), alone, 1.0)
    return comparison.result, alone.calls


def test_equal_scores_cost_two_computations():
    result, calls = compare([1.5, 1.0], lambda x, trial, call: 1 + x)
    assert result == {"trials": [0, 1], "scores": [1.5, 1.0], "alone": [1.5, 1.0], "verdicts": ["same", "same"]}
    assert calls == 2
    result, calls = compare([1.5005, 1.0], lambda x, trial, call: 1 + x)  # 1 part in 3,000: rounding
    assert result["verdicts"] == ["same", "same"]
    assert compare([math.nan, math.inf], lambda *_: math.nan)[1] == 2  # both failed
    assert compare([-1.5, -1.0], lambda x, trial, call: 1 + x, sign=-1.0)[0]["scores"] == [1.5, 1.0]


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([2.5, 3.0], "trial 0 with 2.5 in its round and 1.5 alone, trial 1 with 3 in its round and 1 alone"),
        ([math.nan, 0.0], "trial 0 with nan in its round and 1.5 alone, trial 1 with 0 in its round and 1 alone"),
    ],
)
def test_a_gross_difference_of_a_smooth_function_is_refused(scores, said):
    with pytest.raises(ValueError) as caught:
        compare(scores, lambda x, trial, call: 1 + x)
    assert str(caught.value).startswith(f"objective scores {said}, more than rounding explains; a trial must not")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("scores", "verdicts"), [([1.53, 1.02], ["fault", "fault"]), ([2.5, 1.0], ["fault", "same"])])
def test_a_moderate_difference_or_one_of_one_trial_is_a_warning(scores, verdicts):
    with pytest.warns(RuntimeWarning, match=r"^objective scores trial 0 with .* see that a trial does not depend"):
        result, _ = compare(scores, lambda x, trial, call: 1 + x)
    assert result["verdicts"] == verdicts


def test_a_chaotic_function_may_differ():
    """A thousand-fold gain on the eleventh bit and below: x changed by a millionth changes the score by much."""
    result, calls = compare([9.0, 7.0], lambda x, trial, call: math.sin(1e9 * x) + 2)
    assert result["verdicts"] == ["sensitive to rounding"] * 2
    assert calls == 8  # each alone, once more, and with x a little higher and lower


def test_a_score_that_is_another_each_time_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"scores trial 0 with 1 and, computed again, with 2: the score must follow"):
        compare([9.0, 7.0], lambda x, trial, call: call)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # where sums are of any order
    assert compare([9.0, 7.0], lambda x, trial, call: call)[0]["verdicts"] == ["sensitive to rounding"] * 2


def test_without_a_float_other_keys_show_what_rounding_may_do():
    noisy = compare([9.0, 7.0], lambda n, trial, call: 1 + math.sin(trial) ** 2, WHOLE)
    assert noisy[0]["verdicts"] == ["sensitive to rounding"] * 2
    with pytest.raises(ValueError, match="objective scores trial 0 with 9 in its round and 2 alone"):
        compare([9.0, 7.0], lambda n, trial, call: 2 + 1e-12 * trial, WHOLE)
    with pytest.warns(RuntimeWarning, match="objective scores trial 0 with 9 in its round and 2 alone"):
        result, _ = compare([9.0, 7.0], lambda n, trial, call: 2, WHOLE)
    assert result["verdicts"] == ["unknown"] * 2


def test_only_the_first_round_is_compared_and_only_what_was_computed():
    alone = Alone(lambda x, trial, call: 1 + x)
    comparison = Comparison(SPACE, 1.0, known={0})
    comparison.compare(record_of([9.0, 1.0]), alone, 1.0)
    assert comparison.result["trials"] == [1]
    comparison.compare(record_of([9.0, 9.0]), alone, 1.0)
    assert alone.calls == 1
    waits = Comparison(SPACE, 1.0, known={0, 1})  # for a round that has something of its own
    waits.compare(record_of([9.0, 9.0]), alone, 1.0)
    assert (waits.result, alone.calls) == (None, 1)
    waits.compare(
        record_of([1.5, 1.0])._replace(proposal=record_of([0, 0]).proposal._replace(trial=[7, 8, 9])), alone, 1
    )
    assert waits.result["trials"] == [8, 9]


def test_a_round_of_more_than_half_a_minute_is_not_computed_again():
    comparison, alone = Comparison(SPACE, 1.0), Alone(lambda *_: 0.0)
    comparison.compare(record_of([9.0, 7.0]), alone, 31.0)
    comparison.compare(record_of([9.0, 7.0]), alone, 1.0)
    assert (comparison.result, alone.calls) == (None, 0)


# --- functions -----------------------------------------------------------------------------------------------------


def centred(key, hparams):
    """Subtracts the mean over the lanes, which a callback sees all of."""
    shape = jax.ShapeDtypeStruct((), jnp.float32)
    x = hparams["x"] * hparams["n"].astype(jnp.float32)
    return jax.pure_callback(lambda x: np.float32(1 + x - np.mean(x)), shape, x, vmap_method="broadcast_all")


def plain(key, hparams):
    return hparams["x"] * hparams["n"] + jax.random.normal(key)


@pytest.mark.parametrize("static", [(), pytest.param(("c",), marks=pytest.mark.slow)])
def test_a_function_that_sees_the_other_lanes_is_refused(static):
    space = jh.Space({**SPACE, "c": jh.Choice((1.0,))})

    def train(key, hparams):
        return centred(key, hparams) * hparams["c"]

    objective = jh.traceable(train, static=static).objective(space)
    study = jh.Study(space, jh.algorithms.random_search(space, lanes=4), objective)
    study.enqueue({"x": 0.5, "n": 2, "c": 1.0})
    study.enqueue({"x": 0.5, "n": 4, "c": 1.0})
    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.raises(ValueError, match=r"trial 0 with .* and 1 alone, trial 1"),
    ):
        study.run(4)
    assert study.finished == []
    assert len(study._queue._waiting) == 2  # they were given back


@pytest.mark.parametrize("static", [(), pytest.param(("n",), marks=pytest.mark.slow)])
def test_a_function_is_compared_by_one_more_program(static):
    with jax.numpy_dtype_promotion("standard"):
        objective = jh.traceable(plain, static=static).objective(SPACE)
        study = jh.Study(SPACE, jh.algorithms.random_search(SPACE, lanes=4), objective, direction="minimize")
        study.enqueue({"x": 0.5, "n": 2})
        study.enqueue({"x": 0.25, "n": 2})
        counter = CompilationCounter()
        study.run(2)
        compared = counter.requests
        other = jh.Study(
            SPACE,
            jh.algorithms.random_search(SPACE, lanes=4),
            jh.traceable(plain, static=static).objective(SPACE)._replace(alone=None),
            direction="minimize",
        )
        other.enqueue({"x": 0.5, "n": 2})
        other.enqueue({"x": 0.25, "n": 2})
        counter = CompilationCounter()
        other.run(2)
    assert compared == counter.requests + 1
    assert other.comparison.result is None
    assert study.comparison.result["verdicts"] == ["same", "same"]
    assert study.comparison.result["scores"] == study.trials["score"].tolist() == other.trials["score"].tolist()
