"""Every example runs; every benchmark runs at its quick size."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_own_data(capsys):
    spec = importlib.util.spec_from_file_location("own_data", ROOT / "examples" / "own_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    study = module.main(trials=8)
    assert study.finished[0].config["learning_rate"] == 0.01
    assert study.best.score > 0.9
    assert "Best(" in capsys.readouterr().out


def test_every_example_is_tested():
    assert [p.name for p in (ROOT / "examples").iterdir() if p.suffix in (".py", ".ipynb")] == ["own_data.py"]


def test_the_benchmark_of_algorithms():
    command = [sys.executable, "-m", "benchmarks.algorithms", "--quick", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["methods"]["tabular_q"]["64 lanes"]["both_ms"] > 0
    assert result["measured_on"]["versions"]["jax"]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda p: p.name)
def test_every_result_says_where_it_comes_from(path):
    about = json.loads(path.read_text())["measured_on"]
    assert about["command"].startswith("python -m benchmarks.") or about["command"].startswith("jaxhpo ")
    assert about["device"]
    assert about["versions"]["jax"]
