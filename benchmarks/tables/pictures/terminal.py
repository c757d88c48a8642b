"""The picture of a terminal at the end of a study."""

import io
import re
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)  # which a browser would fetch from elsewhere
_FAMILY = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'


def plain(result: dict[str, Any]) -> str:
    """Return what the terminal showed, without colours."""
    return "\n".join(Text.from_ansi(line).plain.rstrip() for line in result["screen"]).strip("\n")


def draw(result: dict[str, Any]) -> str:
    """Return an SVG of what was typed and what the terminal showed."""
    console = Console(record=True, width=result["columns"], file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), (result["typed"], "bold")))
    for line in result["screen"]:
        console.print(Text.from_ansi(line), soft_wrap=True)
    drawn = _FONTS.sub("", console.export_svg(title="jaxhpo", theme=MONOKAI, unique_id="terminal"))
    lines = drawn.replace("Fira Code, monospace", _FAMILY).replace(
        "<!-- Generated with Rich https://www.textualize.io -->\n", ""
    )
    return "\n".join(line.rstrip() for line in lines.splitlines()) + "\n"
