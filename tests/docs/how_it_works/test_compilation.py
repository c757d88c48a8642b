"""What the page of compilation says is so."""

import re

from jaxhpo import compilation
from jaxhpo.training.networks.user import family
from jaxhpo.training.planning.plan import EARLY
from tests.docs import pages

WORDS = " ".join(pages.read("docs/how_it_works/compilation.md").split())


def test_the_constants_are_the_code_s():
    assert f"of more than {EARLY}, when a trial needs it" in WORDS
    assert f"At most {family._MOST:,} combinations are allowed." in WORDS
    assert f"if there are more than {EARLY}." in WORDS


def test_the_switches_are_those_that_are_refused():
    (told,) = re.findall(r"Three switches of JAX are refused, [^:]*: (.*?)\. ", WORDS)
    assert re.findall(r"`(\w+)`", told) == list(compilation._REFUSED)
