"""What the page on stopping trials early says is so."""

import inspect
import re

import pytest

import jaxhpo as jh
from benchmarks.tables.committed import load
from jaxhpo.algorithms.multi_fidelity.perturbation import _FACTORS
from jaxhpo.algorithms.multi_fidelity.rungs import read_rungs
from jaxhpo.tuning.training_length import MOST
from tests.docs import pages

PAGE = pages.read("docs/tutorials/stopping_early.md")
WORDS = " ".join(PAGE.split())
METHODS = ("asha", "successive_halving", "hyperband", "q_learning")


@pytest.mark.parametrize(("epochs", "told"), re.findall(r"^\| (\d+) \| ([\d, ]+) \|$", PAGE, re.MULTILINE))
def test_the_rungs_are_these(epochs, told):
    assert ", ".join(map(str, read_rungs(int(epochs), 3, 1))) == told


def test_every_method_that_stops_trials_is_in_the_table():
    modules = {name: getattr(jh.algorithms, name).__module__ for name in jh.algorithms.names()}
    stopping = {name for name, module in modules.items() if ".multi_fidelity." in module}
    section = PAGE.split("## The methods\n")[1].split("\n## ")[0]
    assert stopping | {"q_learning"} == set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))


@pytest.mark.parametrize("name", METHODS)
def test_options_and_defaults_are_the_code_s(name):
    options = inspect.signature(getattr(jh.algorithms, name)).parameters
    assert options["eta"].default == 3
    assert "`eta=3` is the ratio of two rungs" in WORDS
    assert options["min_budget"].default == (None if name == "q_learning" else 1)


def test_epochs_may_be_so_many():
    assert f"Unless given, it may be {MOST}" in WORDS


def test_pbt_changes_values_so():
    assert "by a factor of {} or {}".format(*_FACTORS) in WORDS


def test_the_figures_are_what_was_measured():
    kept = load("fidelity")["fidelity"]
    digits, few = kept["data"].values()
    assert f"random search trained {kept['trials']} networks on the digits for {kept['epochs']} epochs each" in WORDS
    assert f"after {digits['asha']['epochs_share']:.0%} of those epochs" in WORDS
    assert f"`hyperband` after {digits['hyperband']['epochs_share']:.0%}" in WORDS
    assert digits["asha"]["reached"] == digits["hyperband"]["reached"] == 7
    assert f"in 7 of {kept['seeds']} studies only" in WORDS
    assert f"`asha` took {digits['asha']['seconds_share']:.0%} of the seconds" in WORDS
    assert f"reached random search's score in only {few['hyperband']['reached']} of {kept['seeds']} studies" in WORDS
