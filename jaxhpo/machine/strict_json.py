"""JSON from files: of bounded size and depth, and with each key once."""

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 2**26  # of a file
_DEEPEST = 100
_TOO_DEEP = f"it is nested more than {_DEEPEST} deep"


def parse(text: str) -> Any:
    """Return what a text in JSON says.

    Raises:
        ValueError: if the text is not JSON, has a key twice in one object, or is nested more than 100 deep; the message
            is a reason, without the name of the text.
    """
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    level, depth = [content], 0
    while level := [child for node in level for child in _children(node)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(_TOO_DEEP)
    return content


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """Return the text of a file of at most `most` bytes.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is longer, or not UTF-8; the message is a reason, without the name of the file.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most >> 20} MiB")
    return content.decode("utf-8")


def _children(node: Any) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has the key {key!r} twice in one object; leave one out")
        found[key] = value
    return found
