"""What the page about ask and tell says is so."""

import re
from dataclasses import fields

import jaxhpo as jh
from tests.docs import pages

PAGE = pages.read("docs/guides/ask_and_tell.md")


def test_the_table_has_what_a_suggestion_has():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [field.name for field in fields(jh.Suggestion)]


def test_the_results_are_named_as_they_are():
    (said,) = re.findall(r"## Results\n\n(.*?) are those of every study", PAGE, re.DOTALL)
    for name in re.findall(r"`study\.(\w+)", said):
        assert hasattr(jh.Study, name)
