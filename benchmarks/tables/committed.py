"""Read the committed results."""

import json
from typing import Any

from benchmarks.record import RESULTS


def load(*names: str) -> dict[str, dict[str, Any]]:
    """Return committed results by name."""
    return {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names}


def exists(name: str) -> bool:
    """Return whether a result was committed."""
    return (RESULTS / f"{name}.json").exists()


def machine(result: dict[str, Any]) -> str:
    """Return in a few words what a result was measured on."""
    about = result["measured_on"]
    return f"{about['cores']} cores ({about['processor']}), jax {about['versions']['jax']}"
