"""What the guide to the command line says is so."""

import json
import re

import pytest
from typer.testing import CliRunner

import jaxhpo as jh
from jaxhpo.cli import app
from jaxhpo.cli.options import read_names, read_size
from jaxhpo.data.folds import DEFAULT_FOLDS, MOST_EXAMPLES
from jaxhpo.models import FAMILIES
from jaxhpo.training.planning import resources
from jaxhpo.training.step.engines import ENGINES
from jaxhpo.tuning import DEFAULTS, training_length
from jaxhpo.tuning.options import _FEW_LANES, _LEAST_LANES, _ROUNDS, DEFAULT_FOLDED, DEFAULT_TRAININGS
from tests.docs import pages

PAGE = pages.read("docs/guides/command_line.md")
WORDS = " ".join(PAGE.split())
SHOWN = CliRunner().invoke(app, ["tune", "--help"]).stdout
OPTIONS = set(re.findall(r"--[a-z][a-z-]+", SHOWN)) - {"--help"}
ROWS = {
    option: [cell.strip() for cell in line[1:-1].split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| `--")
    for option in re.findall(r"--[a-z][a-z-]+", line.split("|")[1])
}


def test_every_option_of_the_command_is_named():
    assert {option for option in OPTIONS if f"`{option}" in PAGE} == OPTIONS
    assert set(ROWS) == OPTIONS


def test_the_defaults_are_those_that_help_shows():
    help_of = re.findall(r"^  (--[a-z-]+)(.*?)(?=^  --|^\S|\Z)", SHOWN, re.MULTILINE | re.DOTALL)
    told = {option: re.findall(r"\[default:\s+([\w.-]+)\]", text) for option, text in help_of}
    told = {option: found[0] for option, found in told.items() if found}
    assert {"--seed", "--words", "--horizon", "--algorithm", "--final-fit"} <= set(told)
    assert {option: ROWS[option][2] for option in told} == {option: f"`{text}`" for option, text in told.items()}


def test_the_sizes_are_the_code_s():
    trials = f"{DEFAULT_TRAININGS}; {DEFAULT_FOLDED} with folds or repeats; four rounds where that is more"
    assert ROWS["--trials"][2] == trials
    assert ROWS["--folds"][2].startswith(
        f"{DEFAULT_FOLDS} for up to {MOST_EXAMPLES:,} training and validation examples"
    )
    assert _ROUNDS == 4
    large = f"one a core, and at least {_LEAST_LANES}, beyond {resources._LARGE:,} training examples"
    assert ROWS["--lanes"][2].startswith(f"on a CPU {_FEW_LANES}, or one a core if it has more; {large}; on an")
    epochs = f"{training_length.FEWEST} to {training_length.MOST}, by the number of training examples"
    assert ROWS["--epochs"][2].startswith(epochs)
    few, many = training_length.PATIENCE_FEW, training_length.PATIENCE
    assert ROWS["--patience"][2].startswith(f"{many}; {few} below {training_length.FEW:,} training examples")


def test_the_words_of_options_are_the_code_s():
    assert [name for name in FAMILIES if f"`{name}`" not in ROWS["--model"][1]] == []
    assert [name for name in ENGINES if f"`{name}`" not in ROWS["--engine"][1]] == []


def test_the_space_file_is_one():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(jh.Space.from_json(json.loads(text))) == ["learning_rate", "layers", "optimizer"]


def test_the_commands_are_there():
    shown = CliRunner().invoke(app, ["--help"]).stdout
    commands = set(re.findall(r"^  (\w+)  ", shown.partition("Commands:")[2], re.MULTILINE))
    told = set(re.findall(r"^\| `jaxhpo (\w+)", PAGE, re.MULTILINE))
    assert told == commands
    assert "prepare" in CliRunner().invoke(app, ["data", "--help"]).stdout


def test_what_needs_python_is_no_option():
    (told,) = re.findall(r"## What needs Python (.*?) are in Python alone", WORDS)
    names = re.findall(r"`(\w+)=`", told)
    assert names == ["enqueue", "prior", "callbacks", "minimize", "scale_targets"]
    assert not {"--" + name.replace("_", "-") for name in (*names, "loss")} & OPTIONS
    options = {"--" + name.replace("_", "-") for name in DEFAULTS}
    beside = {"--machine", "--text", "--verbose"}  # fields are options of their own; `--json` is quiet
    assert options - OPTIONS == {"--" + name.replace("_", "-") for name in names[:-1]} | {"--loss"} | beside


@pytest.mark.parametrize(("text", "names"), [("id,notes", ("id", "notes")), ('"a,b",c', ("a,b", "c"))])
def test_columns_that_are_left_out(text, names):
    assert f"--drop {text}" in PAGE.replace("'", "")
    assert read_names(text) == names


def test_the_size_of_images():
    assert "the height first: `--image-size 32x32`" in PAGE
    assert read_size("32x24") == (32, 24)
