"""Every public name is on one page of the reference, and the pages say what the commands do."""

import re
from operator import attrgetter

import pytest

import jaxhpo
from tests.docs import pages

PAGES = {page: pages.read(page) for page in pages.PAGES if page.startswith("docs/reference/")}
INDEX = PAGES["docs/reference/index.md"]
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class):: jaxhpo\.([\w.]+)$", re.MULTILINE)
DOCUMENTED = {page: DIRECTIVE.findall(text) for page, text in PAGES.items()}
MODULES = ("algorithms", "data")  # each is a page
PUBLIC = [
    *(name for name in jaxhpo.__all__ if name not in (*MODULES, "__version__")),
    *(f"{module}.{name}" for module in MODULES for name in getattr(jaxhpo, module).__all__),
]


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_on_one_page(name):
    value = attrgetter(name)(jaxhpo)
    found = [
        (page, other) for page, names in DOCUMENTED.items() for other in names if attrgetter(other)(jaxhpo) is value
    ]
    assert len(found) == 1, f"pages of docs/reference have jaxhpo.{name} {len(found)} times"


def test_what_is_no_function_or_class_is_named():
    assert "`jh.__version__`" in INDEX
    assert {f"docs/reference/{module}.md" for module in MODULES} <= set(PAGES)


def test_the_list_of_pages_is_whole():
    rows = re.findall(r"^\| \[[^]]+\]\((\w+\.md)\) \|", INDEX, re.MULTILINE)
    (tree,) = re.findall(r"```{toctree}\n:hidden:\n\n(.*?)```", INDEX, re.DOTALL)
    assert rows == [f"{page}.md" for page in tree.split()]
    assert {f"docs/reference/{row}" for row in (*rows, "index.md")} == set(PAGES)


def test_the_list_of_pages_names_what_they_have():
    rows = re.findall(r"^\| \[[^]]+\]\((\w+\.md)\) \| ([^|]+) \|", INDEX, re.MULTILINE)
    for page, names in rows[:-1]:  # the last is of commands
        there = {*DOCUMENTED[f"docs/reference/{page}"], page.removesuffix(".md")}
        there |= {name.removeprefix("data.") for name in there}  # `jaxhpo` has two of these too
        assert [name for name in re.findall(r"`([\w.]+)`", names) if name not in there] == []


def test_every_command_and_option_is_shown():
    import typer

    from jaxhpo.cli import app

    page = PAGES["docs/reference/command_line.md"]

    def check(command, path):
        assert f"`{' '.join(path)}`" in page or f"## {' '.join(path)}\n" in page or hasattr(command, "commands")
        assert [option for parameter in command.params for option in parameter.opts if option not in page] == []
        for name, below in getattr(command, "commands", {}).items():
            check(below, [*path, name])

    check(typer.main.get_command(app), ["jaxhpo"])
