"""`folds=` and `repeats=`: which hold, what a network is made for, and what the trainer is told."""

import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo.cli.options import read_options
from jaxhpo.data.folds import make_folds
from jaxhpo.data.splits import three_way
from jaxhpo.tuning import Options, Tuning, options
from jaxhpo.tuning.training_length import training_length
from jaxhpo.tuning.workloads import TrainingWorkload

X, Y = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32), np.arange(100) % 2
OWN = X, Y
GIVEN = jh.data.from_arrays(X, Y, test=OWN, valid=OWN)
QUICK = {"cache": False, "epochs": 1}


@pytest.fixture(autouse=True)
def eight_lanes(monkeypatch):
    """Have a CPU of two cores, whatever there is."""
    monkeypatch.setattr(options, "default_lanes", lambda *_: 8)


def workload(data, **given):
    return TrainingWorkload(data, Options(**QUICK, **given))


# --- which hold -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "given", "held"),  # folds, repeats, trials, lanes
    [
        (OWN, {}, (5, 1, 16, 2)),
        (OWN, {"folds": 1}, (1, 1, 32, 8)),
        (OWN, {"folds": 2}, (2, 1, 16, 4)),
        (OWN, {"folds": 2, "repeats": 1}, (2, 1, 16, 4)),
        (OWN, {"repeats": 3}, (1, 3, 16, 2)),  # instead of the folds that would have been
        (OWN, {"repeats": 3, "folds": 1}, (1, 3, 16, 2)),
        (OWN, {"trials": 40, "lanes": 10}, (5, 1, 40, 10)),
        ((X, Y * 1.5), {"task": "regression", "folds": 8}, (8, 1, 16, 2)),
        (jh.data.from_arrays(X, Y, test=OWN), {}, (5, 1, 16, 2)),
        (jh.data.load(OWN), {}, (5, 1, 16, 2)),
        (GIVEN, {}, (1, 1, 32, 8)),
        ("digits", {"model": "mlp"}, (1, 1, 32, 8)),
        ("digits", {"model": "mlp", "folds": 3}, (3, 1, 16, 2)),
        ((X[:20], [0, 1, 2, 1, 0] * 4), {}, (3, 1, 16, 2)),  # class 2 has four, of which one is for the test
        ((np.zeros((10_002, 1), np.float32), np.arange(10_002) % 2), {}, (1, 1, 32, 8)),
        ((np.zeros((10_000, 1), np.float32), np.arange(10_000) % 2), {}, (5, 1, 16, 2)),
    ],
)
def test_folds_follow_from_data_and_trials_and_lanes_from_folds(data, given, held):
    found = workload(data, **given)
    assert (found.folds, found.repeats, found.trials, found.lanes) == held


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": 0}, "folds=0 must be an integer of at least 1"),
        ({"folds": 2.0}, "folds=2.0 must be an integer of at least 1"),
        ({"folds": True}, "folds=True must be an integer of at least 1"),
        ({"folds": 65}, "folds=65 must be an integer of at most 64"),
        ({"repeats": None}, "repeats=None must be an integer of at least 1"),
        ({"repeats": 0}, "repeats=0 must be an integer of at least 1"),
        ({"folds": 5, "repeats": 3}, "folds=5 cannot go with repeats=3; leave out one of them"),
    ],
)
def test_what_cannot_be_is_refused_before_data_are_read(given, message):
    with pytest.raises(ValueError) as error:
        jh.tune("/nowhere.csv", verbose=False, cache=False, **given)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            GIVEN,
            "folds=5 deals validation examples out anew, and those of 'arrays' were given; use folds=1, or give none",
        ),
        (
            (X[:20], ["a", "b", "c", "b", "a"] * 4),
            "folds=5 exceeds the 3 training and validation examples of class 'c'; use at most 3",
        ),
    ],
)
def test_what_data_do_not_allow_is_refused(data, message):
    with pytest.raises(ValueError) as error:
        jh.tune(data, folds=5, verbose=False, cache=False)
    assert str(error.value) == message


# --- what a network is made for ---------------------------------------------------------------------------------------


