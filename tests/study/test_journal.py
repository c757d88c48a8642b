import json
import math
from dataclasses import replace

import pytest

from jaxhpo.study import Journal, Study, read_journal
from tests.study.toy import SPACE, objective, search


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_round_is_on_disk_before_the_next(tmp_path):
    path = tmp_path / "study.jsonl"
    journal = Journal(path, {"seed": 0})
    seen = []

    def count(study, trials):
        seen.append(len(lines(path)))

    study = Study(SPACE, search(), objective(), on_trial=journal.append).run(10, callbacks=[count])
    assert seen == [5, 9, 11]
    journal.finish({"trials": 10})
    header, *trials, result = lines(path)
    assert header == {"header": {"seed": 0}}
    assert result == {"result": {"trials": 10}}
    assert [t["config"] for t in trials] == [t.config for t in study.finished]
    for row, trial in zip(trials, study.finished, strict=True):
        assert row["score"] == (None if math.isnan(trial.score) else trial.score)


def test_a_line_has_a_standard_error_only_where_it_is_known(tmp_path):
    path = tmp_path / "study.jsonl"
    journal = Journal(path, {"seed": 0, "space": SPACE.to_json()})
    study = Study(SPACE, search(), objective(), on_trial=journal.append).run(4)
    journal.append(replace(study.finished[0], trial=4, standard_error=0.25))
    journal.finish({})
    *before, known = [row for row in lines(path) if "trial" in row]
    assert not any("standard_error" in row for row in before)
    (first,) = [row for row in before if row["trial"] == 0]
    assert known == first | {"trial": 4, "standard_error": 0.25, "seconds": known["seconds"]}
    assert [trial.trial for trial in read_journal(path).finished] == [0, 1, 2, 3, 4]


def test_a_file_that_exists_is_never_touched(tmp_path):
    path = tmp_path / "study.jsonl"
    path.write_text("precious")
    with pytest.raises(ValueError, match=r"study\.jsonl' exists already; name a new file"):
        Journal(path, {})
    assert path.read_text() == "precious"


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="cannot be written: No such file or directory; name another file"):
        Journal(tmp_path / "nowhere" / "study.jsonl", {})
    with pytest.raises(ValueError, match=r"exists already|cannot be written"):
        Journal(tmp_path, {})
