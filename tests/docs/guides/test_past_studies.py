"""What the page about past studies says is so."""

import inspect

import jaxhpo as jh
from benchmarks.tables.committed import load
from jaxhpo import prior_fitting
from tests.docs import pages

PAGE = pages.read("docs/guides/past_studies.md")
WORDS = " ".join(PAGE.split())


def test_the_defaults_are_the_code_s():
    assert f"at least {prior_fitting._FEWEST} of its trials" in WORDS
    steps = inspect.signature(jh.fit_prior).parameters["steps"].default
    assert f"With {steps:,} steps, as unless given" in WORDS
    size = inspect.signature(jh.Portfolio.from_studies).parameters["size"].default
    assert f"`size` is {size} unless given" in WORDS


def test_only_q_learning_begins_with_a_prior():
    assert [name for name in jh.algorithms.names() if "prior" in jh.algorithms.options(name)] == ["q_learning"]


def test_the_figures_are_what_was_measured():
    verdict, smooth = load("quality_verdict", "quality_smooth").values()
    found = verdict["prior"]["hpobench"]
    assert f"| after | {' | '.join(map(str, verdict['evaluations']))} |" in PAGE
    for part in ("with", "without"):
        assert f"| {part} | {' | '.join(f'{regret:.3f}' for regret in found[part])} |" in PAGE
    apart = dict(zip(verdict["evaluations"], found["difference"], strict=True))
    assert apart[10][1] > 0  # the interval of the first ten is above 0, the others' has it inside
    assert all(low < 0 < high for count, (_, low, high) in apart.items() if count > 10)
    early = [smooth["overall"][who]["regret"][0][0] for who in ("q_learning", "q_learning_no_prior")]
    assert "{:.3f} with, {:.3f} without".format(*early) in WORDS
