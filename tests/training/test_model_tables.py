"""A model of a table predicts for DataFrames as they come: columns by name, categories as in training."""

import numpy as np
import pandas as pd
import pytest

import jaxhpo as jh
from jaxhpo.data.tables.by_name import features_of

ROWS = 60


@pytest.fixture(scope="module")
def table():
    random = np.random.default_rng(0)
    size = random.normal(size=ROWS).round(3)
    kind = random.choice(["a=b", "c"], ROWS)
    label = np.where((size > 0) == (kind == "c"), "yes", "no")
    return pd.DataFrame({"size": size, "kind=of": kind, "label": label})


@pytest.fixture(scope="module")
def model(table):
    space = jh.Space({"learning_rate": jh.Choice((0.03,)), "units": jh.Choice((16,)), "batch_size": jh.Choice((8,))})
    options = {"space": space, "trials": 1, "epochs": 30, "algorithm": "random_search", "cache": False}
    return jh.tune(table, folds=1, **options, verbose=False).best_model()


def test_features_by_name(table):
    names = ("size", "kind=of=a=b", "kind=of=c")
    found = features_of(table, names)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, 0], table["size"].astype(np.float32))
    np.testing.assert_array_equal(found[:, 1], table["kind=of"] == "a=b")
    np.testing.assert_array_equal(found.sum(axis=1), found[:, 0] + 1)
    other = features_of(table.assign(**{"kind=of": "new"}), names)
    assert not other[:, 1:].any()  # a category that training lacks


@pytest.mark.slow
def test_columns_may_come_in_any_order_and_with_others(model, table, tmp_path):
    predicted = model.predict(table)
    assert np.mean(predicted == table["label"]) > 0.9
    np.testing.assert_array_equal(model.predict(table[table.columns[::-1]]), predicted)
    np.testing.assert_array_equal(model.predict(table.drop(columns="label").assign(id=1)), predicted)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(jh.load_model(tmp_path / "model").predict(table), predicted)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="size"), "x lacks the column 'size'; it has kind=of, label"),
        (lambda t: t[["label"]], "x lacks the columns 'size', 'kind=of'; it has label"),
        (lambda t: t.assign(size="big"), "x column 'size' holds 'big' in row 0, not a number"),
        (
            lambda t: t[["size", "size", "kind=of"]],
            "x has the column 'size' twice; rename or drop one",
        ),
    ],
)
def test_another_table_is_refused_in_a_line(model, table, change, message):
    with pytest.raises(ValueError) as refused:
        model.predict(change(table))
    assert str(refused.value) == message


@pytest.mark.slow
def test_what_a_new_table_lacks_is_said_in_a_line(model, table):
    worse = table.assign(size=table["size"].where(table.index > 1))
    worse.loc[[0, 5, 6], "kind=of"] = ["d", None, " c "]
    said = (
        "x: column 'size' has no value in 2 rows, and always had one in training; column 'kind=of' has 'd' and other "
        "words that training lacks in 1 row; column 'kind=of' has no value in 1 row, and always had one in training"
    )
    with pytest.warns(RuntimeWarning, match=said) as warned:
        found = model.outputs(worse)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    train = jh.data.load(table).x_train
    filled = np.stack([table["size"], table["kind=of"] == "a=b", table["kind=of"] == "c"], 1).astype(np.float32)
    filled[:2, 0], filled[[0, 5], 1:] = np.median(train[:, 0]), 0
    filled[6, 1:] = [0, 1]
    np.testing.assert_array_equal(found, model.outputs(filled))


@pytest.mark.slow
def test_a_model_in_a_line(model):
    assert repr(model).startswith("Model(table, classification, ")
    assert "parameters: learning_rate=0.03, units=16, batch_size=8)" in repr(model)
