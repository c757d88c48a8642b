"""What the guide to the winner says is so."""

import inspect
import re
from dataclasses import fields

import jaxhpo as jh
from jaxhpo.training.trained import files
from jaxhpo.tuning import DEFAULTS
from tests.docs import pages

PAGE = pages.read("docs/guides/winner.md")


def column(titles):
    """Return the names in the first column of the table that has these titles."""
    lines = PAGE[PAGE.index(f"| {titles} |") :].split("\n\n")[0].splitlines()[2:]
    return [name for line in lines for name in re.findall(r"`([\w.]+)", line.split("|")[1])]


def test_the_attributes_of_a_study():
    names = [name.removeprefix("study.") for name in column("attribute | what it is")]
    assert names == ["best", "winner", "top", "final", "ensemble", "level_trials", "corrected_scores", "default"]
    assert all(hasattr(jh.TrainingStudy, name) for name in names if name != "final")
    assert "self.final: FinalFit | None = None" in inspect.getsource(jh.TrainingStudy)
    (told,) = re.findall(r"`best` and `winner` have the fields (.*?):", PAGE)
    best = jh.Best(0, {}, 0.5, None)
    assert all(hasattr(best, name) for name in re.findall(r"`(\w+)`", told))


def test_the_methods_of_a_model():
    names = column("method or attribute | classification | regression")
    known = {field.name for field in fields(jh.Model)} | {name for name in vars(jh.Model) if name[0] != "_"}
    used = {"data_spec", "scaling", "words", "averages", "learner", "made"}  # what it predicts with
    assert set(names) == known - used - {"save", "single"}


def test_the_files_of_a_saved_model():
    assert column("file | what it holds") == [files.WEIGHTS, files.DESCRIPTION, files.WORDS, files.SUMS]


def test_the_final_fit_is_what_the_functions_take():
    assert DEFAULTS["final_fit"] == 0
    assert inspect.signature(jh.TrainingStudy.final_fit).parameters["seeds"].default == 3
