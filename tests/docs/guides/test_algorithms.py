"""What the page about algorithms says is so."""

import re

import pytest

import jaxhpo as jh
from benchmarks.tables.committed import load
from benchmarks.tables.names import algorithms_table
from jaxhpo.algorithms.gp.data import FITTED, USED
from jaxhpo.tuning import options
from jaxhpo.tuning.training_length import MOST
from tests.docs import pages

PAGE = pages.read("docs/guides/algorithms.md")
WORDS = " ".join(PAGE.split())
ROWS = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", PAGE, re.MULTILINE))
"""The rows of the tables by their first cell."""


def regret(found, who, at):
    return f"{found['overall'][who]['regret'][found['evaluations'].index(at)][0]:.3f}"


def first(found):
    return f"{found[0]:.3f}"


def asking(found, name, told=1000):
    return f"{found['growth'][name][str(told)]:.2g} ms"


def of_64(found, name):
    return f"{found['methods'][name]['64 lanes']['both_ms']:,.0f}"


def test_the_table_of_algorithms_is_the_registry():
    assert algorithms_table() in PAGE


def test_the_advice_for_few_trials_is_what_was_measured():
    smooth, quality = load("quality_smooth", "quality").values()
    ours, peer, drawn = (regret(smooth, who, 30) for who in ("q_learning", "optuna_gp", "random_search"))
    row = ROWS["30 trials of a network on a laptop"]
    assert f"{ours}; Optuna's GP {peer}, `random_search` {drawn}." in row
    by_family = {who: first(quality["families"]["analytic"][who]["regret"]) for who in quality["overall"]}
    told = "{q_learning} and {gp}; `tpe` {tpe}, `random_search` {random_search}".format(**by_family)
    assert f"after {quality['compared_at']} trials: {told}" in ROWS["your function is not a network"]
    ranks = sorted(quality["overall"], key=lambda who: quality["overall"][who]["regret"][-1][0])
    assert (len(ranks), ranks[-3]) == (17, "random_search")
    ours, drawn = (regret(quality, who, 30) for who in ("q_learning", "random_search"))
    assert f"{drawn} after 30 trials, `q_learning` {ours}" in ROWS["you need a baseline"]


def test_the_advice_on_the_prior_is_what_was_measured():
    (verdict,) = load("quality_verdict").values()
    found = verdict["prior"]["hpobench"]
    at10, at20 = (verdict["evaluations"].index(count) for count in (10, 20))
    early = f"after 10 trials: {found['with'][at10]:.3f} with the prior, {found['without'][at10]:.3f} without"
    late = f"after 20: {found['with'][at20]:.3f} and {found['without'][at20]:.3f}"
    assert f"{early}; {late}" in ROWS["a network unlike common ones, and only about ten trials"]


def test_the_advice_for_many_lanes_is_what_was_measured():
    quality, algorithms, ablation = load("quality", "algorithms", "ablation").values()
    wide = {who: first(row["regret"]) for who, row in quality["batches"]["32"].items()}
    told = "{q_learning}; `gp` {gp}, `genetic` {genetic}, `random_search` {random_search}".format(**wide)
    assert (
        f"256 trials in eight rounds of 32: {told}"
        in ROWS["512 lanes, and a round trains for much longer than choosing takes"]
    )
    assert f"{wide['regularized_evolution']} and {wide['cmaes']} in batches of 32" in WORDS
    assert min(wide, key=lambda who: float(wide[who])) == "q_learning"
    assert max(map(int, quality["batches"])) == 32
    assert algorithms["told_before"] == 2000
    agent = algorithms["methods"]["q_learning"]
    assert f"{agent['8 lanes']['both_ms']:.1f} ms for 8 lanes and {agent['64 lanes']['both_ms']:.1f} ms for 64" in WORDS
    bred = algorithms["methods"]["genetic"]["64 lanes"]["both_ms"]
    assert f"{bred:.1f} ms; `q_learning` {agent['64 lanes']['both_ms']:.1f} ms" in PAGE
    assert f"{of_64(algorithms, 'gp')} ms for 64 lanes already" in WORDS
    slow = [of_64(algorithms, name) for name in ("thompson", "ucb", "tpe")]
    assert "{}, {} and {} ms".format(*slow) in WORDS
    rows = ablation["parts"]["batch"]["rows"]
    assert f"| {' | '.join(row['variant'] for row in rows)} |" in PAGE
    assert f"| {' | '.join(first(row['regret'][0]) for row in rows)} |" in PAGE


