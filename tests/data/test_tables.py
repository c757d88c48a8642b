"""Tables: which columns become which features, and what is refused, with its place."""

import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from jaxhpo.data import TextOptions, from_table, load

COLOURS = ("red", "green", "blue")
FRAME = pd.DataFrame(
    {
        "size": np.arange(30) * 3,  # which would count the rows in steps of 1
        "colour": [COLOURS[i % 3] for i in range(30)],
        "new": np.arange(30) % 4 == 0,
        "price": np.arange(30) * 2.5,
        "label": ["no", "yes"] * 15,
    }
)
NAMES = ("size", "colour=blue", "colour=green", "colour=red", "new", "price")


def expected(size):
    """Return the features of FRAME's row with this size."""
    i = int(size) // 3
    return [size, i % 3 == 2, i % 3 == 1, i % 3 == 0, i % 4 == 0, 2.5 * i]


@pytest.fixture(params=["frame", "csv", "csv.gz", "tsv", "parquet"])
def source(request, tmp_path):
    """Return FRAME in each form."""
    path = tmp_path / f"things.{request.param}"
    if request.param == "frame":
        return FRAME
    if request.param == "parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if request.param == "tsv" else ",")
    return path


def test_features_by_hand(source):
    d = load(source)
    assert (d.name, d.kind, d.shape) == ("table" if source is FRAME else "things", "vector", (6,))
    assert d.feature_names == NAMES
    assert d.class_names == ("no", "yes")
    assert d.x_train.dtype == np.float32
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [18, 6, 6]
    for x, y in ((d.x_train, d.y_train), (d.x_valid, d.y_valid), (d.x_test, d.y_test)):
        np.testing.assert_array_equal(x, [expected(row[0]) for row in x])
        np.testing.assert_array_equal(y, x[:, 0] % 2)  # three times a number is odd where the number is
    np.testing.assert_array_equal(load(source).x_test, d.x_test)
    assert not np.array_equal(load(source, seed=1).x_test, d.x_test)


def test_regression():
    d = load(FRAME, target="price", task="regression")
    assert (d.task, d.outputs) == ("regression", 1)
    assert d.feature_names == (*NAMES[:5], "label=no", "label=yes")
    np.testing.assert_array_equal(d.y_train, 2.5 / 3 * d.x_train[:, 0])
    two = from_table(FRAME, ["price", "size"], task="regression", drop="label", name="mine")
    assert (two.name, two.outputs, two.feature_names) == ("mine", 2, NAMES[1:5])
    np.testing.assert_array_equal(two.y_test[:, 0], 2.5 / 3 * two.y_test[:, 1])


@pytest.mark.parametrize("name", ["target", "Label", "Y", "CLASS"])
def test_the_target_is_found_by_its_name(name):
    assert load(FRAME.rename(columns={"label": name})).class_names == ("no", "yes")


def test_targets_of_numbers_and_bools():
    assert load(FRAME.drop(columns="label"), target="new").classes == 2
    d = load(FRAME.assign(label=np.arange(30) % 3))
    assert (d.classes, d.class_names) == (3, None)


def test_categories_are_those_of_training_rows():
    rare = FRAME.copy()
    test = load(FRAME).x_test[:, 0].astype(int) // 3
    rare.loc[test[0], "colour"] = "gold"  # the split depends on the labels alone
    d = load(rare)
    assert d.feature_names == NAMES
    np.testing.assert_array_equal(d.x_test[0, 1:4], [0, 0, 0])


def test_categories_of_numbers():
    d = load(FRAME.assign(colour=pd.Categorical(np.arange(30) % 2 + 5)))
    assert d.feature_names[1:3] == ("colour=5", "colour=6")


def test_numbers_of_other_dtypes():
    frame = FRAME.assign(
        size=FRAME["size"].astype("Int16"), new=FRAME["new"].astype("boolean"), price=FRAME["price"].astype(object)
    )
    np.testing.assert_array_equal(load(frame).x_test, load(FRAME).x_test)


def test_a_single_column_of_texts_is_text():
    reviews = [f"{('good', 'bad')[i % 2]} film of the year {1950 + i}" for i in range(20)]
    frame = pd.DataFrame({"review": reviews, "y": np.arange(20) % 2})
    d = load(frame, text=TextOptions(length=5))
    assert (d.kind, d.shape, d.feature_names) == ("text", (5,), None)
    assert d.words is not None
    assert {"good", "bad", "film"} < set(d.words.words)
    assert d.notes == ("column 'review' holds texts, which become tokens",)
    assert load(frame.assign(y=np.arange(20.0)), task="regression").kind == "text"
    few = frame.assign(review=[("good film", "bad film")[i % 2] for i in range(20)])
    for same in (few, few.assign(review=few["review"].astype("category")), few.assign(id=range(20))):
        assert load(same).feature_names == ("review=bad film", "review=good film")
    assert load(few, columns={"review": "text"}).kind == "text"


