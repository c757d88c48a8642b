"""The front door, end to end on small real data."""

import errno
import functools
import json
import math
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo import tuning
from jaxhpo.study import Journal
from jaxhpo.training.planning import resources
from jaxhpo.tuning import TrainingStudy
from jaxhpo.tuning.ensemble import Member

# All train the same compiled networks; and but for `study`, by an algorithm that is compiled at once.
DEFAULT = {
    "model": "mlp",
    "trials": 4,
    "lanes": 4,
    "epochs": 3,
    "train_examples": 256,
    "verbose": False,
    "cache": False,
}
SMALL = DEFAULT | {"algorithm": "random_search"}
LARGE_BATCHES = jh.Space({"batch_size": jh.Choice((64, 256))})
SPACE = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True, levels=5), "units": jh.Choice((8, 16))})


@pytest.fixture(scope="module")
def study():
    return jh.tune("digits", **(DEFAULT | {"trials": 10}))


@pytest.fixture(scope="module")
def small():
    return jh.tune("digits", **(SMALL | {"trials": 10}))


@pytest.mark.slow
def test_the_study_says_what_it_found(study):
    assert len(study.trials) == 10
    assert (study.trials[list(study.space)].nunique() > 1).all()  # all eight vary
    assert len(study.space) == 8
    assert study.best.score == study.trials["score"].max()
    assert 0 <= study.best.test_score <= 1
    assert list(study.incumbent) == ["trial", "score", "seconds"]
    assert study.metrics["epsilon"].is_monotonic_decreasing
    assert study.finished[0].aux["curve"].shape == (3,)


def test_the_summary_is_json(small):
    summary = json.loads(json.dumps(small.summary))
    assert summary["best"]["config"] == small.best.config
    assert summary["best"]["score"] == small.best.score
    assert summary["best"]["test_score"] == small.best.test_score
    assert summary["trials"] == 10
    assert set(summary["seconds"]) == {"total", "compile", "train", "algorithm"}
    assert sum(summary["seconds"].values()) <= 2 * summary["seconds"]["total"]
    assert summary["versions"]["jax"]
    assert summary["plan"]["lanes"] == 4


def test_winner_and_ensemble_alone_are_tested_once(monkeypatch):
    calls = []
    original = jh.Trainer.score_weights
    monkeypatch.setattr(jh.Trainer, "score_weights", lambda self, *args: calls.append(args) or original(self, *args))
    study = jh.tune("digits", **SMALL)
    tested = [tuple(one.trial for one in trials) for _, trials, _ in calls]
    models = [(study.best.trial,), tuple(study.summary["ensemble"]["trials"])]
    assert tested == list(dict.fromkeys(models))  # winner and ensemble, once each; one trial may be both
    assert study.best.test_score == study.summary["winner"]["test_score"]
    study.score_test()
    study.score_ensemble()
    assert len(calls) == len(tested)
    assert not any("test" in name for trial in study.finished for name in trial.aux)


@pytest.mark.slow
def test_the_test_score_is_that_of_the_winners_weights(study):
    trainer = jh.Trainer(jh.data.load("digits", train_examples=256), "mlp", epochs=3, lanes=4)
    again = TrainingStudy(trainer, jh.algorithms.make("q_learning", trainer.space, lanes=4, budget=3)).run(10)
    pd.testing.assert_series_equal(again.trials["score"], study.trials["score"])
    best = again.objective_state.best
    assert (best.trial, best.score) == (study.best.trial, study.best.score)
    assert trainer.score_test(again.objective_state) == study.best.test_score
    # By hand: the forward pass of those weights.
    config, data = study.best.config, trainer.data
    h = ((data.x_test.astype(np.float64) - data.offset) * data.scale).reshape(len(data.y_test), -1)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), best.networks[0].params)
    for i in range(config["layers"]):
        h = np.maximum(h @ params[f"hidden_{i}"]["kernel"] + params[f"hidden_{i}"]["bias"], 0)
    logits = h @ params["out"]["kernel"] + params["out"]["bias"]
    assert np.mean(logits.argmax(1) == data.y_test) == pytest.approx(study.best.test_score)


