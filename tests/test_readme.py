"""What the README says is so."""

import json
import re
from pathlib import Path

import pytest

import jaxhpo as jh
from benchmarks.tables.committed import load
from benchmarks.tables.quality import ablation, comparison
from benchmarks.tables.readme import accuracy, algorithms_table, status_table
from benchmarks.tables.speed import accelerator_table, speed_table, ways_table
from benchmarks.tables.testing import tables_of_releases, tables_of_tests
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.slow_but_for("code3")
@pytest.mark.parametrize("code", BLOCKS)
def test_the_examples_run_as_written(code, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert len(code.strip().splitlines()) <= 20
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert "Best(" in capsys.readouterr().out
    assert names["study"].best.score is not None


def test_there_are_examples():
    assert len(BLOCKS) == 4


def test_the_table_of_algorithms_is_the_registry():
    assert algorithms_table() in README


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_the_table_has_every_hyperparameter_and_option(name):
    (row,) = [line for line in README.splitlines() if line.startswith("| `") and f"`{name}`" in line.split(" | ")[0]]
    allowed = HYPERPARAMETERS[name].allowed
    named = [option for option in allowed if isinstance(option, str)] if isinstance(allowed, tuple) else []
    assert [option for option in named if f"`{option}`" not in row] == []


def test_the_space_file_is_one():
    (text,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert list(jh.Space.from_json(json.loads(text))) == ["learning_rate", "layers", "optimizer"]


def test_the_two_commands_are_there_word_for_word():
    assert "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/jaxhpo tune digits\n" in README
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest\n" in README


def test_every_option_of_the_command_is_named():
    from typer.testing import CliRunner

    from jaxhpo.cli import app

    shown = CliRunner().invoke(app, ["tune", "--help"]).stdout
    options = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help", "--cache"}
    assert options == {option for option in options if option in README}


def test_the_figures_are_what_was_measured():
    assert status_table(**load("status", "algorithms")) in README
    assert accuracy() in README
    speed = load("speed_mlp", "speed_cnn", "speed_gru")
    assert speed_table(speed) in README
    assert accelerator_table(load("gpu/accelerator")["gpu/accelerator"], speed) in README
    assert ways_table(**load("ways")) in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


def test_the_comparison_is_what_was_measured():
    both = README + (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name, text in comparison().items() if text not in both] == []
    assert comparison()["recorded tables"] in README


def test_what_the_agents_parts_bring_is_what_was_measured():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [part for part, text in ablation().items() if text not in page] == []


@pytest.mark.parametrize("tables", [tables_of_releases, tables_of_tests])
def test_what_releases_and_tests_take_is_what_was_measured(tables):
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert [name for name, text in tables().items() if text not in page] == []
