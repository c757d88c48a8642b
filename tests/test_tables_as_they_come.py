"""Tables as people have them, tuned by the command as they come, and rows that the saved model predicts."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaxhpo as jh
from jaxhpo import cli
from jaxhpo.data.tables.plan import read_features

ROWS = 40
RANDOM = np.random.default_rng(0)
SIZE = RANDOM.normal(50, 20, ROWS).round(2)
AGE = [*map(str, RANDOM.integers(18, 80, ROWS))]
TOWN = RANDOM.choice(["Rome", "Paris", "Oslo"], ROWS).tolist()
YES = np.where(SIZE + 10 * (np.array(TOWN) == "Rome") > 50, "yes", "no").tolist()
TOWNS = ["size", "town=Oslo", "town=Paris", "town=Rome"]
DAYS = pd.date_range("2020-01-05", periods=ROWS, freq="11D")
SPACE = {"units": {"type": "choice", "options": [4]}, "layers": {"type": "choice", "options": [1]}}
SPACE |= {"batch_size": {"type": "choice", "options": [8]}}


def lines(header, *columns, separator=","):
    """Return a file of some columns."""
    rows = [header.split(",")] if header else []
    rows += [[str(cell) for cell in row] for row in zip(*columns, strict=True)]
    return "\n".join(separator.join(row) for row in rows) + "\n"


def with_gaps(cells, mark="", every=5):
    return [mark if i % every == 2 else cell for i, cell in enumerate(cells)]


def comma(values):
    return [f"{value:.2f}".replace(".", ",") for value in values]


# Each: the file, the target, further options, the features, and how pandas reads the file for predictions.
TABLES = {
    "missing cells": (
        lines("size,age,town,y", with_gaps(SIZE), with_gaps(AGE, "NA", 4), with_gaps(TOWN, "", 3), YES),
        "y",
        [],
        ["size", "size is missing", "age", "age is missing", "town=Oslo", "town=Paris", "town=Rome", "town is missing"],
        {},
    ),
    "marks for missing cells": (
        lines("size,age,y", with_gaps(SIZE, "?"), with_gaps(AGE, "-"), YES),
        "y",
        [],
        ["size", "size is missing", "age", "age is missing"],
        {},
    ),
    "no header": (lines("", SIZE, TOWN, YES), "-1", [], ["0", "1=Oslo", "1=Paris", "1=Rome"], {"header": None}),
    "dates": (
        lines("Date,town,y", DAYS.strftime("%m/%d/%Y"), TOWN, YES),
        "y",
        [],
        ["Date year", "Date month", "Date weekday", "Date days", "town=Oslo", "town=Paris", "town=Rome"],
        {},
    ),
    "a date and a number": (
        lines("Date,Temp", DAYS.strftime("%Y-%m-%d"), SIZE),
        "Temp",
        ["--task", "regression"],
        ["Date year", "Date month", "Date weekday", "Date days"],
        {},
    ),
    "blanks around words": (
        lines("size, town , y", SIZE, [f"  {town} " for town in TOWN], [f" {yes}" for yes in YES]),
        "y",
        [],
        TOWNS,
        {},
    ),
    "semicolons and decimal commas": (
        lines("size,age,y", comma(SIZE), AGE, [1 + (yes == "yes") for yes in YES], separator=";"),
        "y",
        [],
        ["size", "age"],
        {"sep": ";", "decimal": ","},
    ),
    "numbers in dress": (
        lines("price,share,age,y", [f'"${v * 100:,.2f}"' for v in SIZE], [f"{a}%" for a in AGE], AGE, YES),
        "y",
        [],
        ["price", "share", "age"],
        {},
    ),
    "labels 1 and 2": (lines("size,town,y", SIZE, TOWN, [1 + (yes == "yes") for yes in YES]), "y", [], TOWNS, {}),
    "a class of three rows": (
        lines("size,town,y", SIZE, TOWN, ["rare" if i in (3, 17, 31) else yes for i, yes in enumerate(YES)]),
        "y",
        [],
        TOWNS,
        {},
    ),
    "an index and an identifier": (
        pd.DataFrame({"customer": [f"C{i:04}" for i in range(ROWS)], "size": SIZE, "y": YES}).to_csv(),
        "y",
        [],
        ["size"],
        {},
    ),
    "constant and empty columns": (
        lines("size,unit,note,y", SIZE, ["kg"] * ROWS, [""] * ROWS, YES),
        "y",
        [],
        ["size"],
        {},
    ),
    "mixed words and numbers": (
        lines("size,code,y", SIZE, [("7", "7b", "12")[i % 3] for i in range(ROWS)], YES),
        "y",
        [],
        ["size", "code=12", "code=7", "code=7b"],
        {},
    ),
    "sentences among other columns": (
        lines("size,note,y", SIZE, [f"was {town} in year {i} indeed" for i, town in enumerate(TOWN)], YES),
        "y",
        [],
        ["size"],
        {},
    ),
    "codes and a column that is overruled": (
        lines("zip,age,y", [("01234", "98765")[i % 2] for i in range(ROWS)], [20 + i % 3 for i in range(ROWS)], YES),
        "y",
        ["--column", "age=category"],
        ["zip=01234", "zip=98765", "age=20", "age=21", "age=22"],
        {"dtype": {"zip": str}},
    ),
    "rows without a target": (
        lines("size,town,y", SIZE, TOWN, with_gaps(YES)),
        "y",
        [],
        TOWNS,
        {},
    ),
    "tabs in a .csv, and amounts to predict": (
        lines("size,town,y", SIZE, TOWN, [f"{v * 1000:,.0f} EUR" for v in SIZE], separator="\t"),
        "y",
        ["--task", "regression"],
        TOWNS,
        {"sep": "\t"},
    ),
}


def run(*arguments):
    """Run the command on a file, with two small trials of one epoch."""
    quick = ["--trials", 2, "--epochs", 1, "--algorithm", "random_search", "--json", "--no-cache"]
    return CliRunner().invoke(cli.app, ["tune", *map(str, [*arguments, *quick])])


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_tuned_as_it_comes(name, tmp_path):
    content, target, options, features, reading = TABLES[name]
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    (tmp_path / "space.json").write_text(json.dumps(SPACE))
    done = run(path, "--target", target, *options, "--space", tmp_path / "space.json", "--save", tmp_path / "model")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["failed"] == 0
    model = jh.load_model(tmp_path / "model")
    assert list(model.data_spec.feature_names or ()) == features
    # Rows as pandas reads them become the features that the model was trained on.
    rows = pd.read_csv(path, skipinitialspace=True, **reading).rename(columns=lambda name: str(name).strip())
    y = rows.pop(rows.columns[-1] if target == "-1" else target)
    rows = rows[y.notna()].sample(frac=1, random_state=0)
    named = dict(option.split("=") for option in options if "=" in option)
    data = jh.data.load(path, target=target, task=model.data_spec.task, columns=named).pooled()  # as it has folds
    features = np.concatenate([data.x_train, data.x_valid, data.x_test])
    assert len(features) == len(rows)
    found = read_features(rows, model.data_spec.columns)
    np.testing.assert_array_equal(found[np.lexsort(found.T)], features[np.lexsort(features.T)])
    predicted = model.predict(rows)
    assert predicted.shape == (len(rows),)
    if model.data_spec.task == "classification":
        assert predicted.dtype.kind == ("i" if y.dtype.kind in "iu" else "U")
        assert set(predicted.tolist()) <= set(y.tolist())
    else:
        assert np.isfinite(predicted).all()
