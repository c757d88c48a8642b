"""Files of tables as people have them: separators, headers or none, decimal commas, codes, blanks."""

import numpy as np
import pytest

from jaxhpo.data import load

NAMES = ("size", "colour", "y")
ROWS = [(f"{i * 1.25:.2f}", ("red", "green", "blue")[i % 3], str(i % 2)) for i in range(30)]
FEATURES = ("size", "colour=blue", "colour=green", "colour=red")


def written(tmp_path, rows, header=NAMES, separator=",", name="t.csv", before=""):
    """Return the path of a file of rows."""
    lines = [separator.join(row) for row in ([header] if header else []) + list(rows)]
    path = tmp_path / name
    path.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def usual(tmp_path):
    """Return the data set of the file with a header and commas."""
    data = load(written(tmp_path, ROWS, name="usual.csv"))
    assert (data.feature_names, data.notes) == (FEATURES, ())
    return data


@pytest.mark.parametrize(
    ("separator", "name", "said"),
    [
        (";", "t.csv", ("cells are separated by ';'",)),
        ("|", "t.csv", ("cells are separated by '|'",)),
        ("\t", "t.csv", ("cells are separated by tabs",)),
        ("\t", "t.tsv", ()),
        (",", "t.tsv", ("cells are separated by ','",)),
        (", ", "t.csv", ()),
        (" ; ", "t.csv", ("cells are separated by ';'",)),
    ],
)
def test_separators(usual, separator, name, said, tmp_path):
    data = load(written(tmp_path, ROWS, separator=separator, name=name))
    assert (data.feature_names, data.notes) == (FEATURES, said)
    np.testing.assert_array_equal(data.x_train, usual.x_train)


def test_the_line_that_tells_excel_the_separator(usual, tmp_path):
    data = load(written(tmp_path, ROWS, separator=";", before="sep=;\n"))
    np.testing.assert_array_equal(data.x_test, usual.x_test)
    broken = [*ROWS[:29], ("much", "red", "0")]
    with pytest.raises(ValueError, match="column 'size' holds 'much' first in line 32, among numbers"):
        load(written(tmp_path, broken, separator=";", before="sep=;\n"))


def test_quoted_cells_hold_separators(tmp_path):
    rows = [(size, f'"{colour}; light, "', y) for size, colour, y in ROWS]
    data = load(written(tmp_path, rows))
    assert data.feature_names == ("size", "colour=blue; light,", "colour=green; light,", "colour=red; light,")


@pytest.mark.parametrize("header", [NAMES, None])
def test_decimal_commas(usual, header, tmp_path):
    rows = [(size.replace(".", ","), colour, y) for size, colour, y in ROWS]
    data = load(written(tmp_path, rows, header, ";"), target=-1)
    np.testing.assert_array_equal(data.x_train, usual.x_train)
    np.testing.assert_array_equal(data.y_train, usual.y_train)
    assert data.notes[-2:] == ("cells are separated by ';'", "numbers have a decimal comma")
    assert data.classes == 2


def test_points_of_thousands_beside_decimal_commas(tmp_path):
    rows = [(f"{i},5", f"{i % 7 + 1}.{i * 3:03}", f"{i + 1}.250") for i in range(30)]
    data = load(written(tmp_path, rows, ("a", "b", "y"), ";"), task="regression")
    y = np.concatenate([data.y_train, data.y_valid, data.y_test])
    x = np.concatenate([data.x_train, data.x_valid, data.x_test])
    i = x[:, 0] - 0.5
    np.testing.assert_array_equal(x[:, 1], 1000 * (i % 7 + 1) + 3 * i)
    np.testing.assert_array_equal(y, 1000 * i + 1250)


def test_codes_keep_their_zeros(tmp_path):
    rows = [(("01234", "98765")[i % 2], *row[:1], row[2]) for i, row in enumerate(ROWS)]
    data = load(written(tmp_path, rows, ("zip", "size", "y")))
    assert data.feature_names == ("zip=01234", "zip=98765", "size")
    short = [(code.lstrip("0"), size, y) for code, size, y in rows]
    data = load(written(tmp_path, short, ("zip", "size", "y")), columns={"zip": "category"})
    assert data.feature_names == ("zip=1234", "zip=98765", "size")


def test_a_number_of_400_digits(tmp_path):
    path = written(tmp_path, [("9" * 400, *ROWS[0][1:]), *ROWS[1:]])
    digits = "9" * 40
    with pytest.raises(
        ValueError, match=rf"column 'size' holds '{digits}\.\.\.' first in line 2, among numbers; mend it"
    ):
        load(path)
    assert load(path, columns={"size": "number"}).notes == (f"column 'size' holds '{digits}...', taken as missing",)
    data = load(written(tmp_path, [("1e400", *ROWS[0][1:]), *ROWS[1:]]))
    assert data.notes == ("column 'size' holds 1 number beyond float32, taken as missing",)


