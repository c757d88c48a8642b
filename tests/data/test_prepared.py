"""Prepared TFDS directories: real data where TFDS_DATA_DIR is set, small and damaged ones everywhere."""

import io
import json
import os
import shlex
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxhpo.data import TextOptions, load
from jaxhpo.data.named import reader, store
from jaxhpo.data.named.sources import SOURCES


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXHPO_CACHE_DIR", str(tmp_path / "cache"))


def real(name):
    """Return the directory that holds a prepared data set, or skip the test."""
    root = os.environ.get("TFDS_DATA_DIR")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"set TFDS_DATA_DIR to a directory with a prepared {name} to run this")
    return Path(root)


SIZES = {"train": 60, "test": 20}


def example(i):
    """Return the image and the label that the small mnist holds i-th."""
    return np.full((28, 28), i, np.uint8), i % 10


@pytest.fixture(scope="module")
def prepared_small(tmp_path_factory):
    """Return a directory that TFDS itself prepared, of 60 and 20 examples, without network or TensorFlow."""
    root = tmp_path_factory.mktemp("tfds")

    def split(size):
        for i in range(size):
            image, label = example(i)
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            buffer.seek(0)
            yield i, {"image": buffer, "label": label}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets as tfds

        builder = tfds.builder("mnist", data_dir=root, file_format="array_record")
        builder._split_generators = lambda _: {name: split(size) for name, size in SIZES.items()}
        config = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
        builder.download_and_prepare(download_dir=root / "downloads", download_config=config)
    return root


@pytest.fixture
def small(prepared_small, tmp_path, monkeypatch):
    """Return a copy of the small directory that a test may damage, taken for whole."""
    monkeypatch.setitem(SOURCES, "mnist", SOURCES["mnist"]._replace(sizes=SIZES, valid=10))
    shutil.copytree(prepared_small / "mnist", tmp_path / "tf ds" / "mnist")  # a space: the command must quote it
    return tmp_path / "tf ds"


def refused(root):
    with pytest.raises(ValueError) as error:
        load("mnist", data_dir=root)
    message = str(error.value)
    assert str(root) in message
    assert f"jaxhpo data prepare mnist --data-dir {shlex.quote(str(root))}" in message
    assert "\n" not in message
    version = root / "mnist" / "3.0.1"
    assert (f"move {shlex.quote(str(version))} away, then prepare" in message) == version.exists()
    return message


def test_a_small_mnist_is_read_as_it_was_written(small, capfd):
    d = load("mnist", data_dir=small)
    assert capfd.readouterr() == ("", "")  # TFDS is silent
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [50, 10, 20]
    assert np.bincount(d.y_valid).tolist() == [1] * 10
    for x, y in ((d.x_test, d.y_test), (np.r_[d.x_train, d.x_valid], np.r_[d.y_train, d.y_valid])):
        order = np.argsort(x[:, 0, 0, 0])
        images, labels = zip(*(example(i) for i in range(len(y))), strict=True)
        np.testing.assert_array_equal(x[order, :, :, 0], images)
        np.testing.assert_array_equal(y[order], labels)


def test_the_split_does_not_depend_on_the_seed(small):
    one, two = load("mnist", data_dir=small, seed=0), load("mnist", data_dir=small, seed=1)
    np.testing.assert_array_equal(one.x_valid, two.x_valid)
    assert one.split == two.split == "fixed"