def test_the_report_says_what_was_done(small):
    training = small.summary["training"]
    assert training["trials"] == 10
    assert 0 < training["useful_share"] <= 1
    assert training["useful_gflop"] <= training["total_gflop"]
    assert sum(bucket["trials"] for bucket in training["buckets"]) == 10
    assert all(bucket["compile_seconds"] > 0 for bucket in training["buckets"])
    assert small.summary["plan"]["engine"] == "threads"
    rounds = small.metrics
    for name in ("train_seconds", "compile_seconds", "useful_share", "gflop_per_second", "samples_per_second_per_lane"):
        assert (rounds[name] >= 0).all(), name
    assert rounds["useful_gflop"].sum() == pytest.approx(training["useful_gflop"])


@pytest.mark.slow
def test_a_profile_is_written(tmp_path):
    jh.tune("digits", profile=tmp_path / "trace", **(SMALL | {"trials": 4}))
    assert list((tmp_path / "trace").rglob("*.xplane.pb"))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"profile='.*file' cannot be written: File exists; name a directory"):
        jh.tune("digits", profile=tmp_path / "file", **SMALL)


@pytest.mark.slow
def test_text_end_to_end(tmp_path):
    random = np.random.default_rng(0)
    x = random.integers(1, 30, (120, 8)).astype(np.int32)
    x[:, 6:] = 0
    y = (x[:, 0] > 15).astype(np.int32)
    data = jh.Dataset("text", x[:80], y[:80], x[80:100], y[80:100], x[100:], y[100:], classes=2, vocabulary=30)
    space = jh.Space({"cell": jh.Choice(("gru", "lstm")), "units": jh.Choice((4, 8)), "batch_size": jh.Choice((16,))})
    options = {"algorithm": "random_search", "cache": False, "verbose": False}
    study = jh.tune(data, model="rnn", space=space, trials=4, epochs=2, **options)
    variants = [bucket["variant"] for bucket in study.summary["plan"]["buckets"]]
    assert {variant.get("cell", "gru") for variant in variants} == {"gru", "lstm"}
    assert set(study.trials["cell"]) <= {"gru", "lstm"}
    assert study.trials["score"].notna().all()
    assert study.best.test_score is not None


@pytest.mark.slow
def test_silence(capfd):
    jh.tune("digits", **SMALL)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_own_arrays_space_algorithm_and_configurations():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    mine = {"learning_rate": 0.1, "units": 16}
    study = jh.tune(
        (x, (x[:, 0] > 0).astype(int)),
        space=SPACE,
        algorithm=functools.partial(jh.algorithms.tabular_q, gamma=0.5),
        enqueue=[mine],
        epochs=5,
        trials=6,
        verbose=False,
        cache=False,
    )
    assert study.finished[0].config == mine
    assert list(study.trials.columns[6:8]) == ["learning_rate", "units"]
    assert study.best.score > 0.8
    assert study.lanes == 2  # of five folds each


@pytest.mark.slow
def test_few_examples_need_no_space():
    x = np.random.default_rng(0).normal(size=(50, 3))
    study = jh.tune((x, (x[:, 0] > 0).astype(int)), folds=1, trials=8, epochs=3, verbose=False, cache=False)
    assert study.space["batch_size"] == jh.Choice((2, 4, 8, 16))
    assert study.best.score > 0.4


@pytest.mark.slow
def test_a_timeout_ends_early():
    study = jh.tune("digits", **(SMALL | {"trials": 4000, "timeout": 0.05}))
    assert 4 <= len(study.trials) < 4000
    assert study.best.test_score is not None


@pytest.mark.slow
def test_all_trials_failing_is_said(tmp_path):
    space = jh.Space({"learning_rate": jh.Float(1e28, 1e30, levels=3), "optimizer": jh.Choice(("sgd",))})
    study = jh.tune("digits", **(SMALL | {"space": space}))
    assert study.summary["best"] is None
    assert study.summary["failed"] == 4
    with pytest.raises(ValueError, match="all 4 trials failed"):
        _ = study.best


def test_the_output_file_holds_every_trial(tmp_path):
    path = tmp_path / "study.jsonl"
    study = jh.tune("digits", **SMALL, output=path)
    header, *trials, result = (json.loads(line) for line in path.read_text().splitlines())
    assert header["header"]["space"] == study.space.to_json()
    trials.sort(key=lambda row: row["trial"])  # lines are in the order in which trials finished
    assert [t["score"] for t in trials] == study.trials["score"].tolist()
    assert result["result"]["best"]["test_score"] == study.best.test_score


