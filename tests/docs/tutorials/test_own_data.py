"""What the page on one's own data says is so."""

import dataclasses
import re

import numpy as np

import jaxhpo as jh
from jaxhpo.data.tables.kinds import KINDS
from jaxhpo.models import FAMILIES
from jaxhpo.training.goal.metrics import METRICS
from tests.docs import pages

PAGE = pages.read("docs/tutorials/own_data.md")
WORDS = " ".join(PAGE.split())


def test_the_networks_fit_the_data():
    assert "Vectors get the MLP, images the CNN, texts the DAN, and sequences the RNN" in WORDS
    assert {name: family.kinds[0] for name, family in FAMILIES.items()} == {
        "mlp": "vector",
        "cnn": "image",
        "rnn": "sequence",
        "dan": "text",
    }


def test_the_split_is_what_is_said():
    assert "The split is 60/20/20" in WORDS
    data = jh.data.load((np.arange(200.0).reshape(100, 2), np.arange(100) % 2))
    assert (len(data.y_train), len(data.y_valid), len(data.y_test)) == (60, 20, 20)


def test_options_and_metrics_are_the_code_s():
    told = re.findall(r"jh\.TextOptions\((\w+)=, (\w+)=, (\w+)=\)", PAGE)
    assert told == [tuple(field.name for field in dataclasses.fields(jh.TextOptions))]
    named = {"r2", *re.findall(r'`(?:metric=)?"(\w+)"`', PAGE)}
    assert named == {name for name, metric in METRICS.items() if metric.task == "regression"}
    assert set(re.findall(r'columns={"rooms": "(\w+)", "sold": "(\w+)"}', PAGE)[0]) <= set(KINDS)