@pytest.mark.slow
def test_real_mnist(tmp_path, monkeypatch):
    root = real("mnist")
    d = load("mnist", data_dir=root)
    assert (d.kind, d.shape, d.classes) == ("image", (28, 28, 1), 10)
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [55_000, 5_000, 10_000]
    assert np.bincount(d.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    train = np.bincount(d.y_train) + np.bincount(d.y_valid)
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert float(np.concatenate([d.x_train, d.x_valid]).mean()) == pytest.approx(33.3184, abs=1e-3)
    assert d.x_train.dtype == np.uint8

    # A second load reads the cache and decodes nothing; TFDS_DATA_DIR is the default place.
    monkeypatch.setattr(reader, "_decode", None)
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    again = load("mnist")
    np.testing.assert_array_equal(again.x_test, d.x_test)
    (cached,) = (tmp_path / "cache" / "data").iterdir()
    assert cached.name.startswith("mnist-3.0.1-")


@pytest.mark.slow
def test_real_cifar10():
    d = load("cifar10", data_dir=real("cifar10"))
    assert (d.kind, d.shape, d.classes, d.x_train.dtype) == ("image", (32, 32, 3), 10, np.uint8)
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [45_000, 5_000, 10_000]
    assert np.bincount(d.y_test).tolist() == [1000] * 10
    assert np.bincount(d.y_valid).tolist() == [500] * 10
    # The channels' means that are known of CIFAR-10's training images.
    means = np.concatenate([d.x_train, d.x_valid]).mean((0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-4)


@pytest.mark.slow
def test_real_imdb():
    d = load("imdb", data_dir=real("imdb_reviews"))
    assert d.split == "fixed"
    assert (d.kind, d.shape, d.classes, d.vocabulary) == ("text", (200,), 2, 20_002)
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [20_000, 5_000, 25_000]
    assert np.bincount(d.y_test).tolist() == [12_500] * 2
    assert np.bincount(d.y_valid).tolist() == [2_500] * 2
    assert d.words is not None
    assert d.words.words[:3] == ("the", "and", "a")
    again = load("imdb", data_dir=real("imdb_reviews"), text=TextOptions(words=100, length=50, keep="last"))
    assert (again.shape, again.vocabulary) == ((50,), 102)


ARRAYS = {
    "x_train": np.arange(6000 * 4).reshape(6000, 2, 2, 1).astype(np.uint8),
    "y_train": np.arange(6000, dtype=np.int32) % 10,
    "x_test": np.ones((10, 2, 2, 1), np.uint8),
    "y_test": np.arange(10, dtype=np.int32),
}


def test_a_damaged_cache_is_rebuilt(small, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_decode", lambda *_: ARRAYS)
    load("mnist", data_dir=small)
    (cached,) = (tmp_path / "cache" / "data").iterdir()
    monkeypatch.setattr(reader, "_decode", None)
    load("mnist", data_dir=small)  # from the cache
    path = cached / "x_test.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    monkeypatch.setattr(reader, "_decode", lambda *_: ARRAYS)
    np.testing.assert_array_equal(load("mnist", data_dir=small).x_test, ARRAYS["x_test"])
    assert path.read_bytes() == whole  # and it is whole again
    assert store.load(cached) is not None
    assert list(cached.parent.iterdir()) == [cached]


def test_a_cache_that_cannot_be_written_stops_nothing(small, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAXHPO_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(reader, "_decode", lambda *_: ARRAYS)
    with pytest.warns(RuntimeWarning, match="mnist is not cached in"):
        assert len(load("mnist", data_dir=small).y_test) == 10


def test_changed_files_are_decoded_again(small):
    directory = small / "mnist" / "3.0.1"
    before = reader._identity(directory)
    assert reader._identity(directory) == before
    shard = next(directory.glob("*.array_record*"))
    os.utime(shard, ns=(1, 1))
    assert reader._identity(directory) != before


def test_a_missing_shard(small):
    shard = next((small / "mnist" / "3.0.1").glob("*test.array_record*"))
    shard.unlink()
    assert f"holds a half-written mnist: 3.0.1/{shard.name} is missing" in refused(small)
    shard.symlink_to("nowhere")
    assert "is missing" in refused(small)


def test_a_shard_damaged_after_a_good_load(small):
    load("mnist", data_dir=small)  # its cache must not answer for other files
    shard = next((small / "mnist" / "3.0.1").glob("*test.array_record*"))
    shard.unlink()
    assert "is missing" in refused(small)


@pytest.mark.parametrize("keep", [0, 1000, 0.5, 0.999])
def test_a_cut_shard(small, keep):
    shard = next((small / "mnist" / "3.0.1").glob("*test.array_record*"))
    content = shard.read_bytes()
    shard.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    assert "damaged mnist, split test" in refused(small)


@pytest.mark.parametrize("said", [19, 21])
def test_another_number_of_examples_than_the_info_says(small, monkeypatch, said):
    info = small / "mnist" / "3.0.1" / "dataset_info.json"
    content = json.loads(info.read_text())
    for split in content["splits"]:
        if split["name"] == "test":
            split["shardLengths"] = [str(said)]
    info.write_text(json.dumps(content))
    sizes = SIZES | {"test": said}
    monkeypatch.setitem(SOURCES, "mnist", SOURCES["mnist"]._replace(sizes=sizes, valid=10))
    assert f"split test (it has 20 examples, but dataset_info.json says {said})" in refused(small)


def test_a_shortened_preparation(prepared_small):
    assert "holds a mnist of 20 test examples, not 10,000" in refused(prepared_small)


def test_a_missing_split(small):
    info = small / "mnist" / "3.0.1" / "dataset_info.json"
    content = json.loads(info.read_text())
    content["splits"] = [split for split in content["splits"] if split["name"] != "test"]
    info.write_text(json.dumps(content))
    assert "holds a mnist without the split test" in refused(small)


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
    monkeypatch.setenv("HOME", "/nowhere")
    wanted = r"mnist needs data_dir= or the environment's TFDS_DATA_DIR.*: jaxhpo data prepare mnist"
    with pytest.raises(ValueError, match=wanted):
        load("mnist")


@pytest.mark.parametrize("module", ["tensorflow_datasets", "array_record.python.array_record_data_source"])
def test_a_package_that_is_not_there(small, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match="mnist needs tensorflow-datasets and array-record, but ") as error:
        load("mnist", data_dir=small)
    assert module in str(error.value)


@pytest.mark.parametrize("data_dir", [3, "~no.such.user/data"])
def test_what_is_no_path(data_dir):
    with pytest.raises(ValueError, match=r"data_dir=.* is not a path \(.*\); give a directory"):
        load("mnist", data_dir=data_dir)


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