def test_the_network_is_made_for_the_last_fold():
    tuning = Tuning(OWN, Options(model="mlp", seed=3, cache=False))
    whole = jh.data.load(OWN, seed=3)
    made = make_folds(whole, 5, 3)
    trainer = tuning.study.trainer
    folds, data = trainer.layout.folds, trainer.data
    assert trainer.layout.copies == 5
    assert (folds.count, folds.sizes, folds.rows.tolist()) == (5, (16,) * 5, [*range(80)])
    assert (len(data.y_train), len(data.y_valid), len(data.y_test)) == (64, 16, 20)
    for found, wanted in zip(folds.pool(data), made.pool(whole), strict=True):
        np.testing.assert_array_equal(found, wanted)
    for name, values in made.moments(whole).items():
        np.testing.assert_array_equal(folds.moments(data)[name], values)
    assert tuning.workload.budget == training_length(64, None, checkpoint="best").epochs


def test_the_training_length_follows_from_the_examples_that_a_fold_trains_on():
    x, y = np.zeros((5000, 1), np.float32), np.arange(5000) % 2
    for folds, examples in ((1, 3000), (2, 2000), (5, 3200)):
        found = TrainingWorkload((x, y), Options(cache=False, folds=folds))
        assert found.budget == training_length(examples, None, checkpoint="best").epochs


def test_the_seed_deals_ones_own_data_and_folds_of_named_data_are_fixed():
    for data, given, alike in ((OWN, {}, False), ("digits", {"model": "mlp", "folds": 2}, True)):
        one, other = (workload(data, seed=seed, **given)._family.data for seed in (0, 1))
        assert np.array_equal(one.x_valid, other.x_valid) == alike


FRAME = pd.DataFrame({"size": np.arange(20) % 7, "colour": ["red", "blue"] * 10, "label": np.arange(20) % 2})
_, VALID, TEST = three_way(FRAME["label"].to_numpy(np.int32), 0)
FRAME.loc[VALID[0], "colour"], FRAME.loc[TEST[0], "colour"] = "gold", "silver"


@pytest.mark.parametrize("door", ["frame", "data set", "command"])
def test_a_category_of_validation_rows_has_a_feature_with_folds(door, tmp_path):
    data, given = FRAME, {}
    if door == "data set":
        data = jh.data.load(FRAME)
    elif door == "command":
        FRAME.to_csv(tmp_path / "t.csv", index=False)
        data, given = read_options(str(tmp_path / "t.csv"), {"columns": ["size=number"]})
        given = {"seed": given.seed}
    plain, folded = (workload(data, folds=folds, **given)._family.data for folds in (1, 3))
    assert plain.feature_names == ("size", "colour=blue", "colour=red")
    assert folded.feature_names == ("size", "colour=blue", "colour=gold", "colour=red")
    loaded = jh.data.load(FRAME)
    for part in ("train", "valid", "test"):  # without folds as ever
        np.testing.assert_array_equal(getattr(plain, f"x_{part}"), getattr(loaded, f"x_{part}"))
    assert plain._pooled is folded._pooled is None  # the table is let go


# --- what is told -----------------------------------------------------------------------------------------------------


def test_folds_are_said_and_written():
    tuning = Tuning(OWN, Options(model="mlp", **QUICK))
    assert tuning.overview[:2] == [
        "arrays: 100 rows of 3 numbers, 2 classes (50.0% to 50.0%); 80 examples in 5 folds, 20 test",
        "mlp, trained up to 1 epoch; 9 hyperparameters; 16 trials of 5 folds, 2 at a time",
    ]
    header = tuning._header()
    assert (header["folds"], header["repeats"], header["train_examples"]) == (5, 1, 64)


def test_repeats_are_said_and_told():
    tuning = Tuning("digits", Options(model="mlp", repeats=3, **QUICK))
    trainer = tuning.study.trainer
    assert (trainer.layout.copies, trainer.layout.folds) == (3, None)
    assert len(trainer.data.y_train) == 1077
    assert tuning.overview[0].endswith("1,077 train, 360 validation, 360 test")
    assert tuning.overview[1].endswith("; 16 trials of 3 trainings, 2 at a time")
    assert (tuning.workload.about()["folds"], tuning.workload.about()["repeats"]) == (1, 3)


def test_without_folds_and_repeats_a_trial_is_one_lane():
    tuning = Tuning(OWN, Options(model="mlp", folds=1, repeats=1, **QUICK))
    assert (tuning.study.trainer.layout.copies, tuning.study.trainer.layout.folds) == (1, None)
    assert (tuning.trials, tuning.study.lanes) == (32, 8)
    assert tuning.overview[0].endswith("60 train, 20 validation, 20 test")
