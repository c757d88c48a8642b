"""What the README had has a place on the site."""

import re

import pytest

from tests.docs import pages

HEADINGS = (
    "jaxhpo",
    "Try it",
    "In Python",
    "Your own data",
    "Your own model, loss and metric",
    "Your own function",
    "The winner",
    "Ask and tell",
    "On the command line",
    "Algorithms",
    "Comparison",
    "How it works",
    "Speed",
    "Accuracy",
    "Status",
    "Licence",
)
TABLES = 11
MAP = pages.read("docs/readme_map.md")


def rows(heading):
    """Return the rows of the table below a heading: what was there, and links to where it is."""
    section = MAP.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        (cells[0], re.findall(r"\]\(([^)]+)\)", cells[1]))
        for cells in re.findall(r"^\| (.*?) \| (.*) \|$", section, re.MULTILINE)
    ][1:]


def test_every_heading_and_table_is_mapped():
    assert tuple(name for name, _ in rows("Headings of the README")) == HEADINGS
    assert len(rows("Tables and pictures of the README")) == TABLES


@pytest.mark.parametrize("heading", ["Headings of the README", "Tables and pictures of the README", "Other pages"])
def test_the_places_exist(heading):
    for name, links in rows(heading):
        assert links, name
        for link in links:
            path = re.sub(r"^https://github\.com/jaxhpo/jaxhpo/blob/main/", "../", link)
            assert (pages.ROOT / "docs" / path).exists(), link
