"""Progress: a bar in a terminal, a line in a notebook that is there when it is saved, a line a round in a log."""

from functools import partial

import IPython.display
import pytest
from rich.console import Console

from jaxhpo.report import progress
from tests.study.test_study import run


class Page:
    """What a notebook shows: the content of one display, and how often it changed."""

    def __init__(self):
        self.shown = []

    def display(self, content, *, display_id):
        assert display_id
        self.update(content)
        return self

    def update(self, content):
        self.shown.append(content.data)


@pytest.fixture
def page(monkeypatch):
    page = Page()
    monkeypatch.setattr(IPython.display, "display", page.display)
    monkeypatch.setattr(progress, "Console", partial(Console, force_jupyter=True))
    return page


def test_a_notebook_has_one_line_that_changes(page):
    study = run(8)
    with progress.ProgressBar(8, 4, enabled=True, details=True) as shown:
        assert "compiling" in page.shown[-1]
        study._metrics[-1]["epsilon"] = 0.25
        shown(study, study.finished)
        assert "tuning" in page.shown[-1]
        assert f"8/8  best {study.best.score:.4f}  epsilon 0.25  4 lanes" in page.shown[-1]
    assert page.shown[-1].startswith("<div")
    assert "done" in page.shown[-1]
    assert len(page.shown) == 3


def test_a_study_that_is_interrupted_says_so(page):
    with progress.ProgressBar(16, 4, enabled=True) as shown:
        shown(run(8), [])
    assert "stopped" in page.shown[-1]


def test_a_log_has_a_line_a_round(capfd):
    study = run(8)
    study._metrics[-1]["epsilon"] = 0.25
    with progress.ProgressBar(16, 4, enabled=True) as shown:
        shown(study, [])
        shown(study, [])
    with progress.ProgressBar(16, 4, enabled=True, details=True) as shown:
        shown(study, [])
    captured = capfd.readouterr()
    best = f"8 of 16 trials, best {study.best.score:.4f}"
    assert captured.err.splitlines() == [
        f"{best}, 0 s",
        f"{best}, 0 s",
        f"{best}, epsilon 0.25, 4 lanes, 0 s",
    ]
    assert captured.out == ""


def test_nothing_is_shown_where_it_is_not_wanted(capfd):
    with progress.ProgressBar(8, 4, enabled=False) as shown:
        shown(run(8), [])
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
