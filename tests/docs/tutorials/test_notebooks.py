"""What the notebooks and their page say is so; what they show is what this version prints."""

import inspect
import re

import nbformat
import pytest

import jaxhpo as jh
from jaxhpo.models import FAMILIES
from jaxhpo.training.config.hyperparameters import HYPERPARAMETERS
from tests.docs import pages
from tests.docs.test_pages import LONGEST, sentences

NAMES = ("first_steps", "your_own_model")
NOTEBOOKS = {name: nbformat.read(pages.ROOT / "examples" / f"{name}.ipynb", as_version=4) for name in NAMES}
PROSE = {name: "\n\n".join(c.source for c in n.cells if c.cell_type == "markdown") for name, n in NOTEBOOKS.items()}
CODE = {name: "\n\n".join(c.source for c in n.cells if c.cell_type == "code") for name, n in NOTEBOOKS.items()}
WORDS = {name: " ".join(text.split()) for name, text in PROSE.items()}
PAGE = pages.read("docs/tutorials/colab.md")


def shown(name, source):
    """Return the text of the outputs of the cell that begins with this source."""
    (cell,) = [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code" and cell.source.startswith(source)]
    return [o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_sentences_of_a_notebook_are_short(name):
    assert [s for s in sentences(PROSE[name]) if len(s.split()) > LONGEST] == []


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_notebook_resolve(name):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PROSE[name]) if "colab.research" not in link]
    site = "https://github.com/jaxhpo/jaxhpo/blob/main/"
    assert len(links) >= 3
    assert {link for link in links if not link.startswith(site) and "colab-badge" not in link} == set()
    assert {link for link in links if not (pages.ROOT / link.removeprefix(site)).is_file()} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_what_there_is(name):
    named = set(re.findall(r"\bjh\.((?:data\.)?\w+)", PROSE[name] + CODE[name]))
    for path in named:
        found = jh
        for part in path.split("."):
            found = getattr(found, part)
    text = WORDS[name] + CODE[name]
    assert [gone for gone in ("README", "best so far", "on_round", "jh.Prior") if gone in text] == []


def test_the_digits_are_as_many_as_first_steps_says():
    digits = jh.data.load("digits")
    images, side, *splits = re.findall(r"[\d,]+(?= images| by 8 pixels| for | for the test)", WORDS["first_steps"])[:5]
    lengths = [len(digits.x_train), len(digits.x_valid), len(digits.x_test)]
    assert [int(text.replace(",", "")) for text in splits] == lengths
    assert int(images.replace(",", "")) == sum(lengths)
    assert digits.x_train.shape[1:3] == (int(side), 8)
    assert f"{lengths[2]} digits are wrong" in "".join(shown("first_steps", "digits = jh.data.load"))


def test_the_space_of_first_steps_is_the_default_one():
    space = jh.default_space("cnn", (8, 8, 1), 1077)
    assert len(space) == 8
    assert "Eight hyperparameters of a convolutional network vary." in WORDS["first_steps"]
    assert shown("first_steps", "study.space") == [repr(space)]


def test_the_agent_is_what_first_steps_says():
    assert inspect.signature(jh.tune).parameters["algorithm"].default == "q_learning"
    options = inspect.signature(jh.algorithms.q_learning).parameters
    (start,) = re.findall(r"Epsilon starts at ([\d.]+)\b", WORDS["first_steps"])
    assert options["eps_max"].default == float(start)
    assert options["variance_rule"].default == "high_var_slower"  # decays more slowly while it is unsure
    told = inspect.getdoc(jh.algorithms.q_learning)
    assert "Gaussian process" in told
    assert "improvement of its score over the incumbent" in told
    assert "with probability epsilon it takes a uniform draw" in told


def test_levels_are_needed_where_first_steps_says():
    space = jh.Space({"learning_rate": jh.Float(1e-3, 1e-1, log=True)})
    assert "A `Float` needs no `levels` for the default agent" in WORDS["first_steps"]
    jh.algorithms.q_learning(space, lanes=4)
    for name in ("tabular_q", "grid_search", "ucb"):
        with pytest.raises(ValueError, match="levels"):
            getattr(jh.algorithms, name)(space, lanes=4)


def test_numbers_of_trials_are_those_of_the_code():
    assert "four times as many trials" in WORDS["first_steps"]
    assert 'jh.tune("digits", model="mlp", space=space, trials=4 * TRIALS' in CODE["first_steps"]
    assert "final_fit(seeds=3)" in CODE["first_steps"]


def test_what_your_own_model_says_of_networks():
    assert "The network averages the embeddings of their words" in WORDS["your_own_model"]
    assert FAMILIES["dan"].kinds == ("text",)
    assert HYPERPARAMETERS["bigrams"].default == 0
    told = " ".join(inspect.getdoc(jh.tune).split())
    assert "a `Float` as a traced number, an `Int`" in told
    assert "`classes`" in told
    assert "model" in inspect.signature(jh.load_model).parameters


def test_the_page_of_colab_is_of_the_notebooks():
    for name in NAMES:
        (title,) = re.findall(r"^# (.+)$", PROSE[name], re.MULTILINE)
        (colab,) = re.findall(r"\]\((https://colab\.research\.google\.com/github/[^)]+)\)", PROSE[name])
        assert f"| [{title}]({name}.ipynb) |" in PAGE
        assert f"[in Colab]({colab})" in PAGE
        assert re.findall(r"^(TRIALS|EPOCHS) = \d+$", CODE[name], re.MULTILINE) == ["TRIALS", "EPOCHS"]
