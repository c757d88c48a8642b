"""The picture of the terminal is of what is kept."""

import json
import xml.etree.ElementTree as ET

import pytest

from benchmarks import record
from benchmarks.tables.pictures import terminal as picture
from benchmarks.training import terminal

KEPT = json.loads((record.RESULTS / "terminal.json").read_text(encoding="utf-8"))


def test_the_last_state_of_every_line_is_kept():
    written = "one\r\n\x1b[?25l\x1b[1mtuning\x1b[0m 1/2\r\x1b[2K\x1b[1mtuning\x1b[0m 2/2\r\n\x1b[?25hthree  \r\n"
    lines = terminal.screen(written)
    assert lines == ["one", "\x1b[1mtuning\x1b[0m 2/2", "three"]
    assert picture.plain({"screen": lines}) == "one\ntuning 2/2\nthree"


def words(drawn):
    """Return what an SVG shows, without spaces: they are of several kinds."""
    return "".join("".join(ET.fromstring(drawn).itertext()).split())


def test_the_committed_picture_is_drawn_of_what_is_kept():
    drawn, committed = picture.draw(KEPT), (record.RESULTS / "terminal.svg").read_text(encoding="utf-8")
    assert words(committed) == words(drawn)
    for line in ["$ jaxhpo tune digits", *picture.plain(KEPT).splitlines()]:
        assert "".join(line.split()) in words(committed)
    assert "http" not in committed.replace("http://www.w3.org/2000/svg", "")  # a font, say


@pytest.mark.slow
def test_a_study_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    lines = terminal.screen(terminal.record(["tune", "digits", *terminal._SHORT], str(tmp_path)))
    assert "8/8" in "\n".join(lines)
    assert lines[-1].startswith("8 trials in ")
