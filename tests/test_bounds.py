"""Sizes are bounded before memory is allocated or time is spent: arguments, files, spaces, the terminal."""

import gzip
import io
import itertools
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import jaxhpo as jh
from jaxhpo.machine import memory_bytes, strict_json
from jaxhpo.machine.bounds import MOST_TRIALS, check_count, check_memory, check_visits
from jaxhpo.machine.npz import read_npz
from jaxhpo.report.console import best_table
from tests.test_cli import check_refused, run

UNIT = jh.Float(0.0, 1.0)
SPACE = jh.Space({"x": UNIT})
GIB = 2**30

# --- numbers ----------------------------------------------------------------------------------------------------------

TOO_LARGE = {
    "trials": (lambda: jh.tune("digits", trials=2**31), "trials=2147483648 must be an integer of at most 10,000,000"),
    "digits of trials": (
        lambda: jh.tune("digits", trials=10**5000),
        "trials=a longer number must be an integer of at most 10,000,000",
    ),
    "lanes": (lambda: jh.tune("digits", lanes=10**6), "lanes=1000000 must be an integer of at most 65,536"),
    "folds": (lambda: jh.tune("digits", folds=65), "folds=65 must be an integer of at most 64"),
    "repeats": (lambda: jh.tune("digits", repeats=65), "repeats=65 must be an integer of at most 64"),
    "epochs": (lambda: jh.tune("digits", epochs=10**6), "epochs=1000000 must be an integer of at most 100,000"),
    "budget": (
        lambda: jh.tune(jh.traceable(lambda key, h: h["x"]), space=SPACE, epochs=2**31),
        "epochs=2147483648 must be an integer of at most 2,147,483,647",
    ),
    "final_fit": (lambda: jh.tune("digits", final_fit=1001), "final_fit=1001 must be an integer of at most 1,000"),
    "memory": (
        lambda: jh.tune("digits", machine=jh.Machine(memory=1e308)),
        "memory=1e+308 must be a number of GiB above 0, at most 1,048,576",
    ),
    "words": (lambda: jh.TextOptions(words=10**8), "words=100000000 must be an integer of at most 10,000,000"),
    "length": (lambda: jh.TextOptions(length=10**8), "length=100000000 must be an integer of at most 100,000"),
    "image_size": (
        lambda: jh.data.from_folder(".", (10**9, 3)),
        "image_size=(1000000000, 3) must be (height, width), at most 10,000 each",
    ),
    "algorithm": (
        lambda: jh.algorithms.random_search(SPACE, lanes=10**9),
        "lanes=1000000000 must be an integer of at most 65,536",
    ),
    "candidates": (
        lambda: jh.algorithms.tpe(SPACE, lanes=2, candidates=10**9),
        "candidates=1000000000 must be an integer of at most 65,536",
    ),
    "enqueue": (
        lambda: jh.Study(SPACE, jh.algorithms.random_search(SPACE, lanes=1)).enqueue({"x": 0.5}, budget=2**31),
        "budget=2147483648 must be an integer of at most 2,147,483,647, or None",
    ),
    "visits": (
        lambda: check_visits(100_000, 50_000),
        "epochs=100000 of 50,000 training examples are more than 2,147,483,647 examples; lower epochs",
    ),
    "float levels": (
        lambda: jh.Float(0, 1, levels=10**9),
        "Float levels=1000000000 must be an integer of at most 10,000, or None",
    ),
    "int levels": (
        lambda: jh.Int(0, 10**6, levels=10**9),
        "Int levels=1000000000 must be an integer of at most 10,000, or None",
    ),
    "options": (
        lambda: jh.Choice(itertools.count()),
        "Choice has more than 10,000 options; use Int or Float for a range",
    ),
    "when": (
        lambda: jh.Float(0, 1, when={"a": range(10**9)}),
        "Float when: a has 1000000000 values; give at most 10,000",
    ),
    "hyperparameters": (
        lambda: jh.Space({str(i): UNIT for i in range(1001)}),
        "Space has 1001 hyperparameters; give at most 1,000",
    ),
    "constraints": (
        lambda: jh.Space({"x": UNIT}, itertools.repeat("x < 0.5")),
        "Space has more than 1,000 constraints; join them, or narrow the ranges",
    ),
    "terms": (
        lambda: jh.Space({"x": UNIT}, [" + ".join(["x"] * 950) + " < 500"]),
        f"constraint {' + '.join(['x'] * 15)[:57] + '...'!r}: it is longer than 2,000 parts, or deeper than 200: "
        "a sum of many terms counts each; split it into several constraints",
    ),
    "characters": (
        lambda: jh.Space({"x": UNIT}, ["x < 1" + " " * 10_000]),
        f"constraint {'x < 1' + ' ' * 35!r}... has 10,005 characters; give at most 10,000",
    ),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_at_once(name):
    make, message = TOO_LARGE[name]
    with pytest.raises(ValueError) as refused:
        make()
    assert str(refused.value) == message


def test_a_count_is_a_whole_number_within_its_bounds():
    check_count("n", 1, 1)
    for wrong in (0, True, 1.0, "1", None):
        with pytest.raises(ValueError, match=rf"^n={wrong!r} must be an integer of at least 1$"):
            check_count("n", wrong, 5)
    with pytest.raises(ValueError, match=r"^n=6 must be an integer of at most 5, or None$"):
        check_count("n", 6, 5, more=", or None")
    study = jh.Study(
        SPACE, jh.algorithms.random_search(SPACE, lanes=1), jh.traceable(lambda k, h: h["x"]).objective(SPACE)
    )
    with pytest.raises(ValueError, match=f"trials={MOST_TRIALS + 1} must be"):
        study.run(MOST_TRIALS + 1)


def test_a_timeout_may_be_any_number():
    from jaxhpo.study import check_timeout

    assert check_timeout(10**400) == check_timeout("9" * 400) == check_timeout(float("inf")) == 1e9
    with pytest.raises(ValueError, match="timeout=nan must be"):
        check_timeout(float("nan"))


def test_half_of_the_memory_may_be_taken():
    half = memory_bytes() // 2
    check_memory("it", half, "give less")
    with pytest.raises(
        ValueError, match=r"^it would take .* GiB, more than half of this machine's memory .*; give less$"
    ):
        check_memory("it", half + 1, "give less")


def test_texts_and_images_are_counted_before_they_are_allocated(monkeypatch, tmp_path):
    from PIL import Image

    monkeypatch.setattr("jaxhpo.machine.bounds.memory_bytes", lambda: 8000)
    texts, labels = ["a " * 100] * 20, [0, 1] * 10
    with pytest.raises(ValueError, match=r"^20 texts of 100 tokens would take 7\.45e-06 GiB, .*; lower length=$"):
        jh.data.load((texts, labels))
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(10):
            Image.new("L", (16, 16)).save(tmp_path / label / f"{i}.png")
    with pytest.raises(ValueError, match=r"^20 images of 16x16x1 would take .*; give a smaller image_size=\(height"):
        jh.data.load(tmp_path)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_range_is_counted_before_it_becomes_an_array(task):
    rows = range(40)
    for name, pair in {"x": (range(10**12), rows), "y": (np.ones((40, 2)), range(10**12))}.items():
        with pytest.raises(ValueError, match=rf"^{name}, range\(0, 1000000000000\) would take 7\.45e\+03 GiB"):
            jh.data.load(pair, task=task)


# --- JSON -------------------------------------------------------------------------------------------------------------

BAD_JSON = {
    "deep": ("[" * 100_000 + "]" * 100_000, "it is nested more than 100 deep"),
    "less deep": ('{"a": ' + "[" * 101 + "]" * 101 + "}", "it is nested more than 100 deep"),
    "twice": ('{"a": 1, "b": {"c": 1, "c": 2}}', "it has the key 'c' twice in one object; leave one out"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_is_shallow_and_has_each_key_once(name, tmp_path):
    text, reason = BAD_JSON[name]
    with pytest.raises(ValueError) as refused:
        strict_json.parse(text)
    assert str(refused.value) == reason
    path = tmp_path / "space.json"
    path.write_text(text)
    check_refused(run("tune", "digits", "--space", path), f"error: --space '{path}' is not JSON: {reason}\n")


def test_json_within_the_bounds_is_read():
    text = '{"a": ' + "[" * 98 + "1" + "]" * 98 + ', "b": [{"a": null}, {"a": 1.5}]}'
    assert strict_json.parse(text) == json.loads(text)


def test_a_file_that_never_ends_is_not_read_to_its_end():
    check_refused(run("tune", "digits", "--space", "/dev/zero"), "'/dev/zero' is not JSON: it is larger than 64 MiB\n")


def test_a_long_constraint_in_a_file(tmp_path):
    path = tmp_path / "space.json"
    layers = {"type": "int", "low": 1, "high": 3}
    path.write_text(json.dumps({"layers": layers, "constraints": [" + ".join(["layers"] * 950) + " < 5000"]}))
    check_refused(run("tune", "digits", "--space", path), "it is longer than 2,000 parts, or deeper than 200")


# --- archives, images, tables -----------------------------------------------------------------------------------------


def header(shape, dtype="<f4"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    stream.seek(0)
    return stream


def test_an_archive_is_believed_no_further_than_it_reaches(tmp_path):
    content = archive(x=header((3, 10**12)) + bytes(100), y=header((3,)) + bytes(12)).getvalue()
    (tmp_path / "big.npz").write_bytes(content)
    reason = "its array x says that it has 12,000,000,000,000 bytes, and holds 100"
    path = str(tmp_path / "big.npz")
    with pytest.raises(ValueError) as refused:
        jh.data.load(path)
    assert str(refused.value) == f"file {path!r} cannot be read: {reason}"
    check_refused(run("tune", path), f"error: file '{path}' cannot be read: {reason}\n")
    with pytest.raises(ValueError, match=f"holds no learned prior: {reason}"):
        jh.LearnedPrior.load(path)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((10**15,), "says that it has"), ((-1,), r"has the shape \(-1,\)"), ((10**30, 0), r"has the shape \(1000")],
)
def test_an_archive_of_an_impossible_shape(shape, reason):
    with pytest.raises(ValueError, match=reason):
        read_npz(archive(x=header(shape)))


def test_an_archive_that_unpacks_to_more_than_the_memory(monkeypatch):
    monkeypatch.setattr("jaxhpo.machine.bounds.memory_bytes", lambda: 2**20)
    file = archive(x=header((2**18,)) + bytes(2**20), y=header((2,)) + bytes(8))
    assert len(file.getvalue()) < 2**12
    with pytest.raises(ValueError, match=r"^its arrays x, y would take 0\.000977 GiB, more than half"):
        read_npz(file)
    assert read_npz(file, lambda names: sorted(names)[1:])["y"].tolist() == [0.0, 0.0]


def test_arrays_are_read_as_numpy_reads_them():
    rng = np.random.default_rng(0)
    held = {
        "a": rng.random((3, 4)),
        "b": np.array(["x", "yy"]),
        "c": np.array(7),
        "d": np.asfortranarray(rng.random((2, 5))),
    }
    file = io.BytesIO()
    np.savez_compressed(file, **held)
    found = read_npz(file)
    assert set(found) == set(held)
    for name, array in held.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_only_pictures_of_the_named_formats_are_opened(tmp_path):
    from PIL import Image

    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(5):
            Image.new("L", (4, 4), i).save(tmp_path / label / f"{i}.png")
    assert jh.data.load(tmp_path).shape == (4, 4, 1)
    Image.new("L", (4, 4)).save(tmp_path / "a" / "0.png", "JPEG")  # a wrong suffix is no harm
    assert jh.data.load(tmp_path).shape == (4, 4, 1)
    Image.new("L", (4, 4)).save(tmp_path / "a" / "0.png", "TIFF")
    with pytest.raises(ValueError) as refused:
        jh.data.load(tmp_path)
    path = str(tmp_path / "a" / "0.png")
    reason = "it is no image (PNG, JPEG, BMP, GIF, WEBP); mend or delete it"
    assert str(refused.value) == f"image {path!r} cannot be read: {reason}"


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(monkeypatch, tmp_path):
    from PIL import Image

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        Image.new("L", (12, 10)).save(tmp_path / label / "0.png")
    with pytest.raises(ValueError, match=r"cannot be read: Image size \(120 pixels\) exceeds limit of 100 pixels"):
        jh.data.load(tmp_path)


def test_a_cell_of_400_digits(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)) + "9" * 400 + ",1\n")
    data = jh.data.load(path, header=True)
    assert data.notes[0] == "column 'a' holds 1 number beyond float32, taken as missing"


