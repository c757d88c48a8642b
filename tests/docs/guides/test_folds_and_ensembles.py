"""What the guide to folds and ensembles says is so."""

import inspect
import math
import re

import jax.numpy as jnp
import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.data import splits
from jaxhpo.data.folds import DEFAULT_FOLDS, MOST_EXAMPLES, default_folds, make_folds
from jaxhpo.report import console
from jaxhpo.training.goal import resampling
from jaxhpo.training.run import candidates
from jaxhpo.training.run.state import TrainerState, Weights
from jaxhpo.training.step.examples import Split, TrainingData
from jaxhpo.tuning import ensemble, training_study
from jaxhpo.tuning.options import _LEAST_LANES, DEFAULT_FOLDED, DEFAULT_TRAININGS
from tests.docs import pages

PAGE = pages.read("docs/guides/folds_and_ensembles.md")
WORDS = " ".join(PAGE.split())


def table(titles):
    """Return the rows of the table that has these titles, a list of cells each."""
    lines = PAGE[PAGE.index(f"| {titles} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


# --- folds ---------------------------------------------------------------------------------------------------------


def labelled(examples, rarest=None, **options):
    """Return a data set of two classes, whose second has `rarest` of the examples that are not of the test."""
    y = np.arange(examples) % 2 if rarest is None else (np.arange(examples) < rarest + 1).astype(int)
    return jh.data.from_arrays(np.zeros((examples, 1), np.float32), y, **options)


def test_the_folds_that_there_are_unless_given():
    rows = dict(table("data | `folds` unless given"))
    assert list(rows.values()) == [
        "5",
        "as many as these, and 1 below 3",
        "1; others may be given",
        "1; others are refused",
        "1; others may be given",
        "1; others are refused",
    ]
    assert DEFAULT_FOLDS == 5
    assert f"up to {MOST_EXAMPLES:,} training and validation examples" in next(iter(rows))
    own = np.zeros((10, 1)), np.arange(10) % 2
    assert [default_folds(labelled(n)) for n in (50, 10_000, 10_002)] == [5, 5, 1]
    assert [default_folds(labelled(50, rarest)) for rarest in (4, 3, 2)] == [4, 3, 1]
    assert default_folds(labelled(50, test=own, valid=own)) == 1
    assert default_folds(jh.data.load("digits")) == 1
    assert len(make_folds(jh.data.load("digits"), 5, 0).sizes) == 5
    assert len(make_folds(labelled(10_002), 5, 0).sizes) == 5


def test_trials_and_lanes_unless_given():
    assert f"a study has {DEFAULT_FOLDED} trials unless you say otherwise" in WORDS
    assert _LEAST_LANES == 2
    assert "On a CPU two of them run at a time" in WORDS


def test_the_shares_of_the_data_and_the_arithmetic():
    rest = 1 - splits.TEST
    train, held = rest - splits.VALID, splits.VALID
    fold = rest / DEFAULT_FOLDS
    assert math.isclose(train, 0.6)
    told = {what: (plain, folded) for what, plain, folded in table("of a trial | `folds=1` | `folds=5`")}
    assert told["networks"] == ("1", str(DEFAULT_FOLDS))
    assert told["training examples of each"] == (f"{train:.0%}", f"{rest - fold:.0%}")
    assert told["examples that each is evaluated on after an epoch"] == (f"{held:.0%}", f"{fold:.0%}")
    training = DEFAULT_FOLDS * (rest - fold) / train
    assert told["arithmetic of an epoch's training"] == ("1", f"5 x 64 / 60 = {training:.2f}")
    assert told["arithmetic of an epoch's evaluation"] == ("1", f"5 x 16 / 20 = {DEFAULT_FOLDS * fold / held:.0f}")
    assert told["trials of a study, unless given"] == (str(DEFAULT_TRAININGS), str(DEFAULT_FOLDED))
    study = f"{DEFAULT_FOLDED} x {training:.2f} / {DEFAULT_TRAININGS} = "
    assert told["arithmetic of the training of so many trials"][1].startswith(study)
    assert study + f"{DEFAULT_FOLDED * training / DEFAULT_TRAININGS:.2f}" in PAGE
    data = labelled(100)
    sizes = [len(make_folds(data, 5, 0).dataset(data, fold).y_train) for fold in range(5)]
    assert (len(data.y_train), sizes) == (60, [64] * 5)


def test_the_test_examples_are_those_without_folds():
    x, y = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32), np.arange(60) % 3
    data = jh.data.load((x, y), seed=4)
    folded = make_folds(data, 3, 4).last(data.pooled())
    np.testing.assert_array_equal(folded.x_test, data.x_test)
    np.testing.assert_array_equal(folded.y_test, data.y_test)


def test_the_standard_error_is_of_as_many_draws():
    assert f"over {resampling.SAMPLES} random draws" in WORDS
    assert f"Metrics on arrays have {resampling.SAMPLES_ON_ARRAYS} draws" in WORDS
    assert f"beyond 2,000 examples there are fewer, down to {resampling.FEWEST}" in WORDS
    each = [resampling.samples_for(examples, resampling.SAMPLES) for examples in (2000, 2100, 10**6)]
    assert each[0] == resampling.SAMPLES > each[1] > each[2] == resampling.FEWEST
    right, ones = jnp.arange(400) < 320, jnp.ones(400, bool)
    score, scores = resampling.resampled(lambda outputs, y: (outputs == y).mean(), right[None], ones)
    assert float(score) == pytest.approx(0.8)
    assert resampling.error_of(np.asarray(scores)) == pytest.approx(math.sqrt(0.8 * 0.2 / 400), rel=0.3)


# --- ensembles -----------------------------------------------------------------------------------------------------


def weights(trial, loss):
    return Weights(trial, 0.5, 0.5, loss, 0, (), np.zeros(1, np.float32))


def state_of(losses, examples):
    """Return the state of a trainer whose trials have these losses."""
    split = Split(np.zeros((examples, 1), np.float32), np.zeros(examples, np.int32))
    kept = tuple(sorted((weights(i, loss) for i, loss in enumerate(losses)), key=lambda one: one.loss))
    outputs = {i: np.zeros((examples, 2), np.float32) for i in range(len(losses))}
    data = TrainingData(split, split, offset=np.zeros(1), scale=np.ones(1))
    return TrainerState(data, kept[0] if kept else None, kept, outputs=outputs)


def finished(sources):
    fixed = {"config": {}, "score": 0.5, "budget": 1, "round": 0, "lane": 0, "seconds": 0.0, "point": np.zeros(1)}
    return [jh.Trial(trial=i, source=source, aux={}, **fixed) for i, source in enumerate(sources)]


def test_the_members_and_their_weights():
    assert "the ten trials with the lowest validation losses" in WORDS
    assert inspect.signature(jh.TrainingStudy.ensemble).parameters["size"].default == ensemble.SIZE == 10
    losses = [0.5 + 0.01 * i for i in range(20)]
    found = ensemble.choose_members(state_of(losses, 80), finished([-1] * 20))
    assert [one.trained.trial for one in found] == list(range(10))
    assert "$e^{-d n / 8}$" in PAGE
    raw = np.exp(-0.01 * np.arange(10) * 80 / 8)
    np.testing.assert_allclose([one.share for one in found], raw / raw.sum())
    assert "less than a thousandth of the largest weight are left out" in WORDS
    ten = math.log(1000) * 8 / 80  # above the lowest loss: a thousandth of its weight
    for loss, members in ((0.5 + 0.99 * ten, 2), (0.5 + 1.01 * ten, 1)):
        assert len(ensemble.choose_members(state_of([0.5, loss], 80), finished([-1, -1]))) == members


@pytest.mark.parametrize(
    ("losses", "sources", "there"), [([], [], "no trial"), ([0.5], [-1], "1 trial"), ([0.5, 0.4], [-1, 0], "1 trial")]
)
def test_there_is_no_ensemble_of_one_training(losses, sources, there):
    assert "an error where fewer than two trainings have weights" in WORDS
    assert "only the best of a chain can be a member" in WORDS
    with pytest.raises(ValueError, match=f"needs two trainings or more, and the weights of {there} are here"):
        ensemble.choose_members(state_of(losses, 80), finished(sources))


def test_what_is_kept():
    assert f"The weights of {candidates.MOST} trials are kept" in WORDS
    assert candidates.MOST_BYTES == 2**30
    assert "at most a GiB of them. So is a GiB of predictions" in WORDS


@pytest.mark.slow
def test_what_a_study_with_folds_has(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32), np.arange(60) % 2
    space = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True), "units": jh.Choice((4,))})
    study = jh.tune((x, y), space=space, folds=3, trials=4, epochs=4, verbose=False)
    told = [
        name for row in table("key of `winner` and `ensemble` | what it is") for name in re.findall(r"`(\w+)`", row[0])
    ]
    winner, together = study.summary["winner"], study.summary["ensemble"]
    assert set(told) == winner.keys() | together.keys()
    assert set(told) - winner.keys() == {"trials", "weights"}
    assert set(told) - together.keys() == {"trial", "config", "optimism"}
    best = study.finished[study.winner.trial]
    assert [name for name, values in best.aux.items() if values.shape[:1] != (3,)] == ["checkpoint_loss"]
    assert study.best_model().weights == pytest.approx((1 / 3,) * 3)

    def instead(trainer, config, *, epochs, seeds, seed):
        assert epochs == np.median(best.aux["checkpoint"])
        return jh.FinalFit(config, "accuracy", (0.5,), (study.ensemble(2),))

    assert "It has the median of their best epochs" in WORDS
    monkeypatch.setattr(training_study, "final_fit", instead)
    assert study.final_fit(1).mean == 0.5


