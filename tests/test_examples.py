"""Every example runs, the notebooks too, and is what the README promises; every benchmark runs at its quick size."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn.metrics import f1_score

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
LENGTHS = {"traceable_equinox.py": 70, "traceable_ppo.py": 125}  # whole algorithms and networks; others have 40 lines
NOTEBOOKS = ("first_steps", "your_own_model")
TRIALS, EPOCHS = 8, 2  # of a notebook under test


@pytest.fixture
def run(capsys, users_settings):
    """Return a script's study of a few trials, and what it printed."""

    def run(name):
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        study = module.main(trials=8)
        assert len(study.finished) == 8
        assert not any(trial.failed for trial in study.finished)
        return study, capsys.readouterr().out

    return run


# --- scripts -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_own_data(run):
    study, printed = run("own_data")
    assert study.finished[0].config["learning_rate"] == 0.01
    assert study.best.score > 0.9
    assert "Best(" in printed


@pytest.mark.slow
def test_own_linen_model(run):
    study, printed = run("own_linen_model")
    assert study.summary["model"] == "Residual"
    assert {trial.config["width"] for trial in study.finished} == {16, 32}
    assert study.best.score > 0.6
    assert study.best.test_score > 0.6
    assert "median" in printed


@pytest.mark.slow
def test_own_nnx_model(run):
    study, printed = run("own_nnx_model")
    assert study.summary["model"] == "Net"
    assert study.best_model().networks[0].statistics  # of the batch norm
    found = re.findall(r"^(malignant|benign): (\d+) of (\d+) recognised$", printed, re.MULTILINE)
    assert [(name, total) for name, _, total in found] == [("malignant", "42"), ("benign", "72")]
    assert sum(int(right) for _, right, _ in found) / (42 + 72) == pytest.approx(study.best.test_score)
    assert study.best.test_score > 0.85


@pytest.mark.slow
def test_flax_cnn(run):
    study, printed = run("flax_cnn")
    assert (study.summary["model"], study.summary["metric"]) == ("CNN", "f1_score")
    digits = study.trainer.data
    said = study.best_model().predict(digits.x_test)
    assert study.best.test_score == pytest.approx(f1_score(digits.y_test, said, average="macro"))
    assert study.best.score > 0.8
    assert "Best(" in printed


@pytest.mark.slow
def test_nnx_tutorial(run):
    study, printed = run("nnx_tutorial")
    assert study.summary["model"] == "CNN"
    assert study.best.score > 0.8
    mean = study.best_model().statistics["norm"]["mean"]
    assert np.all(mean != 0)
    assert "Best(" in printed


@pytest.mark.slow
def test_resnet(run):
    study, printed = run("resnet")
    assert study.summary["model"] == "ResNet"
    assert study.best.score > 0.7
    layers = study.best_model().statistics["batch_stats"]
    assert len(layers) == 4  # two in each of two blocks
    assert all(np.all(layer["mean"] != 0) for layer in layers.values())
    assert "Best(" in printed


@pytest.mark.slow
def test_regression_table(run):
    study, printed = run("regression_table")
    assert study.direction == "minimize"
    assert study.best.score == study.trials["score"].min()
    assert study.best.score < 70  # the mean of all patients has 77
    assert len(study.final.test_scores) == 3
    assert study.final.mean < 77
    table = [line.split() for line in printed.splitlines() if re.match(r"\d ", line)]
    assert [float(row[1]) for row in table] == [151, 75, 141, 206, 135]
    assert all(0 < float(row[2]) < 400 for row in table)


@pytest.mark.slow
def test_traceable_function(run):
    study, printed = run("traceable_function")
    scores = study.trials["score"]
    assert scores.between(0, 200).all()
    assert scores.max() > 100  # balanced most of the time, and hardly at all at the lowest rates
    assert scores.min() < 50
    assert "Best(" in printed


@pytest.mark.slow
def test_traceable_ppo(run):
    study, printed = run("traceable_ppo")
    lengths = np.stack([trial.aux["length"] for trial in study.finished])
    assert lengths.shape == (8, 40)
    assert ((lengths >= 1) & (lengths <= 200)).all()
    np.testing.assert_allclose(study.trials["score"], lengths.mean(axis=1), rtol=1e-5)
    best = lengths[study.best.trial]
    assert best[0] < 50  # who pushes at random keeps the pole up for some 20 steps
    assert best[-10:].mean() > 100
    assert {trial.config["activation"] for trial in study.finished} == {"tanh", "relu"}
    compared = study.summary["alone"]  # None where the first round takes more than half a minute
    assert compared is None or "fault" not in compared["verdicts"]
    assert "Best(" in printed


@pytest.mark.slow
def test_traceable_equinox(run):
    pytest.importorskip("equinox", reason="equinox is not installed (extra 'test')")
    study, printed = run("traceable_equinox")
    assert study.summary["plan"]["engine"] == "vmap"
    assert {trial.config["units"] for trial in study.finished} == {16, 64}
    assert 0.85 < study.best.score <= 1
    compared = study.summary["alone"]  # None where the first round takes more than half a minute
    assert compared is None or "fault" not in compared["verdicts"]
    assert "median" in printed