def test_a_full_disk_loses_no_trial(tmp_path, monkeypatch):
    original, calls = Journal._write, []

    def write(self, rows):
        calls.append(rows)
        if len(calls) == 6:  # the header and four trials fit
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, rows)

    monkeypatch.setattr(Journal, "_write", write)
    path = tmp_path / "study.jsonl"
    with pytest.warns(RuntimeWarning, match=r"can no longer be written \(No space left on device\)"):
        study = jh.tune("digits", **(SMALL | {"trials": 12}), output=path)
    assert len(study.trials) == 12
    assert study.best.test_score is not None
    assert len(path.read_text().splitlines()) == 5  # what fitted is whole
    assert len(calls) == 6  # and nothing is written behind the gap


TUNING = {k: v for k, v in SMALL.items() if k != "verbose"}


def test_ctrl_c_leaves_what_finished():
    run = tuning.Tuning("digits", tuning.Options(**(TUNING | {"trials": 400})))

    def stop(study, trials):
        if len(study.finished) == 8:
            raise KeyboardInterrupt

    run._callbacks = (stop,)
    with pytest.raises(KeyboardInterrupt):
        run.run(verbose=False)
    assert run.study.summary["trials"] == 8
    assert run.study.summary["best"]["test_score"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "digit"}, "did you mean 'digits'"),
        ({"model": "gan"}, "model='gan' is unknown; use one of mlp, cnn, rnn, dan"),
        ({"model": "rnn"}, "model='rnn' cannot take 'digits', image data of shape (8, 8, 1); use 'cnn'"),
        ({"algorithm": "tabular"}, "algorithm 'tabular' is unknown; did you mean 'tabular_q'"),
        ({"trials": 0}, "trials=0 must be an integer of at least 1"),
        ({"trials": 2.5}, "trials=2.5 must be an integer"),
        ({"lanes": 0}, "lanes=0 must be an integer of at least 1"),
        ({"trials": 4, "lanes": 8}, "lanes=8 exceeds trials=4; lower lanes or raise trials"),
        ({"epochs": 0}, "epochs=0 must be an integer of at least 1"),
        ({"machine": jh.Machine(engine="pmap")}, "engine='pmap' is unknown; use one of threads, vmap, sharded, probe"),
        ({"machine": jh.Machine(devices=9)}, "devices=9 exceeds the 1 that JAX sees; use at most 1"),
        (
            {"machine": jh.Machine(memory=1e-5)},
            "memory=1e-05 GiB is too little: one lane of 64 units and 3 layers needs about",
        ),
        ({"machine": jh.Machine(horizon="far")}, "horizon='far' is unknown; use one of short, long"),
        ({"space": jh.Space({"cell": jh.Choice(("gru", "lstm"))})}, "which model='cnn' cannot take; leave it out"),
        ({"seed": -1}, "seed=-1 must be an integer in [0, 2**32)"),
        ({"timeout": -5}, "timeout=-5 must be a number of seconds above 0"),
        ({"timeout": math.nan}, "timeout=nan must be"),
        ({"train_examples": 0}, "train_examples=0 must be"),
        ({"train_examples": 5000}, "exceeds the 1077 of 'digits'"),
        ({"train_examples": 100, "space": LARGE_BATCHES}, "batch_size: 256 exceeds the 100 training examples"),
        ({"space": {"units": (1, 2)}}, "must be a jaxhpo.Space"),
        (
            {"space": jh.Space({"moment": jh.Float(0.0, 1.0)})},
            "unknown hyperparameter 'moment'; did you mean 'momentum'",
        ),
        (
            {
                "algorithm": "tabular_q",
                "space": jh.Space({"units": jh.Choice((8, 16)), "dropout": jh.Float(0.0, 0.5)}),
            },
            "dropout=Float",
        ),
        ({"enqueue": [{"units": 8}]}, "config lacks learning_rate"),
        ({"output": "/nonexistent/file"}, "output='/nonexistent/file' cannot be written"),
        ({"data": (np.ones((10, 3)), np.ones(10, int))}, "y holds the single class 1"),
        (
            {"data": (np.ones((50, 3)), np.arange(50) % 2), "model": "cnn"},
            "model='cnn' cannot take 'arrays', vector data of shape (3,); use 'mlp'",
        ),
    ],
)
def test_bad_input(arguments, message):
    arguments = {"data": "digits", "verbose": False, "cache": False} | arguments
    with pytest.raises(ValueError) as error:
        jh.tune(arguments.pop("data"), **arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_lanes_and_trials_fit_each_other():
    assert tuning.Options().sizes(64) == (64, 8)
    assert tuning.Options().sizes(32) == (32, 8)
    assert tuning.Options(trials=3).sizes(64) == (3, 3)
    assert tuning.Options(lanes=100).sizes(64) == (400, 100)
    assert tuning.Options(trials=20, lanes=20).sizes(64) == (20, 20)


@pytest.mark.parametrize(("there", "large"), [(1, 2), (2, 2), (4, 4), (16, 16)])
def test_a_round_of_large_data_has_no_more_trials_than_train_at_a_time(there, large, monkeypatch):
    monkeypatch.setattr(resources, "cores", lambda: there)
    assert tuning.Options().sizes(32, 1, 8_000) == (max(32, 4 * max(8, there)), max(8, there))
    assert tuning.Options().sizes(32, 1, 8_001) == (max(32, 4 * large), large)
    assert tuning.Options(trials=100).sizes(32, 1, 8_001) == (100, large)
    assert tuning.Options(lanes=8).sizes(32, 1, 8_001) == (32, 8)
    assert tuning.Options().sizes(16, 5, 8_001) == (16, max(2, large // 5))


@pytest.mark.parametrize(
    ("machine", "each", "given", "sizes"),
    [
        (8, 5, {}, (16, 2)),
        (8, 3, {}, (16, 2)),
        (8, 2, {}, (16, 4)),
        (32, 5, {}, (24, 6)),  # four rounds
        (64, 5, {}, (48, 12)),
        (64, 64, {}, (16, 2)),
        (8, 5, {"trials": 100}, (100, 2)),
        (64, 5, {"trials": 100}, (100, 12)),
        (64, 5, {"trials": 20}, (20, 5)),
        (64, 2, {"trials": 8}, (8, 4)),  # as many trainings as a round of eight
        (64, 5, {"trials": 4}, (4, 2)),
        (64, 5, {"trials": 1}, (1, 1)),
        (8, 5, {"lanes": 8}, (32, 8)),
        (8, 5, {"lanes": 3, "trials": 5}, (5, 3)),
    ],
)
def test_trials_of_several_trainings_have_fewer_lanes_and_more_rounds(machine, each, given, sizes, monkeypatch):
    monkeypatch.setattr(tuning.options, "default_lanes", lambda *_: machine)
    assert tuning.Options(**given).sizes(tuning.options.DEFAULT_FOLDED, each) == sizes


@pytest.mark.parametrize(
    ("trials", "sizes"),
    [(None, (256, 64)), (1000, (1000, 64)), (64, (64, 16)), (40, (40, 10)), (20, (20, 8)), (3, (3, 3))],
)
def test_free_lanes_leave_the_algorithm_four_batches(trials, sizes, monkeypatch):
    monkeypatch.setattr(tuning.options, "default_lanes", lambda *_: 64)
    assert tuning.Options(trials=trials).sizes(64) == sizes


def test_an_ensemble_of_one_trial_is_no_second_look_at_the_test():
    """The trial with the lowest loss may be another than the winner, and alone."""
    study, scores = SimpleNamespace(test_seconds=0.0), []
    state = SimpleNamespace(best="weights", data="data")
    study.score_weights = lambda data, trials, shares: scores.append(trials) or len(scores) / 10
    own = object.__new__(TrainingStudy)
    own._test, own._looks, own.trainer = {}, {"trial": [], "trials": []}, study
    own._carry, own._host = SimpleNamespace(objective=state), SimpleNamespace(seconds=SimpleNamespace(compile=0.0))
    one, other = (Member(SimpleNamespace(trial=trial), 1.0) for trial in (0, 1))
    own._score_once("trial", [one])
    own._score_once("trials", [other])  # warnings are errors
    own._score_once("trials", [one])  # known: no look
    assert own._test == {(0,): 0.1, (1,): 0.2}
    with pytest.warns(RuntimeWarning, match=r"this is look 2 at the test examples, which have scored trial 0 before"):
        own._score_once("trial", [Member(SimpleNamespace(trial=2), 1.0)])
