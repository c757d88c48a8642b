"""What benchmarks write and print."""

import json

from benchmarks import record


def test_a_result_is_written_whole_and_printed_as_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    monkeypatch.setattr("sys.argv", ["x", "--data-dir", "/somewhere", "--no-save"])
    record.save("name", {"a": 1}, module="other", show=lambda whole: f"a is {whole['a']}")
    assert capsys.readouterr().out == "a is 1\n"
    kept = json.loads((tmp_path / "results" / "name.json").read_text())
    assert kept["a"] == 1
    assert kept["measured_on"]["command"] == "python -m benchmarks.other --data-dir DIR"
    record.save("name", {"a": 2}, write=False)
    assert json.loads(capsys.readouterr().out)["a"] == 2
    assert json.loads((tmp_path / "results" / "name.json").read_text())["a"] == 1


def test_a_gpus_results_lie_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    record.save("name", {"a": 1})
    monkeypatch.setattr(record.jax, "default_backend", lambda: "gpu")
    record.save("name", {"a": 2})
    kept = [json.loads((tmp_path / place / "name.json").read_text())["a"] for place in (".", "gpu")]
    assert kept == [1, 2]
