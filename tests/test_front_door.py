"""What the front door takes: data of every kind, functions, and arguments that go together."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.cli.options import read_options
from jaxhpo.report.console import best_table, closing_lines

SPACE = jh.Space(
    {
        "learning_rate": jh.Float(1e-3, 1e-1, log=True, levels=5),
        "batch_size": jh.Choice((8,)),
        "units": jh.Choice((4, 8)),
        "layers": jh.Choice((1,)),
    }
)
SMALL = {"space": SPACE, "trials": 2, "lanes": 2, "epochs": 2, "algorithm": "random_search"}
SMALL |= {"verbose": False, "cache": False}


def strict(line):
    """Read a line that has to be strict JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line, parse_constant=refuse)


@pytest.fixture(scope="module")
def table():
    """120 rows; `y` follows from two columns, `index` is not to be learnt from."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=120), "kind": random.choice(["red", "blue"], 120)})
    frame["y"] = 3 * frame["a"] + (frame["kind"] == "red") * 5 + 100
    return frame.assign(index=np.arange(120))


# --- data of every kind --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_regression_of_arrays():
    x = np.random.default_rng(0).normal(size=(100, 3))
    study = jh.tune((x, np.stack([x[:, 0], 5 * x[:, 1] + 9], 1)), task="regression", **SMALL)
    assert (study.summary["task"], study.summary["metric"], study.direction) == ("regression", "r2", "maximize")
    assert study.best.score == study.trials["score"].max()
    assert study.best_model().predict(x).shape == (100, 2)


@pytest.mark.slow
def test_a_metric_that_is_minimised(table):
    study = jh.tune(table, target="y", drop="index", task="regression", metric="rmse", **SMALL)
    assert study.direction == study.summary["direction"] == "minimize"
    assert study.best.score == study.trials["score"].min()
    assert study.incumbent["score"].is_monotonic_decreasing
    assert study.best_model().data_spec.shape == (3,)  # a, kind=blue, kind=red
    predicted = study.best_model().predict(np.array([[0.0, 0, 1]]))
    assert predicted.shape == (1,)
    assert closing_lines(study.summary)[0].startswith(f"Winner: trial {study.best.trial}, validation rmse ")
    scores = [float(cell) for cell in list(best_table(study).columns[1].cells)[:1]]
    assert scores[0] == pytest.approx(study.best.score, abs=1e-4)  # the best stands first


def test_files(table, tmp_path):
    table.to_csv(tmp_path / "rows.csv")  # with an index that has no name
    study = jh.tune(str(tmp_path / "rows.csv"), target="kind", **SMALL)  # it and "index" are left out
    assert (study.summary["data"], study.summary["train_examples"]) == ("rows", 76)  # of the last fold
    assert set(study.best_model().predict(np.ones((4, 2)))) <= {"red", "blue"}
    x = table[["a", "y"]].to_numpy()
    np.savez(tmp_path / "arrays.npz", x=x, y=(table["kind"] == "red").to_numpy().astype(int))
    again = jh.tune(tmp_path / "arrays.npz", **SMALL)
    assert again.summary["data"] == "arrays"
    assert again.trials["score"].notna().all()


def test_a_folder_of_images(tmp_path):
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for i in range(12):
            size = (6, 5) if label == "cat" else (9, 8)
            Image.fromarray(random.integers(0, 256, size).astype(np.uint8)).save(tmp_path / "pets" / label / f"{i}.png")
    with pytest.raises(ValueError, match=r"is 6x5 and .* is 9x8; give image_size=\(height, width\) to resize them"):
        jh.tune(tmp_path / "pets", **SMALL)
    study = jh.tune(tmp_path / "pets", model="mlp", image_size=(4, 3), **SMALL)
    model = study.best_model()
    assert model.data_spec.shape == (4, 3, 1)
    assert set(model.predict(random.integers(0, 256, (5, 4, 3)))) <= {"cat", "dog"}


def test_texts_put_their_words_into_the_output(tmp_path):
    texts = ["good film", "a bad film", "good good", "bad", "no good"] * 12
    labels = ["bad" if "bad" in text or "no" in text else "good" for text in texts]
    study = jh.tune((texts, labels), output=tmp_path / "out", **SMALL)
    header, *trials, result = [strict(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert header["header"]["vocabulary"][0] == "good"  # the most frequent word has the first token
    assert sorted(header["header"]["vocabulary"]) == ["a", "bad", "film", "good", "no"]
    assert len(trials) == 2
    assert "vocabulary" not in result["result"]
    assert study.best_model().words.words == tuple(header["header"]["vocabulary"])
    assert set(study.best_model().predict(["a good film", "bad", ""])) <= {"good", "bad"}


# --- arguments that do not go together -----------------------------------------------------------------------------


def check_refused(message, data, **options):
    with pytest.raises(ValueError) as error:
        jh.tune(data, **{"verbose": False, "cache": False} | options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("digits", {"target": "y"}, "target='y' is for your own data, and 'digits' has its own; leave it out"),
        ("digits", {"drop": ["y"]}, "drop=['y'] is for your own data, and 'digits' has its own; leave it out"),
        ("digits", {"task": "regression"}, "task='regression' is for your own data, and 'digits' has its own"),
        ("digits", {"image_size": (8, 8)}, "image_size=(8, 8) is for your own data, and 'digits' has its own"),
        (
            "digits",
            {"metric": "r2"},
            "metric='r2' is no metric of classification; use accuracy, balanced_accuracy, f1, roc_auc, log_loss, or a ",
        ),
        ("digits", {"minimize": True}, "minimize=True cannot go with metric='accuracy', of which higher is better"),
        ("digits", {"loss": "mse"}, "loss='mse' must be a function of outputs and targets, or None"),
        ("digits", {"final_fit": -1}, "final_fit=-1 must be a number of trainings, 0 for none"),
        ("digits", {"text": jh.TextOptions()}, "is for texts, and 'digits' holds image data; leave it out"),
        ("arrays", {"target": "y"}, "target='y' names a column of a table, and data is a tuple (x, y); leave it out"),
        ("arrays", {"drop": "y"}, "drop='y' names columns of a table, and data is a tuple (x, y); leave it out"),
        ("arrays", {"image_size": (4, 4)}, "image_size=(4, 4) is for a folder of images, and data is a tuple (x, y)"),
        ("arrays", {"task": "ranking"}, "task='ranking'"),
        ("table", {"target": "z"}, "target='z' is no column of"),
        ("table", {"target": "y", "drop": "z"}, "drop='z' is no column of"),
        ("table", {"target": "y", "drop": 3.5}, "drop=3.5 must be a column's name, or a list of them"),
        ("table", {"target": "y", "drop": "y"}, "target='y' is no column of"),
        ("table", {"image_size": (4, 4)}, "image_size=(4, 4) is for a folder of images, and data is a table"),
        ("csv", {"target": "y", "image_size": (4, 4)}, "image_size=(4, 4) is for a folder of images, and '"),
        ("npz", {"drop": ["y"]}, "drop=['y'] names columns of a table, and '"),
        ("folder", {"drop": ["y"]}, "drop=['y'] names columns of a table, and '"),
        ("folder", {"image_size": 32}, "image_size=32 must be (height, width), two integers of at least 1"),
        ("folder", {"task": "regression"}, "task='regression' is for arrays and tables, and '"),
    ],
)
def test_arguments_that_do_not_fit_the_data(data, options, message, table, tmp_path):
    table.to_csv(tmp_path / "rows.csv", index=False)
    np.savez(tmp_path / "arrays.npz", x=np.ones((20, 2)), y=np.arange(20) % 2)
    (tmp_path / "folder").mkdir()
    known = {
        "table": table,
        "csv": tmp_path / "rows.csv",
        "npz": tmp_path / "arrays.npz",
        "folder": tmp_path / "folder",
    }
    known["arrays"] = (np.ones((20, 2)), np.arange(20) % 2)
    check_refused(message, known.get(data, data), **options)


# --- the command ---------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(cli.app, ["tune", *map(str, arguments), "--no-cache"])


@pytest.fixture
def files(table, tmp_path):
    table.to_csv(tmp_path / "rows.csv")
    (tmp_path / "space.json").write_text(json.dumps(SPACE.to_json()))
    return tmp_path


def test_a_table_from_end_to_end(files):
    quick = ["--space", files / "space.json", "--trials", 2, "--epochs", 2, "--algorithm", "random_search", "--json"]
    own = ["--target", "y", "--task", "regression", "--metric", "rmse", "--drop", "Unnamed: 0,index"]
    done = run(files / "rows.csv", *own, *quick, "--final-fit", 2, "--save", files / "model", "--output", files / "out")
    assert done.exit_code == 0, done.output
    result = strict(done.stdout)
    where = f"are in '{files / 'model'}'; jaxhpo.load_model reads the recommended one, winner.\n"
    assert done.stderr == f"Winner and ensemble {where}"
    assert jh.load_model(files / "model" / "ensemble").predict(np.ones((2, 3))).shape == (2,)
    final = result["final"]
    assert (result["metric"], result["direction"], result["task"]) == ("rmse", "minimize", "regression")
    assert len(final["test_scores"]) == 2
    assert final["mean"] == pytest.approx(np.mean(final["test_scores"]))
    assert final["standard_error"] == pytest.approx(abs(np.diff(final["test_scores"])[0]) / 2)
    model = jh.load_model(files / "model")
    assert model.config == result["best"]["config"]
    data = jh.data.load(files / "rows.csv", target="y", task="regression", drop=["Unnamed: 0", "index"])
    error = model.predict(data.x_test).astype(float) - data.y_test
    assert np.sqrt(np.mean(error**2)) == pytest.approx(final["test_scores"][0], rel=1e-5)
    lines = [strict(line) for line in (files / "out").read_text().splitlines()]
    assert lines[-1]["result"]["final"] == final
    assert "vocabulary" not in lines[0]["header"]


def test_options_of_data_that_tune_lacks(files):
    given = {"target": "-1", "drop": "0", "columns": ["2=drop", "1=number"], "header": False, "train_examples": 50}
    (files / "rows.csv").write_text("".join(f"{i},{i / 4},x{i % 2},{'no' if i % 3 else 'yes'}\n" for i in range(120)))
    data, options = read_options(str(files / "rows.csv"), given | {"seed": 3, "words": None, "trials": 5})
    assert (data.feature_names, data.class_names, len(data.y_train)) == (("1",), ("no", "yes"), 50)
    named = jh.data.load(files / "rows.csv", target=3, drop=0, columns={2: "drop"}, train_examples=50, seed=3)
    np.testing.assert_array_equal(named.x_train, data.x_train)
    assert (options.seed, options.trials, options.target, options.drop) == (3, 5, None, ())
    np.savez(files / "series.npz", x=np.random.default_rng(0).normal(size=(60, 7, 3)), y=np.arange(60) % 2)
    with pytest.raises(ValueError, match="say which: kind='sequence' or kind='image'"):
        jh.data.load(files / "series.npz")
    data, _ = read_options(str(files / "series.npz"), {"kind": "sequence"})
    assert (data.kind, data.shape) == ("sequence", (7, 3))
    path, options = read_options("rows.csv", {"target": "-1", "columns": []})
    assert (path, options.target) == ("rows.csv", "-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "y"], "column 'y' holds 100.37719066328017 in row 0, not a whole number"),
        (["--target", "z", "--drop", "Unnamed: 0"], "error: --target 'z' is no column of"),
        (["--target", "y", "--drop", "index,z"], "error: --drop 'z' is no column of"),
        (["--target", "y", "--task", "regress"], "error: --task 'regress'"),
        (["--target", "y", "--drop", "Unnamed: 0", "--task", "regression", "--metric", "accuracy"], "'accuracy' is no"),
        (["--target", "y", "--drop", "Unnamed: 0", "--final-fit", "-1"], "error: "),
        (["--target", "y", "--image-size", "8x8"], "error: --image-size 8x8 is for a folder of images, and '"),
        (["--target", "y", "--column", "z=drop"], "error: --column z=drop is for no column of file '"),
        (["--target", "y", "--column", "a=colour"], "error: --column a=colour is unknown; use one of number, category"),
        (
            ["--target", "y", "--column", "y=number"],
            "error: --column y=number is for the target; leave it out, ",
        ),
        (["--column", "a=date", "--column", "a=drop"], "error: --column says twice what 'a' is: date and drop"),
        (["--target", "y", "--column", "a=day first"], "; column 'a' holds no dates, but '"),
        (["--target", "y", "--no-header"], "error: --target 'y' is no column of file '"),
        (["--image-size", "8"], "error: --image-size '8' must be height and width, such as 32x32"),
        (["--image-size", "8x-8"], "error: --image-size '8x-8' must be height and width, such as 32x32"),
        (["--image-size", "8x8x3"], "error: --image-size '8x8x3' must be"),
        (["--final-fit", "many"], "Invalid value"),
    ],
)
def test_bad_arguments_of_the_command(arguments, message, files):
    done = run(files / "rows.csv", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.output


def test_a_directory_that_is_there_is_refused_before_training(files, monkeypatch):
    (files / "model").mkdir()
    (files / "link").symlink_to(files / "nowhere")
    monkeypatch.setattr(cli.commands, "Tuning", None)  # it is not reached
    for name in ("model", "link", "rows.csv"):
        done = run(files / "rows.csv", "--target", "y", "--save", files / name)
        assert done.exit_code == 2
        assert f"error: --save '{files / name}' exists already; name a new directory" in done.stderr
    assert list((files / "model").iterdir()) == []


@pytest.mark.slow
def test_a_model_that_cannot_be_written_is_said(files):
    quick = ["--space", files / "space.json", "--trials", 2, "--epochs", 1]
    own = ["--target", "y", "--task", "regression", "--drop", "Unnamed: 0"]
    done = run(files / "rows.csv", *own, *quick, "--save", files / "rows.csv" / "model")
    assert done.exit_code == 1
    assert "Winner: trial" in done.stdout  # the study is shown all the same
    assert done.stderr.splitlines()[-1].startswith("error: --save '")
    assert "cannot be written" in done.stderr
    assert done.stderr.count("error: ") == 1
