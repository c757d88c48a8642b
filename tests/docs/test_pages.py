"""Every snippet of every page runs, and prints what the page shows."""

import importlib.util
import json
import re

import pytest

from tests.docs import pages

QUICK = ("guides/spaces",)  # no training, a few seconds
TEXTS = {page: pages.read(page) for page in pages.PAGES}
LONGEST = 30  # words of a sentence


def name_of(page):
    return page.removeprefix("docs/").removesuffix(".md")


RUN = [page for page, text in TEXTS.items() if re.search(r"^```(python|sh)$", text, re.MULTILINE)]
PEERS = [(page, name) for page, text in TEXTS.items() for name in set(re.findall(r"<!-- peer: (\w+) -->", text))]


@pytest.mark.sampled
@pytest.mark.slow_but_for(*QUICK)
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_snippets_run_and_print_what_the_page_shows(page, as_quickly):
    printed = pages.execute(page, as_quickly)
    assert pages.differences(pages.snippets(TEXTS[page]), printed) == []


@pytest.mark.peers
@pytest.mark.parametrize(("page", "package"), PEERS)
def test_the_snippets_of_other_libraries_run(page, package, as_quickly):
    if importlib.util.find_spec(package) is None:  # not imported here: KerasTuner looks for TensorFlow when it is
        pytest.skip(f"{package} is not installed (extra 'peers')")
    printed = pages.execute(page, as_quickly, peer=package)
    assert pages.differences(pages.snippets(TEXTS[page]), printed, peer=package) == []


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_a_snippet_is_run_or_says_why_not(page):
    found = pages.snippets(TEXTS[page])
    pages.outputs(found)  # raises where an output is of no snippet
    for snippet in found:
        if snippet.kind == "json":
            json.loads(snippet.code)
        if snippet.about == "not run":
            assert len(snippet.value.split()) >= 3, f"line {snippet.line}: why is it not run?"


def sentences(text):
    """Return the sentences of a page's prose: no snippets, tables, headings, formulas, directives."""
    text = pages.FENCE.sub("\n\n", text)
    text = re.sub(r"<!--.*?-->|\$\$.*?\$\$", "\n\n", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|\]\[[^]]*\]|[\[!]", "", text)  # of a link, its words
    text = re.sub(r"\$[^$]+\$", "x", text)
    text = re.sub(r"`[^`]*`", "name", text)
    text = re.sub(r"^(\||#|:|\s*:::).*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"^\s*([-*]|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        yield from re.split(r"(?<=[.:;?])\s+", " ".join(paragraph.split()))


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_sentences_are_short(page):
    assert [s for s in sentences(TEXTS[page]) if len(s.split()) > LONGEST] == []


# --- how pages are read --------------------------------------------------------------------------------------------

PAGE = """
```python
print(1)
```

```text
1
```

<!-- not run: it takes an hour -->
```sh
jaxhpo tune mnist
```

<!-- peer: optuna -->
```python
import optuna
```
"""


def test_a_page_is_read():
    found = pages.snippets(PAGE)
    assert [(s.kind, s.about, s.value, s.line) for s in found] == [
        ("python", "", "", 3),
        ("text", "", "", 7),
        ("sh", "not run", "it takes an hour", 12),
        ("python", "peer", "optuna", 17),
    ]
    assert [s.code for s in pages.steps(found)] == ["print(1)\n"]
    assert [s.code for s in pages.steps(found, "optuna")] == ["import optuna\n"]
    assert pages.differences(found, {3: "1\n"}) == []
    (wrong,) = pages.differences(found, {3: "2\n"})
    assert wrong == "line 7: the page shows\n1\nand the snippet prints\n2"


def test_a_snippet_may_follow_a_generated_table():
    (snippet,) = pages.snippets("<!-- table: a -->\n\n| 1 |\n\n<!-- end -->\n\n```python\nprint(1)\n```\n")
    assert (snippet.kind, snippet.about, snippet.line) == ("python", "", 8)


def test_an_output_that_varies_has_the_same_lines():
    found = pages.snippets(PAGE.replace("```text", "<!-- output varies -->\n```text"))
    assert pages.differences(found, {3: "2.5 more\n"}) == []
    assert pages.differences(found, {3: "one\n"}) != []
    assert pages.differences(found, {3: "2\n3\n"}) != []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```yaml\na: 1\n```\n", "needs <!-- not run: REASON -->"),
        ("<!-- skip -->\n```python\n1\n```\n", "comment 'skip'"),
    ],
)
def test_what_is_not_understood_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        pages.snippets(text)


def test_an_output_of_no_snippet_is_refused():
    with pytest.raises(ValueError, match="line 2: no snippet before it"):
        pages.outputs(pages.snippets("```text\n1\n```\n"))
