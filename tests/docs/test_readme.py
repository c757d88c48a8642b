"""What the README says is so."""

import json
import re

import numpy as np

from benchmarks.record import RESULTS
from jaxhpo import algorithms
from tests.docs import pages

README = pages.read("README.md")
WORDS = " ".join(README.split())


def load(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_it_is_a_front_page():
    assert len(README.splitlines()) <= 150
    assert len(re.findall(r"!\[", README)) == 1
    assert len(re.findall(r"^\|[-|]+\|$", README, re.MULTILINE)) <= 2


def test_the_two_commands_are_there_word_for_word():
    assert "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/jaxhpo tune digits\n" in README
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest\n" in README


def test_the_example_is_short():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 20


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README):
        assert link.startswith("https://") or (pages.ROOT / link).exists(), link


def test_the_table_of_features_is_the_one_with_its_sources():
    rows = re.findall(r"^\|.*\|$", README, re.MULTILINE)
    assert len(rows) > 12
    assert [row for row in rows if row not in pages.read("docs/coming_from/index.md")] == []


def test_the_speed_is_what_was_measured():
    mlp, cnn = load("speed_mlp"), load("speed_cnn")
    slower = {result["title"]: result["seconds"]["flax_usual"] / result["seconds"]["jaxhpo"] for result in (mlp, cnn)}
    assert (mlp["trials"], mlp["measured_on"]["cores"]) == (64, 2)
    assert f"study of 64 MLPs takes {mlp['seconds']['jaxhpo']:.3g} s" in WORDS
    assert f"takes {slower[mlp['title']]:.1f} times as long, mostly for compiling" in WORDS
    assert mlp["seconds"]["flax_best_without_compilation"] < mlp["seconds"]["flax_best"] / 2
    assert f"64 CNNs take {slower[cnn['title']]:.1f} times as long" in WORDS


def test_the_search_is_what_was_measured():
    smooth, tables = load("quality_smooth"), load("quality_verdict")
    middle, low, high = smooth["against"]["q_learning"]["optuna_gp"]["10"]
    told = f"after ten trials is {middle:.2f} times that of Optuna's GP sampler (95% interval {low:.2f} to {high:.2f})"
    assert told in WORDS
    middle, low, high = tables["against"]["q_learning"]["optuna_gp"]["50"]
    number = sum(map(len, tables["tasks"].values()))
    told = f"it is {middle:.2f} times that of the same sampler after 50 trials ({low:.2f} to {high:.2f})"
    assert f"On {number} tables of recorded trainings" in WORDS
    assert told in WORDS
    assert tables["against"]["q_learning"]["hebo"]["10"][0] > 1
    assert "On these tables HEBO, another tuner, is ahead after ten" in WORDS


def test_the_prior_has_learned_from_as_many_trainings():
    trainings = 0
    for kind in ("lessons", "trainings"):
        for path in (RESULTS.parent / "data").glob(f"{kind}_*.npz"):
            with np.load(path) as recorded:
                trainings += len(recorded["score"])
    assert f"learned from {round(trainings, -3):,} trainings" in WORDS


def test_the_studies_in_one_program_are_what_was_measured():
    assert len(algorithms.names()) == 19
    assert "All nineteen search algorithms" in WORDS
    asking = load("algorithms")["growth"]["q_learning"]
    assert f"needs {asking['10']:.0f} to {asking['1000']:.0f} ms to choose a round" in WORDS
    seconds = {name: found["run_s"] for name, found in load("algorithms")["studies"].items()}
    assert f"{seconds['tpe']:.2f} s with TPE and {seconds['q_learning']:.0f} s with the agent" in WORDS