# --- headers --------------------------------------------------------------------------------------------------------


def test_a_file_without_a_header_keeps_its_first_row(usual, tmp_path):
    path = written(tmp_path, ROWS, None)
    data = load(path, target=2)
    assert data.feature_names == ("0", "1=blue", "1=green", "1=red")
    assert data.notes == ("the file has no header, its first row looks like the others; its columns are named 0 to 2",)
    np.testing.assert_array_equal(data.x_train, usual.x_train)
    for target in ("2", -1, "-1"):
        np.testing.assert_array_equal(load(path, target=target).x_train, data.x_train)
    assert len(load(path, target=-1, columns={0: "drop"}).feature_names) == 3
    with pytest.raises(ValueError, match=r"has no column called target, .*; give target=, one of 0, 1, 2"):
        load(path)
    with pytest.raises(ValueError, match=r"target='3' is no column of file '.*t.csv'; it has 0, 1, 2"):
        load(path, target=3)


HEADERLESS = {
    "numbers": [(str(i), f"{i % 7}.5", str(i % 2)) for i in range(3, 33)],
    "equal values": [("5.1", "5.1", "0"), *((f"{i}.2", f"{i % 7}.5", str(i % 2)) for i in range(29))],
    "words": [(("red", "blue")[i % 2], ("yes", "no")[i % 3 % 2]) for i in range(30)],
    "dates": [(f"2020-01-{i + 1:02}", str(i % 2)) for i in range(30)],
    "a gap": [("?", "0"), *((str(i * 3), str(i % 2)) for i in range(29))],
    "dress": [(f'"${i},000"', str(i % 2)) for i in range(10, 40)],
    "different words": [(f"name {i}", str(i * 3), str(i % 2)) for i in range(30)],
}


@pytest.mark.parametrize("name", HEADERLESS)
def test_first_rows_that_are_examples(name, tmp_path):
    data = load(written(tmp_path, HEADERLESS[name], None), target=-1)
    assert len(data.y_train) + len(data.y_valid) + len(data.y_test) == 30
    assert data.notes[0].startswith("the file has no header, its first row looks like the others; its columns are ")


HEADERS = {
    "words": (("a", "b"), [(str(i * 3), str(i % 2)) for i in range(30)]),
    "words over words": (("word", "y"), [(("red", "blue")[i % 2], ("yes", "no")[i % 3 % 2]) for i in range(30)]),
    "years": (("1990", "1991", "1992", "y"), [(str(i * 3), str(i % 7), str(i % 5), str(i % 2)) for i in range(30)]),
    "numbers from 0 on": (("0", "1", "2"), [(str(i * 3), str(i % 7), str(i % 2)) for i in range(30)]),
    "an index": (("", "1.5", "2.7", "y"), [(f"r{i}", f"{i}.5", f"{i % 7}", str(i % 2)) for i in range(30)]),
    "steps": (("r", "1940", "1945", "1950", "y"), [("a", f"{i}", f"{i % 7}", "3", str(i % 2)) for i in range(30)]),
    "a name is a number": (("1990", "y"), [(str(i * 3), str(i % 2)) for i in range(30)]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_first_rows_that_are_names(name, tmp_path):
    header, rows = HEADERS[name]
    data = load(written(tmp_path, rows, header), target=header[-1])
    assert len(data.y_train) + len(data.y_valid) + len(data.y_test) == 30
    assert not any("no header" in note for note in data.notes)


def test_a_user_says_whether_there_is_a_header(tmp_path):
    path = written(tmp_path, ROWS, None)
    with pytest.raises(ValueError, match=r"target='y' is no column of file .*; it has 0.00, red, 0"):
        load(path, target="y", header=True)
    assert len(load(path, target="0", header=True).y_train) == 17
    path = written(tmp_path, [("a", "x", "0"), *ROWS], None)
    data = load(path, target=-1, header=False, columns={"0": "number"})
    assert data.notes[0] == "the file has no header, as header=False says; its columns are named 0 to 2"
    assert "column '0' holds 'a', taken as missing" in data.notes
    with pytest.raises(ValueError, match="header='no' must be True, False or None"):
        load(path, header="no")
    with pytest.raises(
        ValueError, match=r"header=False is for tables in files, and data is a tuple \(x, y\); leave it"
    ):
        load((np.eye(10), np.arange(10) % 2), header=False)


def test_parquet_has_a_header(tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"header=True is for files of text, and '.*t.parquet' is none; leave it out"):
        load(path, header=True)
