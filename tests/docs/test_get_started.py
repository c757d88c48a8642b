"""What the page for newcomers says is so."""

import json
import re
import tomllib

import jaxhpo as jh
from benchmarks.record import RESULTS
from benchmarks.tables.pictures.terminal import plain
from jaxhpo.tuning.options import DEFAULT_TRAININGS
from jaxhpo.tuning.overview import search_words, training_lines
from jaxhpo.tuning.training_length import training_length
from tests.docs import pages

PAGE = pages.read("docs/get_started.md")
PROJECT = tomllib.loads(pages.read("pyproject.toml"))["project"]


def test_the_two_commands_are_there_word_for_word():
    assert "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/jaxhpo tune digits\n" in PAGE
    assert "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest\n" in PAGE


def test_the_extras_exist():
    told = re.findall(r"'\.\[(\w+)\]'", PAGE)
    assert told == ["cuda12", "cuda13", "tpu", "test"]
    assert set(told) <= set(PROJECT["optional-dependencies"])


def test_a_study_of_the_digits_begins_so():
    data = jh.data.load("digits")
    search = search_words(jh.default_space("cnn", data.shape), DEFAULT_TRAININGS, 8, None)
    assert (
        "\n".join(training_lines(data, "cnn", str(training_length(len(data.y_train), None, checkpoint="best")), search))
        in PAGE
    )


def test_the_end_is_the_one_of_the_picture():
    kept = json.loads((RESULTS / "terminal.json").read_text(encoding="utf-8"))
    _, title, rest = plain(kept).partition("The best 5 of 32 trials")
    assert title + rest in PAGE
    assert "test accuracy 0.9833" in rest
    assert kept["typed"] == "jaxhpo tune digits"


def test_an_image_is_as_much_accuracy_as_is_said():
    images = len(jh.data.load("digits").y_valid)
    assert f"0.9889 is 356 of {images} images" in PAGE
    assert round(356 / images, 4) == 0.9889
    assert f"one image more is {1 / images:.4f}" in PAGE
