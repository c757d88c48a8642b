"""Read a page's snippets, run them as its reader would, and compare what they print with what the page shows.

    python -m tests.docs.pages docs/get_started.md ...    runs the pages and writes what their snippets print
    python -m tests.docs.pages --peer optuna PAGE ...     the same for snippets of another library

The snippets of a page are run from top to bottom, in one process and in an empty directory:

- `python`: in one namespace for the page
- `sh`: by bash
- `json`: has to be JSON
- `text`: what the snippet before it prints

A comment before a snippet says what is special:

- `<!-- not run: REASON -->`
- `<!-- file: NAME -->`: the snippet is written to this file
- `<!-- output varies -->`: with the machine; the lines have to be as many, and begin with the same words
- `<!-- peer: PACKAGE -->`: of another library; tests marked `peers` run it

What stands between `<!-- table: NAME -->` and `<!-- end -->` is written by `python -m benchmarks.tables`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
KINDS = ("python", "sh", "json", "text")
COMMENTS = re.compile(r"(not run|file|peer): (\S.*)|(output varies)")
FENCE = re.compile(
    r"^(?:<!-- (?P<comment>(?!end -->)[^\n]*) -->\n+)?(?P<fence>`{3,})(?P<kind>[^\n]*)\n(?P<code>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    kind: str
    code: str
    start: int
    """Position of its code in the page's text."""
    line: int
    about: str = ""
    """`not run`, `file`, `peer`, `output varies` or nothing."""
    value: str = ""
    """The reason, file or package."""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def snippets(text: str) -> list[Snippet]:
    """Return the snippets of a page; directives of MyST (`{include}`) are none.

    Raises:
        ValueError: If the test cannot know what a snippet is.
    """
    found = []
    for match in FENCE.finditer(text):
        kind, comment = match["kind"].strip(), match["comment"] or ""
        if kind.startswith("{") and kind != "{code-block}":
            continue
        line = text.count("\n", 0, match.start("code")) + 1
        said = COMMENTS.fullmatch(comment)
        if comment and not said:
            raise ValueError(f"line {line}: comment {comment!r} is none of those that tests/docs/pages.py lists")
        about, value = (said[1] or said[3], said[2] or "") if said else ("", "")
        if kind not in KINDS and about not in ("not run", "file"):
            raise ValueError(f"line {line}: a snippet of {kind!r} needs <!-- not run: REASON -->")
        found.append(Snippet(kind, match["code"], match.start("code"), line, about, value))
    return found


def outputs(found: list[Snippet]) -> list[tuple[Snippet, Snippet]]:
    """Return each output that a page shows after the snippet that prints it.

    Raises:
        ValueError: If there is no such snippet.
    """
    pairs, last = [], None
    for snippet in found:
        if snippet.kind != "text" or snippet.about in ("file", "not run"):
            last = snippet if snippet.kind in ("python", "sh") and snippet.about in ("", "peer") else None
            continue
        if last is None:
            raise ValueError(f"line {snippet.line}: no snippet before it prints this; say <!-- not run: REASON -->")
        pairs.append((last, snippet))
        last = None
    return pairs


def steps(found: list[Snippet], peer: str = "") -> list[Snippet]:
    """Return what is executed, in order: of this library, or of a peer."""
    if peer:
        return [snippet for snippet in found if (snippet.about, snippet.value) == ("peer", peer)]
    executed = ("python", "sh")
    return [snippet for snippet in found if snippet.about == "file" or (snippet.kind in executed and not snippet.about)]


def execute(page: str, environment: dict[str, str], peer: str = "", timeout: float = 600) -> dict[int, str]:
    """Run a page's snippets in a process of its own; return what each prints, by its line.

    Raises:
        RuntimeError: If one fails.
    """
    todo = [vars(snippet) for snippet in steps(snippets(read(page)), peer)]
    with tempfile.TemporaryDirectory() as directory:
        job = Path(directory, "job.json")
        job.write_text(json.dumps({"page": page, "steps": todo}), encoding="utf-8")
        (cwd := Path(directory, "here")).mkdir()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        settings = os.environ | {"PATH": path, "TERM": "dumb", "COLUMNS": "100", "NO_COLOR": "1"}
        settings |= {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | environment
        command = [sys.executable, str(Path(__file__).with_name("run_page.py")), str(job)]
        done = subprocess.run(
            command, cwd=cwd, env=settings, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{page}: {done.stderr[-3000:]}")
        printed = json.loads(job.with_suffix(".out").read_text(encoding="utf-8"))
        return {int(line): text for line, text in printed.items()}


def shape(text: str) -> list[str]:
    """Return the first word of every line, with # for a number."""
    lines = [line.split() for line in text.splitlines()]
    return [re.sub(r"[\d.]*\d", "#", words[0]) for words in lines if words]


def differences(found: list[Snippet], printed: dict[int, str], peer: str = "") -> list[str]:
    """Return a line for each output that is not what the page shows."""
    wrong = []
    for source, shown in outputs(found):
        if source.line not in printed or (source.about == "peer") != bool(peer):
            continue
        told, now = shown.code.strip("\n"), clean(printed[source.line])
        same = shape(told) == shape(now) if shown.about == "output varies" else told == now
        wrong += [] if same else [f"line {shown.line}: the page shows\n{told}\nand the snippet prints\n{now}"]
    return wrong


def clean(text: str) -> str:
    """Return a text without spaces at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def update(page: str, peer: str = "") -> None:
    """Run a page and write what its snippets print."""
    text = read(page)
    found = snippets(text)
    printed = execute(page, {}, peer)
    for source, shown in reversed(outputs(found)):
        if source.line in printed:
            text = text[: shown.start] + clean(printed[source.line]) + "\n" + text[shown.start + len(shown.code) :]
    (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    names = sys.argv[1:]
    peer = names[1] if names[:1] == ["--peer"] else ""
    for name in names[2:] if peer else names:
        update(name, peer)
