"""Write generated tables into the pages of the documentation, between their markers.

<!-- table: NAME -->
what is made
<!-- end -->
"""

import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_BLOCK = re.compile(r"^<!-- table: (?P<name>[^\n]+) -->\n(?P<text>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- (?:table: [^\n]*|end) -->")


def pages(root: Path) -> list[Path]:
    """Return the pages that may hold generated tables: the README and the documentation."""
    documentation = (path for path in sorted((root / "docs").rglob("*.md")) if "_build" not in path.parts)
    return [path for path in (root / "README.md", *documentation) if path.exists()]


def blocks(text: str) -> dict[str, str]:
    """Return what a page has between markers, by name.

    Raises:
        ValueError: If a marker has no other half.
    """
    found = {match["name"]: match["text"].strip("\n") for match in _BLOCK.finditer(text)}
    if lone := _MARKER.findall(_BLOCK.sub("", text)) + [m for part in found.values() for m in _MARKER.findall(part)]:
        raise ValueError(f"{lone[0]} has no other half; a table stands between <!-- table: NAME --> and <!-- end -->")
    return found


def written(text: str, tables: Mapping[str, str]) -> str:
    """Return a page with every table as it is made.

    Raises:
        ValueError: If a page asks for a table that there is not.
    """
    if unknown := [name for name in blocks(text) if name not in tables]:
        raise ValueError(f"table {unknown[0]!r} is unknown; known are {', '.join(tables)}")

    def block(found: re.Match[str]) -> str:
        return f"<!-- table: {found['name']} -->\n\n{tables[found['name']]}\n\n<!-- end -->"

    return _BLOCK.sub(block, text)


def outdated(tables: Mapping[str, str], root: Path = ROOT) -> dict[Path, str]:
    """Return the pages whose tables differ from what is made, with the text that they should have.

    Raises:
        ValueError: If a page's markers are wrong; the message names the page.
    """
    found = {}
    for path in pages(root):
        text = path.read_text(encoding="utf-8")
        try:
            made = written(text, tables)
        except ValueError as error:
            raise ValueError(f"{path.relative_to(root)}: {error}") from None
        if made != text:
            found[path] = made
    return found