def test_tables_are_counted_before_they_are_read(monkeypatch, tmp_path):
    rows = "a,y\n" + "1,0\n" * 10_000
    (tmp_path / "rows.csv").write_text(rows)
    with gzip.open(tmp_path / "rows.csv.gz", "wt") as file:
        file.write(rows)
    assert (tmp_path / "rows.csv.gz").stat().st_size < 1000
    monkeypatch.setattr("jaxhpo.machine.bounds.memory_bytes", lambda: 100_000)
    monkeypatch.setattr("jaxhpo.data.tables.readers.memory_bytes", lambda: 100_000)
    for name in ("rows.csv", "rows.csv.gz"):
        with pytest.raises(ValueError, match=r"rows.csv(.gz)?' would take .*fewer rows or columns$"):
            jh.data.load(tmp_path / name)


def test_many_columns_take_no_time_to_compare(tmp_path):
    from jaxhpo.data.tables.readers import _check_unique

    names = [f"column {i}" for i in range(200_000)]
    _check_unique(names, "it")  # hours, where each is compared with all before it
    with pytest.raises(ValueError, match=r"^it has the column 'column 7' twice; rename or drop one$"):
        _check_unique([*names, "column 7"], "it")


# --- the terminal -----------------------------------------------------------------------------------------------------


