"""MNIST from a prepared TFDS directory: real data where TFDS_DATA_DIR is set, damaged directories everywhere."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from jaxhpo.data import load, prepared

COMMAND = "tfds build mnist --data_dir"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXHPO_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def real():
    """Return the directory that holds a prepared mnist."""
    root = os.environ.get("TFDS_DATA_DIR")
    if not root or not (Path(root) / "mnist").is_dir():
        pytest.skip("set TFDS_DATA_DIR to a directory with a prepared mnist to run this")
    return Path(root)


@pytest.fixture
def small(real, tmp_path):
    """Return a copy of the real directory that a test may damage."""
    shutil.copytree(real / "mnist", tmp_path / "tfds" / "mnist")
    return tmp_path / "tfds"


def refused(root):
    with pytest.raises(ValueError) as error:
        load("mnist", data_dir=root)
    message = str(error.value)
    assert str(root) in message
    assert COMMAND in message
    assert "\n" not in message
    return message


def test_real_mnist(real, tmp_path, monkeypatch):
    d = load("mnist", data_dir=real)
    assert (d.kind, d.shape, d.classes) == ("image", (28, 28, 1), 10)
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [55_000, 5_000, 10_000]
    assert np.bincount(d.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    train = np.bincount(d.y_train) + np.bincount(d.y_valid)
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert float(np.concatenate([d.x_train, d.x_valid]).mean()) == pytest.approx(33.3184, abs=1e-3)
    assert d.x_train.dtype == np.uint8

    # A second load reads the cache and decodes nothing; TFDS_DATA_DIR is the default place.
    monkeypatch.setattr(prepared, "_decode", None)
    monkeypatch.setenv("TFDS_DATA_DIR", str(real))
    again = load("mnist")
    np.testing.assert_array_equal(again.x_test, d.x_test)
    (cached,) = (tmp_path / "cache" / "data").iterdir()
    assert cached.name.startswith("mnist-3.0.1-")


def test_a_damaged_cache_is_never_used(real, tmp_path, monkeypatch):
    arrays = {
        "x_train": np.zeros((6000, 2, 2, 1), np.uint8),
        "y_train": np.arange(6000, dtype=np.int32) % 10,
        "x_test": np.ones((10, 2, 2, 1), np.uint8),
        "y_test": np.arange(10, dtype=np.int32),
    }
    monkeypatch.setattr(prepared, "_decode", lambda *_: arrays)
    load("mnist", data_dir=real)
    (cached,) = (tmp_path / "cache" / "data").iterdir()
    whole = cached.read_bytes()
    monkeypatch.setattr(prepared, "_decode", None)
    load("mnist", data_dir=real)  # from the cache
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(flipped), b""):
        cached.write_bytes(damaged)
        monkeypatch.setattr(prepared, "_decode", lambda *_: arrays)
        d = load("mnist", data_dir=real)
        np.testing.assert_array_equal(d.x_test, arrays["x_test"])
        assert cached.read_bytes() == whole  # and it is whole again
    assert [p.name for p in cached.parent.iterdir()] == [cached.name]


def test_a_cache_that_cannot_be_written_stops_nothing(real, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXHPO_CACHE_DIR", str(tmp_path / "file"))
    arrays = {"x_train": np.zeros((6000, 1, 1, 1), np.uint8), "y_train": np.arange(6000, dtype=np.int32) % 10}
    arrays |= {"x_test": arrays["x_train"][:9], "y_test": arrays["y_train"][:9]}
    monkeypatch.setattr(prepared, "_decode", lambda *_: arrays)
    with pytest.warns(RuntimeWarning, match="decoded images are not cached in"):
        assert len(load("mnist", data_dir=real).y_test) == 9


def test_changed_files_are_decoded_again(small):
    directory = small / "mnist" / "3.0.1"
    before = prepared._identity(directory)
    assert prepared._identity(directory) == before
    shard = next(directory.glob("*.array_record*"))
    os.utime(shard, ns=(1, 1))
    assert prepared._identity(directory) != before


def test_a_missing_shard(small):
    next((small / "mnist" / "3.0.1").glob("*test.array_record*")).unlink()
    assert "half-written mnist" in refused(small)


@pytest.mark.parametrize("keep", [0, 1000, 0.5, 0.999])
def test_a_cut_shard(small, keep):
    shard = next((small / "mnist" / "3.0.1").glob("*test.array_record*"))
    content = shard.read_bytes()
    shard.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    assert "damaged mnist, split test" in refused(small)


def test_fewer_examples_than_the_info_says(small):
    info = small / "mnist" / "3.0.1" / "dataset_info.json"
    content = json.loads(info.read_text())
    for split in content["splits"]:
        if split["name"] == "test":
            split["shardLengths"] = ["10001"]
    info.write_text(json.dumps(content))
    refused(small)


def test_another_format(small):
    info = small / "mnist" / "3.0.1" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
    assert "holds mnist in the format tfrecord, not array_record" in refused(small)


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
def test_damaged_descriptions(small, file):
    path = small / "mnist" / "3.0.1" / file
    path.write_text(path.read_text()[:50])
    assert "cannot be read" in refused(small)
    path.unlink()
    assert f"half-written mnist: 3.0.1/{file} is missing" in refused(small)


# --- without any real data ------------------------------------------------------------------------------------------


def test_no_directory_given(monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    with pytest.raises(ValueError, match=r"mnist needs data_dir= or the environment's TFDS_DATA_DIR.*tfds build mnist"):
        load("mnist")


def test_a_directory_that_is_not_there(tmp_path):
    assert "is not a directory" in refused(tmp_path / "nowhere")


def test_a_directory_without_mnist(tmp_path):
    assert "does not hold mnist" in refused(tmp_path)


def test_an_interrupted_preparation(tmp_path):
    (tmp_path / "mnist" / "incomplete.ABC_3.0.1").mkdir(parents=True)
    assert "holds a half-written mnist only" in refused(tmp_path)


def test_an_empty_version(tmp_path):
    (tmp_path / "mnist" / "3.0.1").mkdir(parents=True)
    assert "dataset_info.json is missing" in refused(tmp_path)
