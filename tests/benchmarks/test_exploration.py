"""What the study of exploration records, on a small one."""

import json
import math

import pytest

from benchmarks import exploration, record
from benchmarks.tables.pictures.exploration import plot


@pytest.mark.slow
def test_both_rules_are_recorded_and_nothing_is_written_unless_wanted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["exploration", "--quick", "--no-save"])
    exploration.main()
    assert list(tmp_path.iterdir()) == []
    result = json.loads(capsys.readouterr().out)
    studies = result["studies"]["none"]
    assert list(studies) == ["high_var_slower", "high_var_faster"]
    for rule, rows in studies.items():
        assert rows["trials"] == [0, 8]
        assert rows["epsilon"][0] == pytest.approx(0.2)
        assert rows["q_variance"][0] == 1 > rows["q_variance"][1] > 0
        rate = [0.1 / (1 + 10 * v) if rule == "high_var_slower" else 0.1 + 10 * v for v in rows["q_variance"]]
        assert rows["k"] == pytest.approx(rate, rel=1e-4)
        assert rows["epsilon"][1] == pytest.approx(0.2 * math.exp(-8 * rate[0]), rel=1e-3)
        assert 0 < rows["incumbent"][0] <= rows["incumbent"][1] <= 1
    assert studies["high_var_faster"]["epsilon"][1] < exploration.without_variance(result, 8)
    assert studies["high_var_slower"]["epsilon"][1] > exploration.without_variance(result, 8)


def test_the_picture_is_drawn_of_what_is_kept(tmp_path):
    kept = json.loads((record.RESULTS / "exploration.json").read_text())
    assert set(kept["studies"]) == set(exploration.PRIORS)
    plot(kept, tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
