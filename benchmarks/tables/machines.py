"""The table of what the figures were measured on."""

import json
from typing import Any

from benchmarks.record import RESULTS
from jaxhpo.tuning import versions

_NONE = ("runs", "verdict", "peers")  # kept runs and environments; what is made of them says what made it


def machines_table() -> str:
    """Return the machines and releases behind the committed results as Markdown, a row each."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for path in sorted(RESULTS.rglob("*.json")):
        name = path.relative_to(RESULTS).with_suffix("")
        if path.parent.name not in _NONE:
            about = json.loads(path.read_text(encoding="utf-8"))["measured_on"]
            rows.setdefault(_row(about), []).append(f"`{name}`")
    lines = ["| machine | Python | jax | flax | jaxhpo | results |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} | {', '.join(names)} |" for row, names in rows.items()]
    return "\n".join([*lines, "", _older(rows, versions()["jaxhpo"])])


def _older(rows: dict[tuple[str, ...], list[str]], present: str) -> str:
    """Return in a sentence which results are not of the present version of jaxhpo."""
    older = [name for row, names in rows.items() if row[-1] != present for name in names]
    if not older:
        return f"The present version of jaxhpo is {present}: no result is of an older one."
    return f"The present version of jaxhpo is {present}. Of another one: {', '.join(older)}."


def _row(about: dict[str, Any]) -> tuple[str, ...]:
    kind, device = about["device"].split(": ", 1)
    machine = device if kind != "cpu" else f"{about['cores']} cores, {about['processor']}"
    return (machine, *(about["versions"][name] for name in ("python", "jax", "flax", "jaxhpo")))
