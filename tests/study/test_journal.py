import json
import math

import pytest

from jaxhpo.study import Journal, Study
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
