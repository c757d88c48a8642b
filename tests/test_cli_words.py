"""The command's words: options where Python has arguments, groups in help, and what stays out of the terminal."""

import inspect
import logging
import subprocess
import sys
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.cli import help as panels
from jaxhpo.cli import language, terminal
from jaxhpo.errors import printable
from tests.test_cli import QUICK, check_refused, run

WRONG = {
    "model": ("gan", "--model 'gan' is unknown; use one of mlp, cnn, rnn, dan"),
    "algorithm": ("best", "algorithm 'best' is unknown"),
    "space": ("/nowhere.json", "--space '/nowhere.json' cannot be read"),
    "trials": ("0", "--trials 0 must be an integer of at least 1"),
    "lanes": ("0", "--lanes 0 must be an integer of at least 1"),
    "epochs": ("0", "--epochs 0 must be an integer of at least 1"),
    "patience": (
        "0",
        "--patience 0 must be an integer of at least 1; as many as there are epochs end no training early",
    ),
    "checkpoint": ("first", "--checkpoint 'first' must be 'best', the epoch of the lowest validation loss, or 'last'"),
    "folds": ("0", "--folds 0 must be an integer of at least 1"),
    "repeats": ("65", "--repeats 65 must be an integer of at most 64"),
    "seed": ("-1", "--seed -1 must be an integer in [0, 2**32)"),
    "metric": ("cost", "--metric 'cost' is no metric of classification; use accuracy"),
    "target": ("y", "--target 'y' is for "),
    "drop": ("a,b", "--drop 'a,b' is for "),
    "task": ("ranking", "--task 'ranking' is unknown; use one of classification, regression"),
    "image_size": ("0x4", "--image-size 0x4 "),
    "train_examples": ("0", "--train-examples 0 must be an integer of at least 1"),
    "data_dir": ("/nowhere", "--data-dir '/nowhere' is not a directory"),
    "final_fit": ("-1", "--final-fit -1 must be a number of trainings, 0 for none"),
    "timeout": ("soon", "--timeout 'soon' must be a number of seconds above 0, a text such as '5m' or '2h'\n"),
    "output": ("/nowhere/out", "--output '/nowhere/out' cannot be written"),
    "profile": ("/dev/null/x", "--profile '/dev/null/x' cannot be written"),
    "engine": ("gpu", "--engine 'gpu' is unknown"),
    "devices": ("99", "--devices 99 exceeds the 1 that JAX sees"),
    "memory": ("-1", "--memory -1.0 must be a number of GiB above 0"),
    "horizon": ("far", "--horizon 'far' is unknown"),
    "words": ("9", "--words 9 is for texts, and 'digits' holds image data; leave it out"),
    "length": ("9", "--length 9 is for texts, and 'digits' holds image data; leave it out"),
    "keep": ("first", "--keep first is for texts, and 'digits' holds image data; leave it out"),
    "kind": ("cube", "--kind 'cube' is unknown; use one of image, sequence, vector"),
    "channels": ("middle", "--channels 'middle' is unknown; use one of first, last"),
    "columns": ("age", "--column 'age' must be NAME=KIND, such as zip=category"),
    "save": ("/dev/null", "--save '/dev/null' exists already; name a new directory"),
}
"""A value of each option that is refused, and how the line begins."""

FLAGS = {"cache", "header", "as_json", "details"}


def parameters():
    return inspect.signature(cli.app.registered_commands[0].callback).parameters


def test_a_refused_value_is_known_for_every_option():
    assert {*WRONG} | FLAGS == {*parameters()} - {"dataset"}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_option_refuses_names_the_option(name):
    value, message = WRONG[name]
    data = "mnist" if name == "data_dir" else "digits"
    check_refused(run("tune", data, language.option_of(name), value), f"error: {message}")


def said(message, **given):
    return language.in_options(message, [name for name in parameters() if name != "dataset"], given)


