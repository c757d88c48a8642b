"""What the page on models of one's own says is so."""

import re
from pathlib import Path

import pytest

import jaxhpo
from jaxhpo.models.family import TRACED
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS
from jaxhpo.training.goal.array_metrics import _LOWER
from jaxhpo.training.goal.metrics import METRICS
from jaxhpo.training.networks.user.factory import RANDOM, read_factory
from jaxhpo.training.networks.user.family import _MOST, _OF_A_NETWORK
from jaxhpo.training.networks.user.training_mode import FLAGS
from jaxhpo.training.planning.plan import EARLY
from tests.docs import pages

PAGE = pages.read("docs/tutorials/own_model.md")
WORDS = " ".join(PAGE.split())
PACKAGE = Path(jaxhpo.__file__).parent


def section(heading):
    return PAGE.split(f" {heading}\n")[1].split("\n#")[0]


def rows(heading):
    """Return the cells of the tables of a section, without the headers."""
    lines = re.findall(r"^\| (`.*) \|$", section(heading), re.MULTILINE)
    return [re.split(r" \| ", line) for line in lines if not line.startswith("`metric=`")]


def names(text):
    return re.findall(r"`(\w+)`", text)


def test_the_flags_are_all_there():
    told = {name: cells[1] == "True" for cells in rows("Training and evaluation") for name in names(cells[0])}
    assert told == FLAGS
    assert all({cells[1], cells[2]} == {"True", "False"} for cells in rows("Training and evaluation"))


@pytest.mark.parametrize("name", ["classes", "num_classes", "outputs", "shape", "vocabulary"])
def test_the_data_give_what_is_said(name):
    told = [name for cells in rows("What the data give") for name in names(cells[0])]
    assert told == ["classes", "num_classes", "outputs", "shape", "vocabulary"]
    spec = type("Spec", (), {"classes": 3, "outputs": 3, "shape": (8, 8, 1), "vocabulary": 50})
    values = {}
    exec(f"def build({name}): pass", values)
    assert list(read_factory(values["build"], (), spec).given) == [name]


def test_what_is_training_s_is_all_there():
    told = names(section("What goes to training").partition("naming them: ")[2].partition(".\n")[0])
    known = [name for name, one in HYPERPARAMETERS.items() if one.kind == TRACED and name not in _OF_A_NETWORK]
    assert set(told) == set(known)
    images = told[told.index("label_smoothing") + 1 :]
    assert images == [name for name, one in HYPERPARAMETERS.items() if one.images]
    assert HYPERPARAMETERS["learning_rate"].default == 0.001
    assert HYPERPARAMETERS["optimizer"].default == "adam"


def test_numbers_and_names_are_the_code_s():
    assert f"at most {_MOST:,} are allowed" in WORDS
    assert f"With {EARLY} programs or fewer, all are compiled" in WORDS
    assert f"Of more than {EARLY} programs, {EARLY} are checked then" in WORDS
    assert "its name ends in " + "`_loss`, `_error` or `_deviance`" in PAGE
    assert _LOWER == ("_loss", "_error", "_deviance")
    assert set(re.findall(r'`"(\w+)"`', section("Your own metric"))) <= set(METRICS)
    assert {"rngs", "rng", "key"} <= set(RANDOM)


@pytest.mark.parametrize("message", [cells[0].strip("`") for cells in rows("When it is refused")])
def test_the_messages_are_the_package_s(message):
    left_out = {
        " built: TypeError: Shapes": " ",
        "for 64 examples; give logits": " examples; give ",
    }  # what is filled in
    for values, words in left_out.items():
        message = message.replace(values, words)
    sources = (path.read_text(encoding="utf-8") for path in sorted((PACKAGE / "training" / "networks").rglob("*.py")))
    assert message in re.sub(r'"\s*\n\s*f?"', "", "\n".join(sources))


def test_the_examples_exist():
    told = [cells[0].strip("`") for cells in rows("Whole programs")]
    assert told
    assert [name for name in told if not (pages.ROOT / "examples" / name).exists()] == []