def test_a_long_message_is_cut():
    done = run("tune", "digits", "--model", "m" * 5000)
    assert done.stderr == f"error: --model '{'m' * 296}...' is unknown; use one of mlp, cnn, rnn, dan\n"


def test_control_characters_of_columns_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a\x1b[31m,y\n" + "".join(f"1,{i % 2}\n" for i in range(40)))
    done = run("tune", path)
    assert done.exit_code == 2
    assert r"column 'a\x1b[31m' is left out: the same value in every row" in done.stderr
    assert "\x1b" not in done.output


def test_tables_show_names_as_they_are():
    from rich.console import Console

    space = jh.Space({"x\x1b[2J": jh.Choice(("[bold]", "b"))})
    study = jh.Study(space, jh.algorithms.grid_search(space, lanes=2))
    study.ask()
    study.tell([1.0, 0.5])
    study.summary = {"metric": "score", "function": "f"}
    console = Console(file=io.StringIO(), width=80)
    console.print(best_table(study))
    shown = console.file.getvalue()
    assert r"x\x1b[2J" in shown
    assert "[bold]" in shown
    assert "\x1b" not in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["algorithms"]])
def test_a_full_disk_as_standard_output(arguments):
    command = [str(Path(sys.executable).parent / "jaxhpo"), *arguments]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"