def test_every_argument_becomes_its_option():
    for name in WRONG:
        option = language.option_of(name)
        assert said(f"{name}='x' is bad; give {name}=, or leave out {name}") == (
            f"{option} 'x' is bad; give {option}, or leave out {name}"
        )


@pytest.mark.parametrize(
    ("message", "spoken"),
    [
        ("leave it out: drop=['a b']", "leave it out: --drop 'a b'"),
        ("drop=['a', 'b,c']", "--drop 'a,\"b,c\"'"),
        ("give image_size=(height, width) to resize", "give --image-size HEIGHTxWIDTH to resize"),
        ("image_size=(32, 48) must", "--image-size 32x48 must"),
        ("or task='regression' for amounts", "or --task 'regression' for amounts"),
        ("cache=False", "--no-cache"),
        ("say which by channels= of jaxhpo.data.load", "say which by --channels"),
        ("header=False is for", "--no-header is for"),
        ("say which: columns={'it': 'day first'} or", "say which: --column 'it=day first' or"),
        ("columns={'a': 'date', 'b': 'drop'}", "--column a=date --column b=drop"),
        ("drop=('a', 'b') is", "--drop 'a,b' is"),
        ("column 'target=3' is constant", "column 'target=3' is constant"),
        ("file \"it's seed=1\" and the model's lanes=2", "file \"it's seed=1\" and the model's --lanes 2"),
        ("my_seed=1 and x.seed=2 stay", "my_seed=1 and x.seed=2 stay"),
        ("words=3 of TextOptions(length=4)", "--words 3 of TextOptions(--length 4)"),
        ("metric=1 must be a name, or a function of your own", "--metric 1 must be a name"),
        ("text=TextOptions(words=20000, length=9, keep='first') is for texts", "--length 9 is for texts"),
        ("text=3 must be TextOptions", "--length 9 must be TextOptions"),
    ],
)
def test_messages_are_in_the_words_of_the_command_line(message, spoken):
    assert said(message, length=9, words=None) == spoken


def test_a_group_of_options_that_are_not_known_is_named_by_all_of_them():
    assert said("machine=3 is odd") == "--engine, --devices, --memory and --horizon is odd"


@given(st.text())
def test_what_is_quoted_stays(text):
    assert said(f"column {text!r} is bad") == f"column {text!r} is bad"


def test_names_with_commas_are_quoted_as_in_csv():
    assert cli.options.read_names("a,b c") == ("a", "b c")
    assert cli.options.read_names('"a,b",c') == ("a,b", "c")
    assert cli.options.read_names("") == ()


def test_what_the_machine_does_not_give_is_one_line(monkeypatch):
    def lacking(*arguments, **options):
        raise RuntimeError("Unable to initialize backend 'gpu': \x1b[31mnone\nmore")

    monkeypatch.setattr("jaxhpo.cli.commands.Tuning", lacking)
    done = run("tune", "digits")
    assert done.exit_code == 1
    assert done.stderr == (
        "error: RuntimeError: Unable to initialize backend 'gpu': \\x1b[31mnone; --details shows where\n"
    )
    assert isinstance(run("tune", "digits", "--details").exception, RuntimeError)


@pytest.mark.slow
def test_what_has_finished_is_shown_where_the_machine_gives_out(monkeypatch):
    from jaxhpo.tuning import Tuning

    original = Tuning._sync

    def fail(self, study, trials):
        original(self, study, trials)
        raise MemoryError("no more")

    monkeypatch.setattr(Tuning, "_sync", fail)
    done = run(*QUICK, "--trials", "40")
    assert done.exit_code == 1
    assert "error: MemoryError: no more; --details shows where\n" in done.stderr
    assert "Winner: trial" in done.stdout
    assert "8 trials" in done.stdout


# --- help -------------------------------------------------------------------------------------------------------------


