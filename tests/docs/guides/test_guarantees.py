"""What the page about guarantees says is so."""

import re

import pytest

from jaxhpo import compilation
from jaxhpo.study import Journal, comparison, trials
from tests.docs import pages
from tests.training import test_equivalence

PAGE = pages.read("docs/guides/guarantees.md")
WORDS = " ".join(PAGE.split())


def test_what_is_compared_with_plain_flax_is_what_the_test_compares():
    assert f"| float64 | {test_equivalence.UPDATES['float64']} | 1e-9 |" in PAGE
    assert f"| float32 | {test_equivalence.UPDATES['float32']} | 1e-5, but" in PAGE
    assert (pages.ROOT / "tests/training/test_equivalence.py").exists()


def test_the_comparison_with_trials_alone_is_the_code_s():
    assert f'"same" means equal to {comparison._ROUNDING:.1%}' in PAGE
    assert f"off by more than {comparison._GROSS:.0%}" in WORDS
    assert f"more than {comparison._LONGEST:.0f} seconds is not computed again" in WORDS
    assert comparison._COMPARED == 2
    assert "Two trials of the first round" in WORDS


def test_the_switches_that_are_refused_are_named():
    (said,) = re.findall(r"refuses switches of JAX with which its programs cannot run: (.*?)\. ", WORDS)
    assert set(re.findall(r"`(\w+)`", said)) == set(compilation._REFUSED)
    assert len(compilation.FAULTY) == 1


def test_two_trials_have_to_fail_alike():
    assert trials._FEWEST == 2
    assert "`study.best` raises" in PAGE


def test_an_output_that_exists_is_refused(tmp_path):
    (file := tmp_path / "study.jsonl").touch()
    with pytest.raises(ValueError, match="exists already; name a new file"):
        Journal(file, {})
    assert "an existing one is refused" in WORDS
