"""What the page of the agent says is so."""

import ast
import json
import re
from pathlib import Path

import pytest

import jaxhpo as jh
from benchmarks.exploration import without_variance
from benchmarks.record import RESULTS
from benchmarks.tables.names import meanings_table
from jaxhpo import prior_fitting
from jaxhpo.algorithms.gp.data import FITTED, USED
from jaxhpo.algorithms.q_learning import actions, value
from jaxhpo.priors import hyperparameter_features

ROOT = Path(__file__).parents[3]
PATH = ROOT / "docs" / "how_it_works" / "agent.md"
PAGE = PATH.read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


def test_the_table_of_names_is_what_is_read():
    rows = re.findall(r"^\| `(\w+)` \| ([^|$]+) \|$", PAGE, re.MULTILINE)  # of two cells: options have three
    told = {name: tuple(re.findall(r"`(\w+)`", others)) for name, others in rows}
    assert told == {name: kind.names for name, kind in hyperparameter_features.MEANINGS.items()}
    assert meanings_table() in PAGE


def test_names_that_are_not_read_are_said():
    names = [(other, name) for name, kind in hyperparameter_features.MEANINGS.items() for other in (name, *kind.names)]
    unread = [other for other, name in names if hyperparameter_features.meaning_of(other) != name]
    (said,) = re.findall(r"Not read yet: (.*?),", WORDS) or [""]
    assert re.findall(r"`(\w+)`", said) == unread


@pytest.mark.parametrize(("name", "title"), [("q_learning", "option"), ("tabular_q", "option of `tabular_q`")])
def test_the_defaults_are_the_factory_s(name, title):
    (table,) = re.findall(rf"^\| {title} \| default \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", table, re.MULTILINE)
    assert {option: ast.literal_eval(default) for option, default in rows} == jh.algorithms.options(name)
    assert list(jh.algorithms.options(name)) == [option for option, _ in rows]


def test_the_constants_are_the_code_s():
    from jaxhpo.algorithms.q_learning.q_learning import _GAMMA, _STARTUP

    assert f"discount $\\gamma$ | {_GAMMA}; 0 with rungs" in WORDS
    assert f"or {_STARTUP} trials if that is more" in WORDS
    assert f"it keeps the {actions._KEPT} that have the highest expected reward, or twice the lanes" in WORDS
    assert f"From {value._LOOKED} of them it looks ahead" in WORDS
    assert actions.STATES == 3 + 1
    assert "of the three best trials and of one more place" in WORDS
    assert actions._SETTINGS == 4
    assert "one of four levels" in WORDS
    assert f"fitted to at most {FITTED} trials, and it predicts from at most {USED};" in WORDS
    assert f"of at least {prior_fitting._FEWEST} trials" in WORDS
    assert prior_fitting._FEATURES == 8
    assert "eight features" in WORDS


def test_the_figures_are_what_was_measured():
    kept = json.loads((RESULTS / "exploration.json").read_text(encoding="utf-8"))
    told = f"{kept['trials']} trials of {kept['epochs']} epochs in {kept['lanes']} lanes"
    assert told in WORDS
    studies = kept["studies"]
    slower, faster = studies["none"]["high_var_slower"], studies["none"]["high_var_faster"]
    plain = without_variance(kept, kept["lanes"])
    assert f"{slower['epsilon'][1]:.3f} to {plain:.3f} after the first round" in WORDS
    with_prior = studies["shipped"]["high_var_slower"]["q_variance"][1]
    assert f"$V$ has fallen to {slower['q_variance'][1]:.2f}, with the prior to {with_prior:.2f}." in WORDS
    rates = slower["k"][1:]
    assert f"The rate $k$ is between {min(rates):.3f} and {max(rates):.3f} from there on" in WORDS
    assert f"the rate $k$ is {faster['k'][0]:.2f} in the first round" in WORDS
    assert f"whose {kept['lanes']} trials bring epsilon from {kept['eps_max']} to {faster['epsilon'][1]:.5f}" in WORDS
    assert (PATH.parent / re.findall(r"!\[.*\]\((.*)\)", PAGE)[0]).exists()


def test_the_example_hands_a_prior_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read, priors = [], []
    monkeypatch.setattr(jh, "read_journal", read.append)
    monkeypatch.setattr(jh, "fit_prior", lambda studies: jh.LearnedPrior.shipped())
    monkeypatch.setattr(jh, "tune", lambda data, prior: priors.append(prior))
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "fit_prior" in code]
    exec(compile(code, "agent.md", "exec"), {})
    assert read == ["monday.jsonl", "tuesday.jsonl"]
    (prior,) = priors
    assert prior.to_bytes() == jh.LearnedPrior.shipped().to_bytes()


@pytest.mark.parametrize("block", re.findall(r"\$\$(.*?)\$\$", PAGE, re.DOTALL))
def test_equations_have_their_brackets_closed(block):
    assert block.count("{") == block.count("}")
    assert block.count(r"\left") == block.count(r"\right")
