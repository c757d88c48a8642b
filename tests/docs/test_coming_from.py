"""What the pages for users of other libraries say of jaxhpo is so; of the others, where they are installed."""

import importlib
import importlib.util
import inspect
import re
from importlib.metadata import version

import pytest

import jaxhpo as jh
from jaxhpo.algorithms import registry
from tests.docs import pages

PEERS = {"optuna": "optuna", "keras_tuner": "keras_tuner", "ray_tune": "ray"}
TEXTS = {name: pages.read(f"docs/coming_from/{name}.md") for name in [*PEERS, "index"]}
ALL = "\n".join(TEXTS.values())
FEATURES = ["", "jaxhpo", "Optuna", "KerasTuner", "Ray Tune", "hyperoptax"]


def rows(text):
    """Return the cells of a page's tables, without their rules."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def features():
    """Return the cells of the table of features, by what they are about."""
    start = TEXTS["index"].index("## Features")
    header, *table = rows(TEXTS["index"][start : TEXTS["index"].index("## What the cells mean")])
    assert header == FEATURES
    return {about: dict(zip(FEATURES[1:], cells, strict=True)) for about, *cells in table}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bjh\.((?:algorithms\.)?\w+)", ALL))))
def test_what_is_named_of_jaxhpo_exists(name):
    found = jh
    for part in name.split("."):
        found = getattr(found, part)


@pytest.mark.parametrize("page", PEERS)
def test_the_algorithms_that_take_a_methods_place_exist(page):
    tables = TEXTS[page].split("`algorithm=` |\n")[1].split("\n\n")[0]
    named = set(re.findall(r'`"(\w+)"`', tables))
    assert len(named) >= 4
    assert named <= set(registry.names())
    assert "q_learning" in named
    assert inspect.signature(jh.tune).parameters["algorithm"].default == "q_learning"


@pytest.mark.parametrize("page", PEERS)
def test_the_arguments_of_tune_exist(page):
    named = {name for *_, ours in rows(TEXTS[page]) for name in re.findall(r"`(\w+)=[^`]*`", ours)}
    others = {"when", "workers", "step", "low", "high"}
    assert named - others <= set(inspect.signature(jh.tune).parameters)


def test_the_attributes_of_a_study_exist():
    cells = " ".join(ours for page in PEERS for *_, ours in rows(TEXTS[page]))
    named = set(re.findall(r"`study\.(\w+)", cells))
    assert len(named) >= 8
    assert named <= {*dir(jh.TrainingStudy), "summary"}


def test_what_behaves_differently_is_so():
    arguments = inspect.signature(jh.tune).parameters
    assert arguments["minimize"].default is False
    assert arguments["seed"].default == 0
    assert inspect.signature(jh.function).parameters["workers"].default is None
    assert "budget" in inspect.getdoc(jh.function)
    for name in ("asha", "successive_halving", "hyperband"):
        space = jh.Space({"learning_rate": jh.Float(1e-4, 1e-1, log=True)})
        assert getattr(jh.algorithms, name)(space, lanes=4, budget=9).resumable is not None


def test_the_table_of_features_has_a_cell_for_each_library():
    table = features()
    assert len(table) >= 14
    assert all(cell for cells in table.values() for cell in cells.values())


def test_what_jaxhpo_lacks_is_said():
    ours = {about: cells["jaxhpo"] for about, cells in features().items()}
    assert {about for about, cell in ours.items() if cell == "**no**"} == {
        "resumes an interrupted study",
        "several objectives",
        "several machines",
        "dashboard",
    }
    assert not hasattr(jh.Study, "resume")  # when it comes, the pages say so
    for page in PEERS:
        assert re.search(r"cannot (be resumed|resume a study) from its file yet", " ".join(TEXTS[page].split()))


def test_licence_and_version_are_those_of_the_package():
    project = (pages.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'license = "{features()["licence"]["jaxhpo"]}"' in project
    assert 'version = "0.1.0' in project
    assert "jaxhpo 0.1.0," in TEXTS["index"]
    assert "Development Status :: 3 - Alpha" in project


def test_every_page_shows_the_program_of_both_and_says_when_to_stay():
    for page, package in PEERS.items():
        assert f"<!-- peer: {package} -->" in TEXTS[page]
        headings = re.findall(r"^##+ (.*)$", TEXTS[page], re.MULTILINE)
        assert "In jaxhpo" in headings
        assert any(heading.startswith("When to stay with ") for heading in headings)
        assert any(re.fullmatch(r"What .* has and jaxhpo does not", heading) for heading in headings)


# --- of the other libraries ----------------------------------------------------------------------------------------

MODULES = {
    "optuna": ("optuna", "optuna.samplers", "optuna.pruners", "optuna.study.Study", "optuna.trial.Trial"),
    "keras_tuner": ("keras_tuner", "keras_tuner.applications", "keras_tuner.HyperParameters", "keras_tuner.Tuner"),
    "ray_tune": (
        "ray.tune",
        "ray.tune.schedulers",
        "ray.tune.schedulers.pb2",
        "ray.tune.search",
        "ray.tune.Tuner",
        "ray.tune.ResultGrid",
    ),
}
# Each needs a package of its own.
ELSEWHERE = r"(Optuna|HyperOpt|BayesOpt|Ax|HEBO|Nevergrad|ZOOpt)Search|TuneBOHB|HyperBandForBOHB"


def skip_without(package):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (extra 'peers')")


@pytest.mark.peers
@pytest.mark.parametrize("page", PEERS)
def test_the_classes_that_are_named_exist(page, monkeypatch):
    skip_without(PEERS[page])
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # else Keras looks for TensorFlow
    places = []
    for path in MODULES[page]:
        module, _, name = path.rpartition(".")
        try:
            places.append(importlib.import_module(path))
        except ModuleNotFoundError:
            places.append(getattr(importlib.import_module(module), name))
    theirs = " ".join(cell for row in rows(TEXTS[page]) for cell in row[:1])
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\w*|\bPB2\b", " ".join(re.findall(r"`([^`]*)`", theirs))))
    missing = {name for name in named if not any(hasattr(place, name) for place in places)}
    assert {name for name in missing if not re.fullmatch(ELSEWHERE, name)} == set()


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "package"),
    [("Optuna", "optuna"), ("KerasTuner", "keras_tuner"), ("Ray", "ray"), ("hyperoptax", "hyperoptax")],
)
def test_the_releases_that_were_looked_at_are_the_installed_ones(name, package):
    skip_without(package)
    (said,) = re.findall(rf"{name} (\d+\.\d+\.\d+)", TEXTS["index"].split("Looked at were")[1].split("\n\n")[0])
    have = version(package.replace("_", "-"))
    assert [int(part) for part in have.split(".")[:2]] >= [int(part) for part in said.split(".")[:2]]