def test_the_lines_at_the_end_are_those_of_the_console():
    shown = re.search(r"```text\n(ensemble\nmodels\.json\nwinner\n.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    lines = shown[1].splitlines()
    both = {"score": 0.9846, "test_score": 0.9474, "networks": 5, "parameters": 10_570, "flop": 5, "loss": 0.079}
    together = both | {"trials": [*range(8)], "test_score": 0.9561, "networks": 40, "flop": 40, "loss": 0.062}
    models = {"winner": both | {"trial": 6}, "ensemble": together, "recommended": "ensemble"}
    corrected = re.search(r"corrected for choosing: winner ([\d.]+), ensemble ([\d.]+)\.", shown[1])
    assert corrected is not None
    for one, score in zip((models["winner"], models["ensemble"]), corrected.groups(), strict=True):
        one |= {"corrected_score": float(score), "gain": None, "gain_standard_error": None}
    better = re.search(r"made the winner look ([\d.]+) better", shown[1])
    models["winner"]["optimism"] = None if better is None else float(better[1])
    summary = {"metric": "accuracy", "level": 3, "few_examples": "Few examples" in shown[1], "trials": 8} | models
    assert console._model_lines(summary) == lines[4:-1]
    assert lines[-1].endswith("jaxhpo.load_model reads the recommended one, ensemble.")