@pytest.mark.slow
def test_python_function(run):
    study, printed = run("python_function")
    assert study.summary["plan"]["engine"] == "processes"
    assert 0.85 < study.best.score < 1
    assert "Best(" in printed


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short_and_says_how_it_is_run(name):
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) < LENGTHS.get(name, 40)
    assert text.startswith('"""')
    assert f"\n\npython examples/{name}\n" in text.split('"""')[1]
    assert text.endswith('\n\nif __name__ == "__main__":\n    main()\n')


# --- notebooks -----------------------------------------------------------------------------------------------------


def read(name):
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)


def codes(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def images(notebook):
    return [o for cell in codes(notebook) for o in cell.outputs if "image/png" in o.get("data", {})]


@pytest.fixture
def execute(monkeypatch, tmp_path, as_quickly):
    """Execute a notebook at a small size, in this interpreter; return it and what `facts` is in its kernel."""
    for name, value in as_quickly.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # not a kernel of the user's
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def execute(name, facts):
        notebook = read(name)
        (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        assert set(re.findall(r"^(\w+) = \d+$", parameters.source, re.MULTILINE)) == {"TRIALS", "EPOCHS"}
        parameters.source = f"TRIALS = {TRIALS}\nEPOCHS = {EPOCHS}"
        last = f"import json, sys\n\nprint(json.dumps({{'python': sys.executable, {facts}}}))"
        notebook.cells.append(nbformat.v4.new_code_cell(last))
        where = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, kernel_name="python3", timeout=300, resources=where).execute()  # raises on an error
        found = json.loads(notebook.cells.pop().outputs[0].text)
        assert found.pop("python") == sys.executable
        printed = [o for cell in codes(notebook) for o in cell.outputs if o.get("name") == "stderr"]
        assert printed == []
        return notebook, found

    return execute


@pytest.mark.slow
def test_first_steps(execute):
    facts = "'trials': len(study.finished), 'mlp': len(mlp.finished), 'final': [*final.test_scores], "
    facts += "'curve': len(study.finished[0].aux['curve']), 'wrong': len(wrong), 'tested': len(predicted)"
    notebook, found = execute("first_steps", facts)
    assert (found["trials"], found["mlp"], found["curve"]) == (TRIALS, 4 * TRIALS, EPOCHS)
    assert len(found["final"]) == 3
    assert min(found["final"]) > 0.5  # ten classes
    # `best_model` is the first of the final ones.
    assert 1 - found["wrong"] / found["tested"] == pytest.approx(found["final"][0])
    assert len(images(notebook)) == len(images(read("first_steps"))) == 5


@pytest.mark.slow
def test_your_own_model(execute):
    facts = "'worst': digits_study.best.score, 'unsure': diabetes_study.best.score, 'ridge': ridge_study.best.score, "
    facts += "'library': str(library), 'classes': len(set(labels)), "
    facts += "'loaded': np.array_equal(loaded.outputs(images), digits_study.best_model().outputs(images))"
    notebook, found = execute("your_own_model", facts)
    assert found["loaded"] is True
    assert 0 <= found["worst"] <= 1
    assert found["unsure"] < 2
    assert found["classes"] == 3
    assert found["library"] in ("jax", "numpy", "pandas")
    assert found["ridge"] > 0.3
    assert len(images(notebook)) == len(images(read("your_own_model"))) == 3


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_starts_with_a_link_and_the_installation(name):
    notebook = read(name)
    install = codes(notebook)[0].source
    (repository,) = re.findall(r'^REPOSITORY = "https://github\.com/([\w-]+/[\w-]+)"', install, re.MULTILINE)
    assert '\nif importlib.util.find_spec("jaxhpo") is None:\n    %pip install -q "git+{REPOSITORY}"' in install
    link = f"https://colab.research.google.com/github/{repository}/blob/main/examples/{name}.ipynb"
    assert f"]({link})" in notebook.cells[0].source
    assert "Runtime" in notebook.cells[0].source


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_as_one_run_left_it(name):
    path = EXAMPLES / f"{name}.ipynb"
    assert path.stat().st_size < 400_000
    notebook = read(name)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in codes(notebook)] == list(range(1, len(codes(notebook)) + 1))
    outputs = [output for cell in codes(notebook) for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    for output in outputs:
        text = output.get("text", "") + "".join(v for k, v in output.get("data", {}).items() if k.startswith("text/"))
        assert not re.search(r"/(work|tmp|home|root|usr|opt|Users|var)/|site-packages|[A-Z]:\\|Warning", text)


def test_every_example_is_tested():
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    files = [path for path in EXAMPLES.iterdir() if path.name != "__pycache__"]
    assert {path.suffix for path in files} == {".py", ".ipynb"}
    assert {path.stem for path in files} <= tested
    assert {path.stem for path in files if path.suffix == ".ipynb"} == set(NOTEBOOKS)


# --- benchmarks ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_benchmark_of_algorithms():
    methods = ["--methods", "tabular_q,tpe,asha"]  # enough to see that it runs
    command = [sys.executable, "-m", "benchmarks.algorithms", "--quick", "--no-save", *methods]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["methods"]["tabular_q"]["8 lanes"]["both_ms"] > 0
    assert result["measured_on"]["versions"]["jax"]


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda p: p.name)
def test_every_result_says_where_it_comes_from(path):
    about = json.loads(path.read_text())["measured_on"]
    assert about["command"].startswith("python -m benchmarks.") or about["command"].startswith("jaxhpo ")
    assert about["device"]
    assert about["versions"]["jax"]
