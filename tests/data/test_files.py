"""Arrays in `.npz` files, and which strings and paths mean a file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxhpo.data import TextOptions, from_npz, load

X = np.arange(80.0).reshape(40, 2)
Y = np.arange(40) % 2


@pytest.fixture
def save(tmp_path):
    def save(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return path

    return save


def test_arrays_are_split(save):
    path = save(x=X, y=Y)
    d, same = load(path, seed=3), load((X, Y), seed=3)
    assert (d.name, d.kind, d.classes) == ("mine", "vector", 2)
    np.testing.assert_array_equal(d.x_test, same.x_test)
    np.testing.assert_array_equal(d.y_test, same.y_test)
    assert from_npz(path, name="other").name == "other"


def test_splits_are_kept(save):
    d = load(str(save(x_train=X[:20], y_train=Y[:20], x_test=X[20:], y_test=Y[20:])))
    np.testing.assert_array_equal(d.x_test, X[20:])
    assert [len(d.y_train), len(d.y_valid)] == [16, 4]
    parts = {"train": slice(20), "valid": slice(20, 30), "test": slice(30, 40)}
    arrays = {f"{what}_{split}": a[rows] for split, rows in parts.items() for what, a in (("x", X), ("y", Y))}
    d = load(save(**arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(d, name), array)


def test_images_texts_and_targets(save):
    assert load(save(x=np.zeros((40, 3, 3), np.uint8), y=Y)).shape == (3, 3, 1)
    texts = np.array([f"word{i}" for i in range(40)])
    d = load(save(x=texts, y=np.array(["no", "yes"] * 20)), text=TextOptions(words=5))
    assert (d.kind, d.vocabulary, d.class_names) == ("text", 7, ("no", "yes"))
    d = load(save(x_train=X, y_train=X, x_test=X, y_test=X), task="regression")
    assert (d.task, d.outputs) == ("regression", 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X, "b": Y}, "mine.npz' holds a, b; name them x and y, or x_train, y_train, x_test, y_test (and x_valid"),
        ({"x": X}, "mine.npz' holds x; name them"),
        ({"x": X, "y": Y, "x_test": X}, "mine.npz' holds x, x_test, y; name them"),
        ({"x": np.array([1, None]), "y": Y}, "mine.npz' cannot be read: Object arrays cannot be loaded"),
        ({"x": X, "y": Y + 0.5}, "y holds 0.5 in row 0, not a whole number"),
        ({"x": np.where(X == 6, np.nan, X), "y": Y}, "x holds nan first in row 3"),
        ({"x": X, "y": Y * 0}, "y holds the single class 0"),
        ({"x": X.astype("S"), "y": Y}, "x has dtype |S32, not numbers"),
        ({"x": np.array([b"\xff"] * 40), "y": Y}, "x holds text in row 0 that is not UTF-8 (invalid start byte)"),
        ({"x_train": X, "y_train": Y, "x_test": X[:0], "y_test": Y[:0]}, "x_test is empty, of shape (0, 2)"),
    ],
)
def test_bad_arrays(save, arrays, message):
    with pytest.raises(ValueError) as error:
        load(save(**arrays))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"nothing like it", b"PK\x03\x04 cut"])
def test_a_damaged_file(tmp_path, content):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file '.*mine.npz' cannot be read: ") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_single_array_under_the_wrong_name(tmp_path):
    path = tmp_path / "mine.npz"
    with path.open("wb") as file:
        np.save(file, X)
    with pytest.raises(ValueError, match=r"cannot be read: it is no archive of arrays, or it is cut"):
        load(path)


def test_a_flipped_bit(save):
    path = save(x=X, y=Y)
    whole = bytearray(path.read_bytes())
    whole[400] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"cannot be read: Bad CRC-32"):
        load(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("x.csv", "file 'x.csv' does not exist"),
        ("x.CSV.gz", "file 'x.CSV.gz' does not exist"),
        ("~/no/such.npz", "file '~/no/such.npz' does not exist"),
        (Path("digits"), "file or folder 'digits' does not exist"),
        ("no/such/folder", "file or folder 'no/such/folder' does not exist"),
        ("no.such.thing", "dataset 'no.such.thing' is unknown; known are digits"),
        ("word " * 1000, "is unknown; known are"),
        ("zero\0byte", "is unknown; known are"),
        ("", "dataset '' is unknown; known are"),
    ],
)
def test_what_is_not_there(data, message):
    with pytest.raises(ValueError) as error:
        load(data)
    assert message in str(error.value)


def test_a_file_of_no_known_kind(tmp_path):
    path = tmp_path / "x.xlsx"
    path.write_text("")
    wanted = (
        r"file '.*x.xlsx' is of no known kind; give one of .npz, .csv, .csv.gz, .tsv, .tsv.gz, .parquet, or a folder"
    )
    with pytest.raises(ValueError, match=wanted):
        load(str(path))


def test_a_known_name_wins(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load("digits").classes == 10
    with pytest.raises(ValueError, match="folder 'digits' holds no folder of a class"):
        load(Path("digits"))


def test_a_target_is_for_tables(save):
    with pytest.raises(
        ValueError, match=r"target='y' names a column of a table, and '.*mine.npz' is none; leave it out"
    ):
        load(save(x=X, y=Y), target="y")
    with pytest.raises(ValueError, match="task='guess' is unknown"):
        load(save(x=X, y=Y), task="guess")


@pytest.mark.slow
def test_reading_files_imports_no_pil_nor_pyarrow(save, tmp_path):
    # The data room alone: pandas looks for pyarrow itself where it is there.
    code = "import sys; from jaxhpo.data import load; load(sys.argv[1]); print('PIL' in sys.modules)"
    path = str(save(x=X, y=Y))
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env=os.environ)
    assert out.stdout.strip() == "False"
