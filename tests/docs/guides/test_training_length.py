"""What the guide to the length of a training says is so."""

import re

from jaxhpo.tuning import DEFAULTS
from jaxhpo.tuning import training_length as code
from jaxhpo.tuning.training_length import training_length
from tests.docs import pages

PAGE = pages.read("docs/guides/training_length.md")


def rows(titles):
    """Return the rows of the table that has these titles, a list of cells each."""
    lines = PAGE[PAGE.index(f"| {titles} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_options_and_their_defaults():
    named = [
        re.findall(r"`(.*?)`", row[0] + row[1]) for row in rows("option | command line | what it says | unless given")
    ]
    assert named == [[name, f"--{name}"] for name in ("epochs", "patience", "checkpoint")]
    assert DEFAULTS["checkpoint"] == "best"
    assert f"{code.PATIENCE}; {code.PATIENCE_FEW} below {code.FEW:,} training examples" in PAGE


def test_the_defaults_by_examples():
    for examples, epochs, patience in rows("training examples | epochs | patience"):
        found = training_length(int(examples.replace(",", "")), None, checkpoint="best")
        assert (found.epochs, found.stopping.patience) == (int(epochs), int(patience)), examples
    assert f"make {code.UPDATES:,} updates with batches of 64" in PAGE
    assert f"has {code.FEWEST} at least, and {code.MOST} at most" in PAGE
    assert f"unless given, it may be {code.MOST}." in PAGE
    fixed = f"has {code.FIXED_SMALL} epochs, and {code.FIXED_LARGE} beyond {code.SMALL:,} training examples"
    assert fixed in PAGE.replace("\n", " ")


def test_what_a_trial_has():
    named = [row[0].strip("`") for row in rows("name | shape | what it is")]
    assert sorted(named) == ["checkpoint", "checkpoint_loss", "curve", "epochs", "loss", "updates", "validation_loss"]
