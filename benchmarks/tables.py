"""The README's status table, made from the committed JSON.

python -m benchmarks.tables
"""

import json
import statistics
from typing import Any

from benchmarks.record import RESULTS


def _span(values: list[float], form: str) -> str:
    """Return the median, and the range where there are several."""
    middle = format(statistics.median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def status_table(status: dict[str, Any], algorithms: dict[str, Any]) -> str:
    """Return the status as Markdown: medians, and ranges over seeds."""
    lines = [
        "| command | seeds | winner's validation accuracy | its test accuracy | seconds |",
        "|---|---|---|---|---|",
    ]
    for command, rows in status["runs"].items():
        valid, test = (_span([row[f"{part}_accuracy"] for row in rows], ".4f") for part in ("validation", "test"))
        seconds = _span([row["process_seconds"] for row in rows], ".0f")
        lines.append(f"| `{command}` | {len(rows)} | {valid} | {test} | {seconds} |")
    ask_tell = algorithms["methods"]["tabular_q"]["64 lanes"]["both_ms"]
    about = status["measured_on"]
    return "\n".join(
        [
            *lines,
            "",
            f"Medians and ranges; a winner is picked by validation accuracy. Seconds are whole processes, start and "
            f"compilation included, on {about['cores']} cores ({about['processor']}), jax {about['versions']['jax']}. "
            f"Asking and telling `tabular_q` for 64 lanes takes {ask_tell:.1f} ms once compiled.",
        ]
    )


def main() -> None:
    """Print the table."""
    status, algorithms = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("status", "algorithms"))
    print(status_table(status, algorithms))


if __name__ == "__main__":
    main()
