"""Networks that answer together: their mean, what resamplings tell of a score, and which of them are kept."""

import functools
import math
import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxhpo.data.folds import Folds
from jaxhpo.training.goal.averaging import OUTPUTS, PROBABILITIES, average
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.training.goal.resampling import (
    SAMPLES,
    SAMPLES_ON_ARRAYS,
    error_of,
    resampled,
    resampled_on_arrays,
    samples_for,
)
from jaxhpo.training.run import candidates
from jaxhpo.training.run.candidates import OPEN, with_candidate, with_outputs
from jaxhpo.training.run.layout import Layout
from jaxhpo.training.run.state import NetworkWeights, Weights
from jaxhpo.training.step.folds import FoldSizes
from jaxhpo.tuning.ensemble import choose_members, level_with


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


# --- the mean ------------------------------------------------------------------------------------------------------


def test_logits_become_those_of_the_mean_probabilities():
    random = np.random.default_rng(0)
    each = [random.normal(size=(7, 3)).astype(np.float32) * 3 + shift for shift in (0, 50, -50)]
    weights = [0.5, 0.3, 0.2]
    found = average(each, weights, PROBABILITIES)
    expected = sum(w * softmax(z.astype(np.float64)) for w, z in zip(weights, each, strict=True))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found.astype(np.float64)), expected, rtol=1e-6)
    # By hand: (3/4, 1/4) and (1/4, 3/4), one part and three.
    both = [np.log(np.array([[3.0, 1.0]])), np.log(np.array([[1.0, 3.0]]))]
    np.testing.assert_allclose(np.exp(average(both, [0.25, 0.75], PROBABILITIES)), [[3 / 8, 5 / 8]], rtol=1e-6)


def test_outputs_of_any_form_become_their_mean():
    first = {"a": np.array([[1.0, 2.0]], np.float32), "b": (np.array([4.0], ml_dtypes.bfloat16),)}
    second = {"a": np.array([[5.0, 0.0]], np.float32), "b": (np.array([8.0], ml_dtypes.bfloat16),)}
    found = average([first, second], [0.75, 0.25], OUTPUTS)
    assert found["a"].tolist() == [[2.0, 1.5]]
    assert found["b"][0].tolist() == [5.0]
    assert (found["a"].dtype, found["b"][0].dtype) == (np.float32, np.float32)
    assert average([first], [1.0], OUTPUTS) is first
    assert average([np.ones((1, 2))], [1.0], PROBABILITIES).tolist() == [[1.0, 1.0]]


