"""The house rules of who imports whom, read from the source."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jaxhpo"

PARTS = {"types", "space", "priors", "algorithms", "prior_fitting", "models", "data", "training", "objectives", "study"}

# A room may import these rooms of jaxhpo, and itself.
ROOMS = {
    "types": set(),
    "errors": set(),
    "machine": set(),
    "compilation": {"machine"},
    "space": {"types", "machine"},
    "priors": {"types", "space", "machine", "errors"},
    "algorithms": {"types", "space", "priors", "compilation", "machine"},
    "prior_fitting": {"types", "space", "priors", "algorithms"},
    "models": {"types", "space"},
    "data": {"types", "space", "machine", "errors"},
    "training": {"types", "space", "models", "data", "compilation", "errors", "machine"},
    "objectives": {"types", "space", "compilation", "errors", "machine"},
    "study": {"types", "space", "compilation", "machine", "errors"},
    "report": {"types", "space", "study", "errors"},
    "tuning": PARTS | {"report", "compilation", "machine", "errors"},
    "cli": PARTS | {"report", "tuning", "errors", "machine", ""},
    "": PARTS | {"tuning"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported(path):
    """Yield the rooms of jaxhpo and the other packages that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]  # of modules, and of what is in them
        else:
            continue
        yield from names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    room = room_of(path)
    assert room in ROOMS, f"{path} is in a room that the rules do not know"
    for name in imported(path):
        package, _, rest = name.partition(".")
        if package == "jaxhpo":
            other = rest.split(".")[0]
            other = other if other in ROOMS else ""  # `from jaxhpo import Study`
            assert other == room or other in ROOMS[room], f"{path.name} imports {name}"


FOLDERS = sorted({path.parent for path in FILES})
MOST, MOST_AT_THE_TOP, MOST_LINES = 12, 16, 320


def boxes_of(folder):
    """Return what a reader sees in a folder: its modules and the folders in it, without `__init__`."""
    return {path.relative_to(folder).parts[0].removesuffix(".py") for path in folder.rglob("*.py")} - {"__init__"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_folder_fits_in_the_head(folder):
    assert len(boxes_of(folder)) <= (MOST_AT_THE_TOP if folder == PACKAGE else MOST)
    assert (folder / "__init__.py").exists()
    for path in folder.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path


@pytest.mark.parametrize("folder", FOLDERS[1:], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_folder_says_what_is_in_it(folder):
    said = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    boxes = {f"{box}.py" if (folder / f"{box}.py").exists() else f"{box}/" for box in boxes_of(folder)}
    assert set(re.findall(r"`(\w+(?:\.py|/))`", said)) == boxes


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_within_a_folder_go_in_no_circle(folder):
    prefix = ".".join(("jaxhpo", *folder.relative_to(PACKAGE).parts)) + "."
    boxes = boxes_of(folder)
    needs = {box: set() for box in boxes}
    for path in folder.rglob("*.py"):
        box = path.relative_to(folder).parts[0].removesuffix(".py")
        if box != "__init__":
            others = {name.removeprefix(prefix).split(".")[0] for name in imported(path) if name.startswith(prefix)}
            needs[box] |= others & boxes - {box}
    # Raises CycleError, which names the circle.
    assert set(TopologicalSorter(needs).static_order()) == boxes


def test_algorithms_and_study_see_no_models_data_or_disk():
    for room in ("algorithms", "study"):
        assert not ROOMS[room] & {"models", "data", "training", "report"}
    paths = list((PACKAGE / "algorithms").rglob("*.py"))
    assert any(path.parent.name == "q_learning" for path in paths)  # folders inside count, too
    for path in paths:
        packages = {name.partition(".")[0] for name in imported(path)}
        assert not packages & {"os", "pathlib", "io", "json", "importlib", "flax", "optax"}, path


def test_the_file_of_public_names_only_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    defined = [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert defined == ["__getattr__"]  # for names of the last release


def test_every_public_name_is_there():
    import jaxhpo

    for name in jaxhpo.__all__:
        assert getattr(jaxhpo, name) is not None


def test_import_loads_no_optional_package_no_tfds_and_nothing_slow():
    code = "import sys, jaxhpo; print([m for m in sys.argv[1:] if m in sys.modules])"
    optional = [
        "pandas",  # these take from a third of a second to more than one; each is imported where it is used
        "sklearn",
        "scipy",
        "flax.nnx",
        "orbax",
        "tensorflow_datasets",
        "tensorflow",
        "array_record",
        "PIL",
        "chex",
        "pytest",
        "hypothesis",
        "matplotlib",
        "typer",
    ]
    found = subprocess.run([sys.executable, "-c", code, *optional], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_import_compiles_nothing_and_leaves_jax_as_it_is():
    code = """
import jax
before = dict(jax.config.values)
count = []
jax.monitoring.register_event_duration_secs_listener(lambda e, s, **k: count.append(e))
import jaxhpo
assert not count, count
assert before.items() <= dict(jax.config.values).items()  # Pallas brings values of its own
"""
    subprocess.run([sys.executable, "-c", code], check=True)