def test_a_byte_order_mark_is_no_name(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbf" + FRAME.to_csv(index=False).encode())
    assert load(path).feature_names == NAMES


def test_quoted_cells_may_span_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,y\n" + "".join(f'"good, or\nbad {i}",{i % 2}\n' for i in range(20)), encoding="utf-8")
    assert load(path).kind == "text"


def edited(**columns):
    return FRAME.assign(**columns)


def cell(column, row, value):
    values = FRAME[column].astype(object).tolist()
    values[row] = value
    return edited(**{column: values})


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (
            cell("price", 7, "dear"),
            {},
            "the table: column 'price' holds 'dear' first in row 7, among numbers; mend it, or say columns={'price': "
            "'number'}, which takes such cells as missing, or leave it out: drop=['price']",
        ),
        (
            cell("price", 7, np.inf),
            {"target": "price", "task": "regression"},
            "the table: column 'price' holds no finite number first in row 7; mend, scale or drop such rows",
        ),
        (
            cell("price", 7, "?"),
            {"target": "price", "task": "regression"},
            "column 'price' holds no finite number first in row 7",
        ),
        (
            edited(price=[*(f"{i}/9/2020" for i in range(1, 30)), "soon"]),
            {},
            "column 'price' holds 'soon' first in row 29, among dates",
        ),
        (
            edited(price=pd.timedelta_range(0, periods=30, unit="s")),
            {},
            "column 'price' holds timedelta64 values (timedelta64[s]); make it numbers or words, or leave it out",
        ),
        (
            edited(price=[[i, i] for i in range(30)]),
            {},
            "column 'price' holds mixed values (object); make it numbers or wor",
        ),
        (
            edited(price=[f"{i % 9 + 1}/{i % 7 + 1}/2020" for i in range(30)]),
            {},
            "column 'price' holds dates such as '8/1/2020', whose day or month may come first; say which: columns={'",
        ),
        (
            cell("price", 7, "dear").assign(
                new=[[1]] * 30, colour=pd.date_range("2020", periods=30), label=FRAME["size"] + 0.5
            ),
            {"columns": {"colour": "number"}},
            "the table: 4 columns are wrong: column 'label' holds 0.5 in row 0, not a whole number; give labels that "
            "are whole numbers or texts, or task='regression'; column 'colour' holds dates, not numbers; give another "
            "kind, or leave it out: drop=['colour']; column 'new' holds mixed values (object); make it numbers or "
            "words, or leave it out: drop=['new']; column 'price' holds 'dear' first in row 7, among num",
        ),
        (
            FRAME[["size", "label"]].assign(size=2.5),
            {},
            "the table has no column left to learn from: column 'size' is left out: the same value in every row; say "
            "what a column is, such as columns={'NAME': 'category'}, or 'text' for one",
        ),
        (
            FRAME,
            {"columns": {"colour": "words"}},
            "columns={'colour': 'words'} is unknown; use one of number, category, date, day first, month first, ",
        ),
        (FRAME, {"columns": ["colour"]}, "columns=['colour'] must be a dict, such as {'zip': 'category'}"),
        (FRAME, {"columns": {"cost": "drop"}}, "columns={'cost': 'drop'} is for no column of the table; it has size, "),
        (
            FRAME,
            {"columns": {"label": "drop"}},
            "columns={'label': 'drop'} is for the target; leave it out, and see task=",
        ),
        (FRAME, {"columns": {"colour": "text"}}, "column 'colour' is said to be text, but other columns are left"),
        (FRAME, {"columns": {"colour": "date"}}, "column 'colour' holds no dates, but 'red' first; give another kind"),
        (FRAME, {"header": False}, "header=False is for files, and the table is a DataFrame; leave it out"),
        (edited(price=1e12 + FRAME["price"]), {}, "column 'price' holds numbers of about 1e+12 that differ too little"),
        (edited(label="no"), {}, "column 'label' holds the single class 'no'; give at least two"),
        (
            edited(label=np.arange(30) % 12 + 1),
            {},
            "column 'label' holds 12 different numbers in 30 rows, which read as amounts: task='regression'; if they",
        ),
        (edited(label=["rare"] * 2 + ["common"] * 28), {}, "column 'label': only class 'common' has 3 examples or mo"),
        (
            FRAME,
            {"target": "price"},
            "column 'price' holds 2.5 in row 1, not a whole number; give labels that are whole numbers or te",
        ),
        (FRAME, {"task": "regression"}, "column 'label' holds words, not numbers"),
        (
            edited(price=3.0),
            {"target": "price", "task": "regression"},
            "column 'price' holds the same number 3.0 in every row; there is nothing to learn",
        ),
        (
            FRAME.drop(columns="label"),
            {},
            "the table has no column called target, label, y, class; give target=, one of size, colour, new, price",
        ),
        (edited(y=FRAME["new"]), {}, "the table has the columns label, y; give target="),
        (FRAME, {"target": "cost"}, "target='cost' is no column of the table; it has size, colour, new, price, label"),
        (FRAME, {"target": ["new", "label"]}, "names 2 columns; give one, or task='regression'"),
        (FRAME, {"target": []}, "target=[] must be a column's name, or a list of different ones"),
        (FRAME, {"target": 3.5}, "target=3.5 must be a column's name"),
        (FRAME, {"target": 3}, "target='3' is no column of the table; it has size, colour"),
        (FRAME, {"target": -6}, "target='-6' is no column of the table; it has size, colour"),
        (edited(label=None), {}, "column 'label' has a value in 0 of 30 rows; give the column to predict: target="),
        (FRAME[["label"]], {}, "the table has no column beside the target 'label'"),
        (FRAME[:0], {}, "the table has no rows"),
        (FRAME[:1], {}, "the table has a single row"),
        (FRAME[:4], {}, "column 'label': no class has 3 examples or more; a split in three needs two such"),
        (
            FRAME.set_axis(["a", "b", "a", "c", "label"], axis=1),
            {},
            "the table has the column 'a' twice; rename or drop one",
        ),
        (FRAME, {"task": "guess"}, "task='guess' is unknown; use one of classification, regression"),
        (FRAME, {"text": TextOptions()}, "is for texts, and 'table' holds vector data; leave it out"),
    ],
)
def test_bad_tables(frame, options, message):
    with pytest.raises(ValueError) as error:
        load(frame, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_drops():
    with pytest.raises(ValueError, match=r"drop=3.5 must be a column's name, or a list of them"):
        from_table(FRAME, drop=3.5)
    with pytest.raises(ValueError, match="drop='id' is no column of the table; it has size, "):
        from_table(FRAME, drop=["id"])
    with pytest.raises(ValueError, match="target='price' is no column of the table"):
        from_table(FRAME, "price", drop=["price"])


CSV = "a,colour,y\n" + "".join(f"{i},{COLOURS[i % 3]},{i % 2}\n" for i in range(20))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a,colour,y\n", "has no rows"),
        (b"a,colour,y\n1,red,0\n", "has a single row; give one row an example"),
        (CSV.replace("7,", "x,", 1).encode(), "t.csv': column 'a' holds 'x' first in line 9, among numbers"),
        (CSV.replace("\n7,", "\n\nx,", 1).encode(), "t.csv': column 'a' holds 'x' first in row 7, among numbers"),
        (
            CSV.replace("red", "r\u00f6t").encode("latin-1"),
            "is not UTF-8 in line 2 (invalid start byte); save it as UTF-8",
        ),
        (CSV.encode("utf-16"), "is not UTF-8 in line 1"),
        (CSV.replace("\n7,", "\n7,9,").encode(), "cannot be parsed: Expected 3 fields in line 9, saw 4"),
        (CSV.replace(",y\n", "\n").encode(), "cannot be parsed: its rows have more cells than its header"),
        (CSV.replace("a,colour", "a,a").encode(), "has the column 'a' twice"),
    ],
)
def test_bad_csv(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        load(path)
    assert message in str(error.value)
    assert "t.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_index_is_left_out(tmp_path):
    path = tmp_path / "t.csv"
    FRAME.to_csv(path)
    d = load(path)
    assert d.feature_names == NAMES
    assert d.notes == ("column 'Unnamed: 0' is left out: identifiers, which differ in every row",)
    assert from_table(path, drop="Unnamed: 0").notes == ()
    FRAME.sample(frac=1, random_state=0).to_csv(path)
    assert load(path).feature_names == NAMES  # under no name, numbers need not be in order


# A name each: pytest would name them by their bytes, and gzip writes down the time, which differs between workers.
@pytest.mark.parametrize(
    "content", [CSV.encode(), gzip.compress(CSV.encode())[:-20], b""], ids=["not gzip", "cut off", "empty"]
)
def test_a_damaged_gzip_file(tmp_path, content):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file '.*t.csv.gz' (cannot be read|is empty)"):
        load(path)


def test_a_damaged_parquet_file(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(ValueError, match=r"file '.*t.parquet' cannot be read: ") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"file '.*t.parquet' needs pyarrow: pip install pyarrow"):
        load(path)