def test_extreme_logits_give_numbers():
    large = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0], [3e38, -3e38, 0.0]], np.float32)
    never = np.array([[0.0, 0.0, -np.inf]] * 3, np.float32)
    with warnings.catch_warnings(action="error"):
        alike = average([large, large], [0.5, 0.5], PROBABILITIES)
        mixed = average([large, never], [0.5, 0.5], PROBABILITIES)
        impossible = average([never, never], [0.5, 0.5], PROBABILITIES)
    assert not np.isnan(alike).any()
    np.testing.assert_allclose(softmax(alike.astype(np.float64)), [[1, 0, 0], [0, 1, 0], [1, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(softmax(mixed.astype(np.float64))[:2], [[0.75, 0.25, 0], [0.25, 0.75, 0]], rtol=1e-6)
    np.testing.assert_allclose(softmax(impossible), [[0.5, 0.5, 0]] * 3, rtol=1e-6)


@settings(deadline=None, max_examples=50)
@given(
    logits=st.lists(st.lists(st.floats(-1e4, 1e4, width=32), min_size=3, max_size=3), min_size=2, max_size=5),
    shares=st.lists(st.floats(0.01, 1.0), min_size=5, max_size=5),
)
def test_means_are_probabilities_whatever_the_logits(logits, shares):
    weights = np.array(shares[: len(logits)]) / sum(shares[: len(logits)])
    found = average([np.array([row], np.float32) for row in logits], weights.tolist(), PROBABILITIES)
    expected = sum(w * softmax(np.array([row])) for w, row in zip(weights, logits, strict=True))
    np.testing.assert_allclose(np.exp(found.astype(np.float64)), expected, rtol=1e-4, atol=1e-9)


# --- resamplings ---------------------------------------------------------------------------------------------------


@functools.partial(jax.jit, static_argnums=0)
def traced(metric, outputs, y):
    return resampled(METRICS[metric].function, outputs, y)


@pytest.mark.parametrize(("examples", "samples"), [(10, 64), (2000, 64), (4000, 32), (8000, 16), (60_000, 16)])
def test_many_examples_have_fewer_resamplings(examples, samples):
    assert samples_for(examples, SAMPLES) == samples
    assert samples_for(examples, SAMPLES_ON_ARRAYS) == min(samples, 32)


def test_the_error_of_accuracy_is_that_of_a_share():
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 400).astype(np.int32)
    said = np.where(random.random(400) < 0.8, y, 1 - y)
    outputs = np.eye(2, dtype=np.float32)[said]
    share = np.mean(said == y)
    score, scores = traced("accuracy", outputs[None], y)
    assert score == pytest.approx(share, rel=1e-6)
    assert scores.shape == (SAMPLES,)
    assert error_of(np.asarray(scores)) == pytest.approx(math.sqrt(share * (1 - share) / 400), rel=0.25)
    called, on_arrays = resampled_on_arrays(lambda o, y: float(np.mean(np.argmax(o, 1) == y)), [outputs], y)
    assert called == pytest.approx(share)
    assert on_arrays.shape == (SAMPLES_ON_ARRAYS,)
    assert error_of(on_arrays) == pytest.approx(math.sqrt(share * (1 - share) / 400), rel=0.4)


@pytest.mark.parametrize("kind", ["traced", "arrays"])
def test_several_networks_have_the_mean_of_their_scores_on_the_same_rows(kind):
    random = np.random.default_rng(1)
    y = random.normal(size=60).astype(np.float32)
    outputs = [y + random.normal(size=60).astype(np.float32) * s for s in (0.1, 2.0)]

    def of(several):
        if kind == "arrays":
            return resampled_on_arrays(lambda o, y: float(np.mean(np.abs(o - y))), several, y)
        return jax.tree.map(np.asarray, traced("mae", np.stack(several), y))

    both, first, second = of(outputs), of(outputs[:1]), of(outputs[1:])
    assert both[0] == pytest.approx(np.mean([np.abs(o - y).mean() for o in outputs]), rel=1e-5)
    np.testing.assert_allclose(both[1], (first[1] + second[1]) / 2, rtol=1e-5)  # paired
    assert len(set(np.round(both[1], 6).tolist())) > len(both[1]) // 2
    shifted = of([outputs[0] + 0, outputs[0] + 0])
    np.testing.assert_allclose(shifted[1], first[1], rtol=1e-6)


def test_a_sample_that_a_metric_cannot_score_is_left_out():
    """One of six examples is of class 1: a third of the resamplings lack it."""
    y = np.array([0, 0, 0, 0, 0, 1], np.int32)
    outputs = np.array([[1, 0], [2, 0], [0, 1], [3, 0], [1, 0], [0, 0.5]], np.float32)
    score, scores = traced("roc_auc", outputs[None], y)
    assert score == pytest.approx(4 / 5)
    lacking = np.isnan(scores)
    assert 5 < lacking.sum() < SAMPLES - 5
    assert error_of(np.asarray(scores)) == pytest.approx(np.std(np.asarray(scores)[~lacking], ddof=1))

    def strict(outputs, y):
        if len(set(y.tolist())) < 2:
            raise ValueError("one class")
        warnings.warn("a word of a library", UserWarning, stacklevel=2)
        return float(np.mean(outputs[y == 1, 1]) - np.mean(outputs[y == 0, 1]))

    with pytest.warns(UserWarning, match="a word of a library") as caught:
        score, scores = resampled_on_arrays(strict, [outputs], y)
    assert len(caught) == 1  # of all the examples; of each resampling it would be the same word again
    assert score == pytest.approx(0.5 - 1 / 5)
    assert 0 < np.isnan(scores).sum() < SAMPLES_ON_ARRAYS
    assert error_of(scores) == pytest.approx(np.nanstd(scores, ddof=1))
    with pytest.raises(ValueError, match="one class"):
        resampled_on_arrays(strict, [outputs], np.zeros(6, np.int32))


@pytest.mark.parametrize("scores", [[], [0.5], [0.5, math.nan], [math.nan] * 4, [math.inf, 0.5]])
def test_an_error_needs_two_finite_scores(scores):
    assert math.isnan(error_of(np.array(scores)))


def test_infinite_scores_are_left_out():
    assert error_of(np.array([1.0, 3.0, math.inf, math.nan])) == pytest.approx(math.sqrt(2))


# --- lanes of a trial ----------------------------------------------------------------------------------------------


def test_the_lanes_of_folds_are_one_network_s_outputs():
    layout = Layout(3, Folds.in_order(3, 8), PROBABILITIES)
    lanes = [{"z": np.array(values, np.float32)} for values in ([0, 1, -9], [2, 3, 4], [5, 6, 7])]
    (found,) = layout.networks_outputs(lanes)
    assert found["z"].tolist() == list(range(8))  # -9 is of the row that the small fold lacks
    assert layout.outputs([found]) is found
    assert layout.mean(np.array([1.0, 2.0, 4.0], np.float32)) == pytest.approx((2 * 1 + 3 * 2 + 3 * 4) / 8)
    assert layout.fold_sizes == FoldSizes(8, 3)


def test_the_lanes_of_repeats_are_networks_of_their_own():
    layout = Layout(2, None, OUTPUTS)
    lanes = [np.array([1.0, 2.0], np.float32), np.array([3.0, 0.0], np.float32)]
    assert layout.networks_outputs(lanes) == lanes
    assert layout.outputs(lanes).tolist() == [2.0, 1.0]
    assert layout.mean(np.array([1.0, 2.0], np.float32)) == 1.5


# --- candidates ----------------------------------------------------------------------------------------------------


def weights(trial, loss, size=1, score=0.0, rank=None):
    networks = (NetworkWeights({"w": np.zeros(size, np.uint8)}, ()),)
    return Weights(trial, score, score if rank is None else rank, loss, 0, networks, np.zeros(1, np.float32))


def gather(found):
    kept, end = (), OPEN
    for one in found:
        kept, end = with_candidate(kept, end, one)
    return kept


LOSSES = st.lists(st.sampled_from([0.1, 0.2, 0.2, 0.3, 0.4, 0.5]), min_size=1, max_size=45)


@settings(deadline=None, max_examples=50)
@given(losses=LOSSES, random=st.randoms(use_true_random=False))
def test_the_lowest_losses_are_kept_in_whatever_order_they_come(losses, random):
    trials = [weights(trial, loss) for trial, loss in enumerate(losses)]
    expected = sorted(range(len(losses)), key=lambda trial: (losses[trial], trial))[:32]
    random.shuffle(trials)
    assert [one.trial for one in gather(trials)] == expected


@settings(deadline=None, max_examples=50)
@given(
    facts=st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.4]), st.integers(1, 12)), min_size=1, max_size=12),
    random=st.randoms(use_true_random=False),
)
def test_a_bound_on_bytes_keeps_the_same_ones_in_whatever_order_they_come(facts, random):
    trials = [weights(trial, loss, size) for trial, (loss, size) in enumerate(facts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "MOST_BYTES", 20)
        once = gather(trials)
        random.shuffle(trials)
        assert [one.trial for one in gather(trials)] == [one.trial for one in once]
    assert sum(one.bytes for one in once) <= 20


def test_the_bounds_by_hand(monkeypatch):
    monkeypatch.setattr(candidates, "MOST_BYTES", 10)
    kept = gather([weights(0, 0.3, 4), weights(1, 0.1, 4), weights(2, 0.2, 4)])
    assert [one.trial for one in kept] == [1, 2]
    assert gather([weights(0, 0.1, 11)]) == ()
    outputs = {}
    for trial in range(4):
        outputs = with_outputs(outputs, trial, {"a": np.zeros(2, np.uint8), "b": np.zeros(2, np.uint8)})
    assert sorted(outputs) == [0, 1]
    before = dict(outputs)
    assert with_outputs(outputs, 1, {"a": np.ones(4, np.uint8)})[1]["a"].sum() == 4
    assert with_outputs(before, 0, np.zeros(11, np.uint8)) == before


# --- members of an ensemble ----------------------------------------------------------------------------------------


EXAMPLES = 16  # of which a loss is 1 / 10 above another: its weight is exp(-0.2) of it


def state_of(kept, outputs=None):
    outputs = dict.fromkeys((one.trial for one in kept), 0) if outputs is None else outputs
    data = SimpleNamespace(valid=SimpleNamespace(y=np.zeros(EXAMPLES, np.int32)))
    return SimpleNamespace(candidates=tuple(kept), outputs=outputs, data=data)


def chain(*sources):
    return [SimpleNamespace(trial=trial, source=source) for trial, source in enumerate(sources)]


def test_members_are_the_lowest_losses():
    kept = [weights(trial, loss) for loss, trial in [(0.1, 3), (0.2, 0), (0.2, 4), (0.5, 1)]]
    finished = chain(-1, -1, -1, -1, -1)
    assert [one.trained.trial for one in choose_members(state_of(kept), finished)] == [3, 0, 4, 1]
    assert [one.trained.trial for one in choose_members(state_of(kept), finished, 2)] == [3, 0]


def test_a_member_s_weight_falls_with_its_loss():
    kept = [weights(trial, loss) for trial, loss in enumerate([0.1, 0.2, 0.6, 3.7])]  # exp of 0, -.2, -1, -7.2
    members = choose_members(state_of(kept), chain(-1, -1, -1, -1))
    raw = np.exp([0.0, -0.2, -1.0])  # the last has less than a thousandth of the first
    np.testing.assert_allclose([one.share for one in members], raw / raw.sum(), rtol=1e-6)
    alone = [weights(0, 0.1), weights(1, 9.0)]
    assert [one.share for one in choose_members(state_of(alone), chain(-1, -1))] == [1.0]


def test_trials_that_continue_one_another_count_once():
    """Of 0 - 2 - 5, of 0 - 3, which are one training at its start, and of 1 - 4, the best of each."""
    finished = chain(-1, -1, 0, 0, 1, 2, -1)
    kept = [weights(trial, i / 10) for i, trial in enumerate((2, 5, 4, 3, 1, 6, 0))]
    assert [one.trained.trial for one in choose_members(state_of(kept), finished)] == [2, 4, 6]


def test_members_whose_outputs_are_not_kept_make_room():
    kept = [weights(trial, trial / 10) for trial in range(5)]
    finished = chain(*[-1] * 5)
    found = choose_members(state_of(kept, {0: 0, 2: 0, 4: 0}), finished, 2)
    assert [one.trained.trial for one in found] == [0, 2]


FEW = {
    "none": ((), chain(), r"an ensemble needs two trainings or more, and the weights of no trial are here"),
    "one": ((weights(0, 0.1),), chain(-1), r"and the weights of 1 trial are here; run more trials"),
    "one chain": ((weights(1, 0.1), weights(0, 0.2)), chain(-1, 0), r"and the weights of 1 trial are here"),
}


@pytest.mark.parametrize("case", FEW)
def test_fewer_than_two_are_refused(case):
    kept, finished, message = FEW[case]
    with pytest.raises(ValueError, match=message):
        choose_members(state_of(kept), finished)


@pytest.mark.parametrize("size", [1, 0, 33, 2.0, True, None])
def test_a_size_out_of_range_is_named(size):
    kept = [weights(trial, 0.1) for trial in range(3)]
    with pytest.raises(ValueError, match=rf"size={size} must be"):
        choose_members(state_of(kept), chain(-1, -1, -1), size)


def test_level_is_within_an_error_of_the_paired_difference():
    """Against NumPy on the same rows: a trial that is wrong where the winner is wrong is not level, another may be."""
    random = np.random.default_rng(3)
    y = random.integers(0, 2, 300).astype(np.int32)

    def wrong(rows):
        said = y.copy()
        said[rows] = 1 - said[rows]
        return np.eye(2, dtype=np.float32)[said]

    outputs = {
        0: wrong(np.r_[0:40]),
        1: wrong(np.r_[0:44]),  # 4 errors more, and all else alike: the difference is 4 with an error of 2
        2: wrong(np.r_[100:144]),  # 4 more among others: the difference is 4 with an error of some 9
        3: wrong(np.r_[100:160]),
        4: wrong(np.r_[0:40]),
    }

    def scores_of(several, y):
        score, scores = traced("accuracy", np.stack(several), y)
        return float(score), np.asarray(scores)

    trainer = SimpleNamespace(scores=SimpleNamespace(resampled=scores_of), goal=SimpleNamespace(sign=1.0))
    state = SimpleNamespace(outputs=outputs, data=SimpleNamespace(valid=SimpleNamespace(y=y)))
    rows = np.asarray(jax.random.randint(jax.random.key(0, impl="threefry2x32"), (SAMPLES, 300), 0, 300, jnp.int32))
    right = {trial: (said.argmax(1) == y).astype(float) for trial, said in outputs.items()}
    expected = []
    for trial in (1, 2, 3, 4):
        gap = right[0] - right[trial]
        if gap.mean() <= np.std(gap[rows].mean(1), ddof=1):
            expected.append(trial)
    told = [SimpleNamespace(trial=trial, score=float(own.mean())) for trial, own in right.items()]
    told.append(SimpleNamespace(trial=5, score=math.nan))
    assert level_with(trainer, state, 0, told) == expected == [2, 4]
    losses = SimpleNamespace(scores=trainer.scores, goal=SimpleNamespace(sign=-1.0))  # lower is better: all others win
    assert level_with(losses, state, 0, told) == [1, 2, 3, 4]
    assert level_with(trainer, state, 9, told) == []
