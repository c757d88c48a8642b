"""Scores that are corrected for choosing."""

import functools
import math
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

import jaxhpo as jh
from jaxhpo.tuning import correction
from jaxhpo.tuning.correction import correct_scores
from tests.training.folded import trainer_of, vectors

ROWS = 100


@functools.cache
def trainer_and_state(targets, **goal):
    trainer = trainer_of(vectors(3 * ROWS, targets=targets), **goal)
    return trainer, trainer.objective.init(jax.random.key(0))


class Case:
    """A study of which only the outputs are known: [T, 100, ...]; the scores are those of the outputs."""

    def __init__(self, outputs, *, targets=None, roots=None, **goal):
        self.trainer, state = trainer_and_state(targets, **goal)
        self.y = np.asarray(state.data.valid.y)
        assert len(self.y) == ROWS
        known = dict(enumerate(outputs(self.y)))
        self.state = state._replace(outputs=known, cross_fitted=known)
        self.sign = self.trainer.goal.sign
        scores = [self.trainer.scores.score(own, self.y) for own in known.values()]
        sources = [-1] * len(scores) if roots is None else roots
        self.finished = [
            SimpleNamespace(trial=i, score=score, failed=math.isnan(score), source=source)
            for i, (score, source) in enumerate(zip(scores, sources, strict=True))
        ]
        self.winner = int(np.argmax(self.sign * np.array(scores)))

    def correct(self, several=True, default=None, size=3):
        how = {"winner": self.winner, "several": several, "default": default, "size": size}
        return correct_scores(self.trainer, self.state, self.finished, **how)


def logits(*strengths, seed=0):
    """Return what networks say that know the class as well as their strengths."""

    def make(y):
        random = np.random.default_rng(seed)
        made = [random.normal(size=(len(y), 3)) + strength * np.eye(3)[y] for strength in strengths]
        return [own.astype(np.float32) for own in made]

    return make


def log_softmax(values):
    values = values.astype(np.float64)
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def plain(outputs, y, size, default, bags, outs, averages="probabilities"):
    """Return the corrected accuracy of the winner and the ensemble, and their gains, by loops."""
    found = []
    for bag, out in zip(bags, outs, strict=True):
        loss = [-np.mean(log_softmax(own[bag])[np.arange(len(bag)), y[bag]]) for own in outputs]
        right = [np.mean(own[bag].argmax(-1) == y[bag]) for own in outputs]
        best = min(range(len(outputs)), key=lambda i: (-right[i], loss[i]))
        members = sorted(range(len(outputs)), key=lambda i: loss[i])[:size]
        weights = np.exp(-(np.array(loss)[members] - min(loss)) * len(bag) / 8)
        together = sum(w * np.exp(log_softmax(outputs[i][out])) for i, w in zip(members, weights, strict=True))
        found.append(
            [np.mean(one.argmax(-1) == y[out]) for one in (outputs[best][out], together, outputs[default][out])]
        )
    winner, ensemble, base = np.mean(found, 0)
    return winner, ensemble, winner - base, ensemble - base


def test_the_bags_are_parts_of_the_examples():
    bags, outs = correction._bags(100, 7)
    assert (bags.shape, outs.shape) == ((7, 63), (7, 37))
    for bag, out in zip(bags, outs, strict=True):
        assert sorted([*bag, *out]) == list(range(100))
    assert len({tuple(bag) for bag in bags}) == 7


def test_the_choice_is_made_in_the_bag_and_scored_out_of_it():
    case = Case(logits(1.0, 1.2, 0.9, 1.1, 0.5))
    found = case.correct(default=4)
    outputs = [own.astype(np.float64) for own in case.state.outputs.values()]
    winner, ensemble, gain, of_ensemble = plain(outputs, case.y, 3, 4, *correction._bags(ROWS, 192))
    assert found.winner.score == pytest.approx(winner, abs=1e-6)
    assert found.ensemble.score == pytest.approx(ensemble, abs=1e-3)  # equal shares of classes may be rounded apart
    assert found.winner.gain == pytest.approx(gain, abs=1e-6)
    assert found.ensemble.gain == pytest.approx(of_ensemble, abs=1e-3)
    assert found.optimism == pytest.approx(case.finished[case.winner].score - winner, abs=1e-6)
    share = case.finished[case.winner].score
    # That of a share of 100 examples, and of what the choices differ in.
    assert found.winner.standard_error == pytest.approx(math.sqrt(share * (1 - share) / ROWS), rel=0.2)
    assert 0 < found.winner.gain_standard_error < 0.1


@pytest.mark.slow
def test_the_best_of_many_guesses_is_a_guess():
    """Twenty studies of 30 trials that know nothing: the winners look good, and the corrected scores do not."""
    before, after, few = [], [], 0
    case = Case(logits(*[0.0] * 30))
    for seed in range(20):
        known = dict(enumerate(logits(*[0.0] * 30, seed=seed)(case.y)))
        case.state = case.state._replace(outputs=known, cross_fitted=known)
        scores = [case.trainer.scores.score(own, case.y) for own in known.values()]
        case.winner = int(np.argmax(scores))
        found = case.correct(several=False)
        before.append(scores[case.winner])
        after.append(found.winner.score)
        few += found.few_examples
    assert np.mean(before) > 0.41  # a third, and two standard errors
    assert np.mean(after) == pytest.approx(1 / 3, abs=3 * np.std(after, ddof=1) / math.sqrt(20))
    assert few >= 15


