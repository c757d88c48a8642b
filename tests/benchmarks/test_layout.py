"""The house rules of the folder of benchmarks, read from the source."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2] / "benchmarks"
FILES = sorted(HERE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in FILES})
MOST, MOST_LINES = 12, 320


def module_of(path):
    return ".".join(path.relative_to(HERE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def imported(path):
    """Return the modules of benchmarks that a file imports when it is imported, not in a function."""
    names = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {name for name in names if name in MODULES and not name.endswith("benchmarks")}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: str(p.relative_to(HERE)))
def test_a_folder_fits_in_the_head(folder):
    boxes = {path.relative_to(folder).parts[0].removesuffix(".py") for path in folder.rglob("*.py")}
    assert len(boxes - {"__init__", "__main__"}) <= MOST
    assert (folder / "__init__.py").exists()
    for path in folder.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, path


def test_what_measures_makes_no_tables():
    for name, path in MODULES.items():
        if not name.startswith("benchmarks.tables"):
            assert not [other for other in imported(path) if other.startswith("benchmarks.tables")], name


def test_imports_go_in_no_circle():
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    needs = {name: imported(path) - packages for name, path in MODULES.items() if name not in packages}
    assert set(TopologicalSorter(needs).static_order()) == set(needs)


def test_every_command_is_on_a_page():
    pages = "".join((HERE / page).read_text(encoding="utf-8") for page in ("README.md", "data/README.md"))
    for path in FILES:
        if "def main()" in path.read_text(encoding="utf-8"):
            command = module_of(path).removesuffix(".__main__")
            assert f"python -m {command}" in pages or command == "benchmarks.speed.process"  # which others start
