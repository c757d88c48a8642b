"""The command, as a person or a script runs it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import jaxhpo
from jaxhpo import cli
from jaxhpo.report.console import closing_lines, shorten
from jaxhpo.space import Choice, Float, Space

QUICK = ["tune", "digits", "--model", "mlp", "--trials", "4", "--epochs", "1", "--train-examples", "256"]
QUICK += ["--algorithm", "random_search"]  # which compiles at once


def run(*arguments, environment=()):
    """Run the command in this process; return its result with stdout and stderr apart."""
    return CliRunner(env=dict(environment)).invoke(cli.app, [*map(str, arguments)])


def process(*arguments, **options):
    """Run the installed command in a process of its own."""
    command = [str(Path(sys.executable).parent / "jaxhpo"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def piped(as_quickly):
    return process(*QUICK, "--seed", "3", env=os.environ | as_quickly)


def test_piped_output_is_plain_text(piped):
    assert piped.returncode == 0, piped.stderr
    assert "\x1b" not in piped.stdout + piped.stderr
    assert piped.stderr.splitlines()[:2] == [
        "digits: 976 images 8x8x1, 10 classes (9.7% to 10.2%); 256 train, 360 validation, 360 test",
        "mlp, trained up to 1 epoch; 8 hyperparameters; 4 trials, 4 at a time",
    ]
    assert re.fullmatch(r"4 of 4 trials, best 0\.\d{4}, \d+ s", "\n".join(piped.stderr.splitlines()[2:]))
    for word in ("The best 4 of 4 trials", "validation accuracy", "learning_rate", "optimizer", "Winner: trial"):
        assert word in piped.stdout
    assert "test accuracy 0." in piped.stdout
    for word in ("compiling", "training", "choosing"):
        assert word in piped.stdout
    for word in ("GFLOP", "programs compiled", "cpu: cpu", "epsilon"):  # `--details` has them
        assert word not in piped.stdout + piped.stderr
    assert max(map(len, piped.stdout.splitlines())) < 120


@pytest.mark.slow
def test_json_is_one_object_and_nothing_else(as_quickly, piped):
    del piped  # its compilations
    done = process(*QUICK, "--json", "--seed", "3", env=os.environ | as_quickly)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert set(result["best"]) == {"trial", "config", "score", "test_score"}
    assert len(result["best"]["config"]) == 8
    assert result["trials"] == 4
    assert set(result["seconds"]) == {"total", "compile", "train", "algorithm"}
    assert result["compilations"] == 0  # the first process compiled
    assert result["seed"] == 3
    assert result["device"].startswith("cpu")
    assert result["versions"]["jaxhpo"] == jaxhpo.__version__


@pytest.mark.slow
def test_options_reach_the_study(tmp_path):
    space = tmp_path / "space.json"
    rate = {"type": "float", "low": 0.001, "high": 0.1, "log": True, "levels": 9}
    space.write_text(json.dumps({"learning_rate": rate}))
    output = tmp_path / "out.jsonl"
    options = ["--algorithm", "tabular_q", "--space", space, "--lanes", "2", "--engine", "vmap", "--output", output]
    done = run(*QUICK, *options, "--timeout", "1000", "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["algorithm"], result["plan"]["engine"], result["plan"]["lanes"]) == ("tabular_q", "vmap", 2)
    assert list(result["best"]["config"]) == ["learning_rate"]
    assert len(output.read_text().splitlines()) == 6


def test_lists():
    algorithms = run("algorithms")
    assert algorithms.exit_code == 0
    assert all(name in algorithms.stdout for name in jaxhpo.algorithms.names())
    hyperparameters = run("hyperparameters")
    assert hyperparameters.exit_code == 0
    assert all(name in hyperparameters.stdout for name in jaxhpo.training.DEFAULTS)
    datasets = run("datasets")
    assert datasets.exit_code == 0
    assert all(name in datasets.stdout for name in ("digits", "mnist", "TFDS_DATA_DIR"))


def test_version_and_help():
    assert run("--version").stdout.strip() == jaxhpo.__version__
    assert "tune" in run("--help").stdout
    shown = run("tune", "--help").stdout
    options = "model algorithm trials lanes epochs seed engine space timeout train-examples output json"
    for option in options.split():
        assert f"--{option}" in shown


BAD_SPACES = {
    "not-json": ("{", "is not JSON"),
    "list": ("[]", "space must be a JSON object"),
    "type": ('{"units": {"type": "real"}}', "needs a type, one of float, int, choice"),
    "reversed": ('{"units": {"type": "int", "low": 9, "high": 2}}', "Int low=9 must not be above high=2"),
    "log-zero": ('{"l1": {"type": "float", "low": 0, "high": 1, "log": true}}', "must be above 0 with log=True"),
    "empty": ('{"units": {"type": "choice", "options": []}}', "Choice options are empty"),
    "duplicate": ('{"units": {"type": "choice", "options": [8, 8]}}', "hold a duplicate"),
    "levels": (
        '{"l1": {"type": "float", "low": 0, "high": 1, "levels": 1}}',
        "levels=1 must be an integer of at least 2",
    ),
    "unknown": ('{"momentun": {"type": "float", "low": 0, "high": 1}}', "unknown hyperparameter 'momentun'"),
    "when": ('{"l1": {"type": "float", "low": 0, "high": 1, "when": {"l2": 1}}}', "Space['l1'] when names 'l2'"),
    "constraint": (
        '{"layers": {"type": "int", "low": 1, "high": 3}, "constraints": ["layer > 1"]}',
        "constraint 'layer > 1': unknown 'layer'; the space has layers",
    ),
    "grid": ('{"dropout": {"type": "float", "low": 0, "high": 0.5}}', "grid_search needs a grid, but dropout=Float"),
}


def test_a_space_file_has_conditions_and_constraints(tmp_path):
    space = Space(
        {"optimizer": Choice(("sgd", "momentum")), "momentum": Float(0.5, 0.9, when={"optimizer": "momentum"})},
        ["momentum < 0.8"],
    )
    path = tmp_path / "space.json"
    path.write_text(json.dumps(space.to_json()))
    assert cli.read_space(path) == space


@pytest.mark.parametrize("name", BAD_SPACES)
def test_bad_space_files(name, tmp_path):
    content, message = BAD_SPACES[name]
    path = tmp_path / "space.json"
    path.write_text(content)
    check_refused(run("tune", "digits", "--algorithm", "grid_search", "--space", path), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["tune", "digit"],
            "'digit' is unknown; did you mean 'digits'? known are digits, mnist, cifar10, imdb, or a file or folder",
        ),
        (["tune", "digits", "--model", "rnn"], "--model 'rnn' cannot take 'digits', image data"),
        (["tune", "digits", "--model", "gan"], "--model 'gan' is unknown; use one of mlp, cnn, rnn, dan\n"),
        (["tune", "digits", "--algorithm", "tabularq"], "algorithm 'tabularq' is unknown; did you mean 'tabular_q'?"),
        (["tune", "digits", "--engine", "gpu"], "--engine 'gpu' is unknown; use one of threads, vmap, sharded"),
        (["tune", "digits", "--engine", "sharded"], "--engine 'sharded' needs several devices, and JAX sees 1; use"),
        (["tune", "digits", "--devices", "9"], "--devices 9 exceeds the 1 that JAX sees; use at most 1"),
        (["tune", "digits", "--memory", "0"], "--memory 0.0 must be a number of GiB above 0"),
        (["tune", "digits", "--memory", "0.00001"], "--memory 1e-05 GiB is too little: one lane of 64 units and 3"),
        (["tune", "digits", "--horizon", "far"], "--horizon 'far' is unknown; use one of short, long"),
        (["tune", "digits", "--trials", "0"], "--trials 0 must be an integer of at least 1"),
        (["tune", "digits", "--lanes", "-1"], "--lanes -1 must be an integer of at least 1"),
        (
            ["tune", "digits", "--trials", "4", "--lanes", "8"],
            "--lanes 8 exceeds --trials 4; lower lanes or raise trials",
        ),
        (["tune", "digits", "--epochs", "0"], "--epochs 0 must be an integer of at least 1"),
        (["tune", "digits", "--seed", "-3"], "--seed -3 must be an integer in [0, 2**32)"),
        (
            ["tune", "digits", "--timeout", "0"],
            "--timeout '0' must be a number of seconds above 0, a text",
        ),
        (["tune", "digits", "--train-examples", "9999"], "--train-examples 9999 exceeds the 1077 of 'digits'"),
        (["tune", "digits", "--space", "/nowhere.json"], "--space '/nowhere.json' cannot be read: No such file"),
        (["tune", "digits", "--output", "/nowhere/out"], "--output '/nowhere/out' cannot be written"),
        (["tune", "mnist"], "mnist needs --data-dir or the environment's TFDS_DATA_DIR"),
        (["tune", "mnist", "--data-dir", "/nowhere"], "--data-dir '/nowhere' is not a directory; prepare it with"),
        (["tune", "digits", "--trial", "3"], "No such option"),
        (["tune", "digits", "--trials", "many"], "Invalid value"),
        (["tune"], "Missing argument"),
        (["tuna", "digits"], "No such command"),
    ],
)
def test_bad_input(arguments, message, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    check_refused(run(*arguments), message)


def check_refused(done, message):
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.lower().startswith("error")]
    assert len(errors) == 1


def test_an_existing_output_is_refused(tmp_path):
    (tmp_path / "out").write_text("precious")
    check_refused(run(*QUICK, "--output", tmp_path / "out"), "exists already; name a new file")
    assert (tmp_path / "out").read_text() == "precious"


@pytest.mark.slow
def test_a_study_without_success_ends_with_one(tmp_path):
    space = tmp_path / "space.json"
    rate = {"type": "float", "low": 1e28, "high": 1e30, "levels": 3}
    space.write_text(json.dumps({"learning_rate": rate, "optimizer": {"type": "choice", "options": ["sgd"]}}))
    done = run(*QUICK, "--space", space)
    assert done.exit_code == 1
    assert "None of the 4 trials succeeded: every training diverged." in done.stdout
    result = json.loads(run(*QUICK, "--space", space, "--json").stdout)
    assert result["best"] is None
    assert result["failed"] == 4


@pytest.mark.slow
def test_ctrl_c_shows_what_finished(monkeypatch):
    from jaxhpo.tuning import Tuning

    original = Tuning._sync

    def stop(self, study, trials):
        original(self, study, trials)
        raise KeyboardInterrupt

    monkeypatch.setattr(Tuning, "_sync", stop)
    done = run(*QUICK, "--trials", "40")
    assert done.exit_code == 130
    assert "Winner: trial" in done.stdout
    assert "not scored on test data" in done.stdout
    assert "8 trials" in done.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_lost_output_file_is_said(monkeypatch, tmp_path):
    from jaxhpo.study import Journal

    def full(self, trials):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "append", full)
    done = run(*QUICK, "--output", tmp_path / "out")
    assert done.exit_code == 1
    assert "warning: output '" in done.stderr
    assert "No space left on device" in done.stderr
    assert "Winner: trial" in done.stdout


def test_numbers_are_short():
    assert [shorten(v) for v in (0.000177827941004, 0.1, 1e-6, 64, "adam", None)] == [
        "0.000178",
        "0.1",
        "1e-06",
        "64",
        "adam",
        "None",
    ]


def test_the_closing_lines_add_up():
    summary = {
        "best": {"trial": 7, "config": {}, "score": 0.98764, "test_score": 0.97},
        "metric": "accuracy",
        "final": {"metric": "accuracy", "test_scores": [0.96, 0.98], "mean": 0.97, "standard_error": 0.01},
        "trials": 64,
        "failed": 2,
        "seconds": {"total": 30.04, "compile": 6.0, "train": 23.0, "algorithm": 0.031},
        "compilations": 5,
        "cache_hits": 0,
        "device": "cpu: cpu",
        "plan": {"lanes": 8, "engine": "threads"},
        "training": {"trials": 64, "total_gflop": 1234.5, "gflop_per_second": 53.67, "useful_share": 0.876},
    }
    lines = [
        "Winner: trial 7, validation accuracy 0.9876, test accuracy 0.9700.",
        "Trained on all but the test examples, 2 seeds: test accuracy 0.9700 +- 0.0100 (standard error).",
        "64 trials (2 diverged) in 30.0 s: compiling 6.0 s, training 23.0 s, choosing 0.03 s.",
    ]
    assert closing_lines(summary) == lines
    assert closing_lines(summary, details=True) == [
        *lines,
        "1,234 GFLOP at 54 GFLOP/s, 88% of it what the trials asked for.",
        "5 programs compiled, 0 taken from the cache; 8 lanes by threads on cpu: cpu.",
    ]
    none = closing_lines(summary | {"best": None, "final": None, "trials": 0})
    assert none[0] == "No trial had finished."
    none = closing_lines(summary | {"best": None, "final": None, "trials": 4})
    assert none[0] == "None of the 4 trials succeeded: every training diverged."