def test_a_standard_error_is_that_of_one_score_whatever_is_drawn():
    """Of one trial alone the mean is the share of right answers, and the error that of a share."""
    case = Case(logits(1.0))
    found = case.correct(several=False, default=0)
    share = case.finished[0].score
    assert found.winner.score == pytest.approx(share, abs=0.01)
    assert found.winner.standard_error == pytest.approx(math.sqrt(share * (1 - share) / ROWS), rel=0.1)
    assert (found.winner.gain, found.winner.gain_standard_error) == (0.0, 0.0)


def test_a_trial_that_is_better_everywhere_needs_no_correction():
    case = Case(logits(0.5, 20.0, 0.3, 0.2, 0.1))
    found = case.correct(default=1)
    assert found.winner == (1.0, 0.0, 0.0, 0.0)
    assert (found.default, found.optimism, found.few_examples) == (1.0, 0.0, False)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["rmse", "r2"])
def test_a_gain_is_above_zero_where_it_is_better_whatever_the_metric(metric):
    def outputs(y):
        random = np.random.default_rng(0)
        return [(y + error * random.normal(size=len(y))).astype(np.float32) for error in (2.0, 0.5, 1.0)]

    case = Case(outputs, targets=0, metric=metric)
    found = case.correct(default=0)
    assert case.winner == 1
    assert found.winner.gain > 0
    assert found.ensemble.gain > 0
    error = found.winner.score - found.default if metric == "r2" else found.default - found.winner.score
    assert found.winner.gain == pytest.approx(error, rel=1e-5)


@pytest.mark.slow
def test_a_metric_on_arrays():
    case = Case(logits(1.0, 1.5, 0.5), metric=balanced_accuracy_score)
    found = case.correct(default=2)
    bags, outs = correction._bags(ROWS, 32)
    best = []
    for bag, out in zip(bags, outs, strict=True):
        said = [own.argmax(-1) for own in case.state.outputs.values()]
        losses = [-np.mean(log_softmax(o[bag])[np.arange(63), case.y[bag]]) for o in case.state.outputs.values()]
        chosen = min(range(3), key=lambda i: (-balanced_accuracy_score(case.y[bag], said[i][bag]), losses[i]))
        best.append(balanced_accuracy_score(case.y[out], said[chosen][out]))
    assert found.winner.score == pytest.approx(np.mean(best), abs=1e-6)


def test_trainings_that_continue_one_another_are_one():
    case = Case(logits(1.0, 1.2, 0.9, 1.1, 0.5), roots=[-1, 0, -1, -1, -1])
    assert correction._together(np.array([0.3, 0.1, 0.2]), [0, 0, 2], 3, 10)[0] == [1, 2]
    assert case.correct().ensemble is not None


def test_what_is_not_known_is_not_said():
    case = Case(logits(1.0, 1.2, 0.9, 1.1, 0.5))
    assert case.correct(several=False).ensemble is None
    assert math.isnan(case.correct().winner.gain)
    assert math.isnan(case.correct().default)
    case.state = case.state._replace(cross_fitted={0: case.state.outputs[0]})
    assert case.correct() is None


@pytest.mark.slow
def test_outputs_that_have_no_mean_have_a_winner_alone():
    def loss(outputs, y):
        return jnp.mean(jnp.square(outputs[:, 0].astype(jnp.float32) - y.astype(jnp.float32)))

    def outputs(y):
        return [np.stack([np.maximum(y - i, 0)] * 3, 1).astype(np.int32) for i in (1, 0, 2)]

    found = Case(outputs, loss=loss, metric=loss, minimize=True).correct(default=0)
    assert found.winner.score == 0
    assert found.winner.gain > 0
    assert found.ensemble is None


@pytest.mark.slow
def test_a_failed_trial_is_no_candidate():
    case = Case(logits(1.0, 1.2, 0.4))
    case.finished[2] = SimpleNamespace(trial=2, score=math.nan, failed=True, source=-1)
    del case.state.outputs[2]
    found = case.correct(default=2)
    assert math.isnan(found.winner.gain)
    assert found.winner.score == Case(logits(1.0, 1.2)).correct().winner.score


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"folds": 3, "trials": 4}, {"trials": 1}])
def test_the_summary_has_what_the_study_says(how):
    random = np.random.default_rng(0)
    x = random.normal(size=(150, 4))
    space = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True), "units": jh.Choice((8,))})
    study = jh.tune((x, x[:, 0] > 0), space=space, epochs=4, verbose=False, cache=False, **how)
    corrected, summary = study.corrected_scores(), study.summary
    assert summary["winner"]["corrected_score"] == corrected.winner.score
    assert summary["winner"]["gain"] is None  # the space has no default
    assert summary["default"] is None
    assert summary["few_examples"] == corrected.few_examples
    assert summary["winner"]["optimism"] == corrected.optimism
    if how["trials"] == 1:
        assert corrected.ensemble is summary["ensemble"] is None
    else:
        assert summary["ensemble"]["corrected_score"] == corrected.ensemble.score
    with pytest.raises(ValueError, match="size=1 must be an integer"):
        study.corrected_scores(size=1)