def test_what_choosing_costs_is_what_was_measured():
    (found,) = load("algorithms").values()
    row = ROWS["a trial takes milliseconds"]
    assert f"takes {asking(found, 'ucb', 100)} with `ucb`, {asking(found, 'q_learning', 100)} with `q_learning`" in row
    late = [f"`{name}` {asking(found, name)}" for name in ("tpe", "ucb", "q_learning")]
    assert f"After 1,000 trials: {', '.join(late)}." in row
    named = {"q_learning", "gp", "ucb", "thompson", "tpe", "metaqnn", "reinforce", "actor_critic"}
    assert {name for name, told in found["growth"].items() if told["1000"] > 1} == named
    for name in ("random_search", "tpe", "q_learning"):
        assert f"{found['studies'][name]['run_s']:.2g} s with `{name}`" in WORDS
    assert f"{found['studies']['gp']['run_s']:.0f} s with `gp`" in WORDS
    growth, full = found["growth"]["q_learning"], found["methods"]["q_learning"]["8 lanes"]["both_ms"]
    told = f"{growth['316']:.0f} ms after 316 trials, {growth['1000']:.0f} ms after 1,000 and {full:.0f} ms after 2,000"
    assert told in WORDS
    assert f"at most {FITTED} trials and predict from at most {USED}" in WORDS


def test_what_stopping_early_brings_is_what_was_measured():
    ablation, quality = load("ablation", "quality").values()
    part = ablation["parts"]["rungs"]
    found = {row["variant"]: first(row["regret"][part["at"].index(20)]) for row in part["rows"]}
    told = f"{found['min_budget=3']} with `min_budget=3`, {found['whole trainings']} without; `asha` {found['asha']}"
    assert told in ROWS["a few epochs show which trials are bad"]
    spent = quality["epochs"]["1"]
    ours, other = (f"{spent[who]['regret'][0]:.4f}" for who in ("q_learning", "pbt"))
    assert f"{other} after the epochs of 100 whole trainings, `q_learning` {ours}" in PAGE


def test_the_methods_that_need_levels_are_named():
    (said,) = re.findall(r"Seven methods search a grid: (.*?)\. ", WORDS)
    grids = re.findall(r"`(\w+)`", said)
    documented = [
        n for n in jh.algorithms.names() if "needs levels" in " ".join(getattr(jh.algorithms, n).__doc__.split())
    ]
    assert (len(grids), sorted(grids)) == (7, sorted(documented))
    for name in grids:
        with pytest.raises(ValueError, match="has no levels"):
            jh.algorithms.make(name, jh.Space({"x": jh.Float(0.0, 1.0)}), lanes=2)


@pytest.mark.parametrize(("given", "trials", "lanes"), [({}, 32, 8), ({"trials": 30}, 30, 8), ({"trials": 16}, 16, 8)])
def test_the_default_sizes_are_the_code_s(monkeypatch, given, trials, lanes):
    monkeypatch.setattr(options, "default_lanes", lambda *_: 8)
    assert options.Options(**given).sizes(32) == (trials, lanes)


def test_epochs_may_be_so_many():
    assert f"unless given, [it may be {MOST}](" in WORDS


def test_an_accelerator_has_a_quarter_of_the_trials(monkeypatch):
    monkeypatch.setattr(options, "default_lanes", lambda *_: 64)
    assert options.Options(trials=128).sizes(32) == (128, 32)
    assert options.Options(trials=30).sizes(32) == (30, 8)
    assert "at most a quarter of them, or 8 if that is more" in WORDS