def test_help_has_every_option_in_a_group_and_fits_a_terminal():
    shown = run("tune", "--help", environment={"COLUMNS": "80"}).stdout
    assert max(map(len, shown.splitlines())) <= 80
    titles = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    groups = [panels.DATA, panels.TEXTS, panels.MODEL, panels.SEARCH, panels.MACHINE, panels.OUTPUT]
    assert titles == ["Arguments", *groups, "Other", "Examples"]
    sections = {title: shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0] for title in titles}
    assert sections["Other"].split()[0] == "--help"
    assert len(sections["Other"].splitlines()) == 1
    for option, title in {"target": "Data", "epochs": panels.MODEL, "trials": "Search", "save": "Output"}.items():
        assert f"  --{option} " in sections[title]
    assert "\x1b" not in shown
    assert all(line.startswith("  jaxhpo tune ") for line in sections["Examples"].splitlines() if line)
    commands = run("--help", environment={"COLUMNS": "80"}).stdout.partition("Commands:")[2]
    assert "..." not in commands  # nothing is cut


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_control_characters_do_not_reach_the_terminal(capsys):
    assert printable("ab \u00e9\u4e16") == "ab \u00e9\u4e16"
    assert printable("a\x1b[31m\r\u202e\x9b") == r"a\x1b[31m\r\u202e\x9b"
    terminal.complain("error", "no\x1b[2J such\nthing")
    assert capsys.readouterr().err == "error: no\\x1b[2J such thing\n"
    done = run("tune", "\x1b[2Jx")
    assert "\x1b" not in done.output
    assert r"dataset '\x1b[2Jx' is unknown" in done.stderr


def test_only_warnings_of_jaxhpo_are_shown(capsys):
    ours, theirs = {"__name__": "jaxhpo.some.file"}, {"__name__": "orbax.file"}
    code = "import warnings; warnings.warn({!r}, {}, stacklevel={})"
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with terminal.plain_warnings(["output"]):
            exec(code.format("output='a'\nis lost", "RuntimeWarning", 1), ours)
            exec(code.format("output='b' is lost", "RuntimeWarning", 3), ours)
            exec(code.format("old", "DeprecationWarning", 1), ours)
            exec(code.format("slow", "UserWarning", 1), theirs)
    assert capsys.readouterr().err == "warning: --output 'a' is lost\nwarning: --output 'b' is lost\n"


def test_logs_of_libraries_stay_out_of_the_terminal_and_a_crash_does_not():
    code = """
import logging, os, sys
from jaxhpo.cli import terminal
terminal.quiet_libraries()
logging.getLogger("jax._src.xla_bridge").warning("no GPU")
os.write(2, b"E0000 00:00:1733000000.1  12 cpu_aot_loader.cc:186] features differ\\n")
os.write(2, b"W1129 17:00:00.000000   12 fusion.cc:20] slow\\n")
os.write(2, b"2026-11-29 17:00:00.000001: W external/xla/x.cc:1] old\\n")
os.write(2, b"F1129 17:00:00.000000   12 check.cc:20] Check failed\\n")
print("mine", file=sys.stderr)
os.write(2, b"last words\\n")
os.abort()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode < 0
    assert sorted(line.split(" ")[0] for line in done.stderr.splitlines()) == ["F1129", "last", "mine"]


def test_the_log_has_rounds_and_the_plan(caplog):
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("jaxhpo").handlers)
    space = jh.Space({"x": jh.Float(0.0, 1.0, levels=4)})
    study = jh.Study(space, jh.algorithms.grid_search(space, lanes=2))
    with caplog.at_level(logging.DEBUG, "jaxhpo"):
        study.ask()
        study.tell([float("nan"), float("nan")])
        study.ask()
        study.tell([0.25, 0.5])
        jh.Trainer(jh.data.load("digits", train_examples=64), "mlp", epochs=1, lanes=2)
    rounds = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert [line.partition(" after ")[0] for line in rounds] == ["round 0: 2 trials", "round 1: 4 trials"]
    assert rounds[0].endswith("no success yet")
    assert rounds[1].endswith("best 0.5 of trial 3")
    plans = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [line.startswith("plan: Plan(backend='cpu'") for line in plans if line.startswith("plan")] == [True]
