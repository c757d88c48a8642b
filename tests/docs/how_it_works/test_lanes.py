"""What the page of lanes and engines says is so."""

import re

from jaxhpo.models import FAMILIES
from jaxhpo.models.family import STRUCTURAL
from jaxhpo.models.representations import REPRESENTATION, SHARING
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS
from jaxhpo.training.planning.costs import tile_of
from jaxhpo.training.step.engines import ENGINES
from tests.docs import pages
from tests.training import test_equivalence

PAGE = pages.read("docs/how_it_works/lanes.md")
WORDS = " ".join(PAGE.split())


def test_every_engine_has_a_row():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert rows == list(ENGINES)


def test_what_has_programs_of_its_own_is_named():
    structural = [name for name, known in HYPERPARAMETERS.items() if known.kind == STRUCTURAL]
    own = ["activation", "norm", "representation", "growth", "cell", "bidirectional", "bigrams"]
    assert sorted(structural) == sorted(own)
    assert f"| {', '.join(f'`{name}`' for name in own)} |" in PAGE
    alone = set(REPRESENTATION.allowed) - set(SHARING)
    assert (alone, len(SHARING)) == ({"periodic"}, 3)
    assert "Of `representation` only `periodic` has a program of its own. Lanes with the other three share one" in WORDS
    assert FAMILIES["cnn"].exact_depth({"growth": 2})
    assert "With `growth` 2 each depth is a program too." in WORDS


def test_how_closely_lanes_equal_plain_flax():
    assert f"Over {test_equivalence.UPDATES['float64']} steps they agree to 1e-9 in float64." in WORDS
    assert f"Over {test_equivalence.UPDATES['float32']} steps they agree to 1e-5 in float32" in WORDS


def test_a_convolution_sees_a_few_images():
    assert f"a convolution sees {tile_of(64)} images at a time" in WORDS
