"""Preparing data sets from their archives: small ones rebuilt in the originals' layout, real ones where they are."""

import functools
import gzip
import http.server
import io
import os
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from jaxhpo.data import load, prepare
from jaxhpo.data.named import archives
from jaxhpo.data.named.preparation import _MNIST
from jaxhpo.data.named.sources import SOURCES

SIZES = {"train": 60, "test": 20}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXHPO_CACHE_DIR", str(tmp_path / "cache"))


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes())


def tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def image(i, shape):
    return np.random.default_rng(i).integers(0, 256, shape).astype(np.uint8)


def write_mnist(directory):
    for i, (split, files) in enumerate(_MNIST.items()):
        images = np.stack([image(1000 * i + k, (28, 28)) for k in range(SIZES[split])])
        for file, array in zip(files, (images, np.arange(SIZES[split], dtype=np.uint8) % 10), strict=True):
            (directory / file).write_bytes(idx(array))


def write_cifar10(directory):
    def batch(first, size):
        rows = [np.r_[np.uint8(i % 10), image(i, (3, 32, 32)).ravel()] for i in range(first, first + size)]
        return np.concatenate(rows).tobytes()

    names = ["airplane", "automobile", *(f"class{k}" for k in range(2, 10))]
    members = {"batches.meta.txt": "\n".join([*names, ""]).encode()}
    members |= {f"data_batch_{k}.bin": batch(12 * (k - 1), 12) for k in (3, 1, 2, 5, 4)}
    members |= {"test_batch.bin": batch(1000, 20)}
    tar(directory / "cifar-10-binary.tar.gz", {f"cifar-10-batches-bin/{name}": c for name, c in members.items()})


def write_imdb(directory):
    members = {
        f"aclImdb/{split}/{label}/{i}_{7 if label == 'pos' else 2}.txt": f" {label} review {i}: caf\u00e9 \n".encode()
        for split, size in SIZES.items()
        for label in ("neg", "pos")
        for i in range(size // 2)
    }
    members |= {f"aclImdb/train/unsup/{i}_0.txt": b"unlabelled" for i in range(7)}
    members |= {"aclImdb/README": b"read me", "aclImdb/train/labeledBow.feat": b"9 0:9"}
    tar(directory / "aclImdb_v1.tar.gz", members)


WRITERS = {"mnist": write_mnist, "cifar10": write_cifar10, "imdb": write_imdb}


@pytest.fixture(params=WRITERS)
def name(request):
    return request.param


@pytest.fixture
def originals(name, tmp_path, monkeypatch):
    """Return the directory of a data set's small archives, whose checksums TFDS takes for the originals'."""
    directory = tmp_path / "archives"
    directory.mkdir()
    WRITERS[name](directory)
    register(name, directory, "http://nowhere.invalid", monkeypatch)
    monkeypatch.setitem(SOURCES, name, SOURCES[name]._replace(sizes=SIZES, valid=10))
    return directory


def register(name, directory, url, monkeypatch):
    info = tfds.core.download.checksums.compute_url_info
    infos = {f"{url}/{path.name}": info(path) for path in directory.iterdir()}
    monkeypatch.setattr(tfds.builder_cls(SOURCES[name].tfds.split("/")[0]), "url_infos", infos)


@pytest.fixture
def server(originals):
    """Serve the archives over loopback HTTP; return the address and the list of what was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(originals))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def expected(name, split):
    """Return the examples of a split in any order, each with its label, as bytes."""
    if name == "mnist":
        start = 1000 * list(_MNIST).index(split)
        return {(image(start + i, (28, 28)).tobytes(), i % 10) for i in range(SIZES[split])}
    if name == "cifar10":
        start = 0 if split == "train" else 1000
        rows = range(start, start + SIZES[split])
        return {(image(i, (3, 32, 32)).transpose(1, 2, 0).tobytes(), i % 10) for i in rows}
    labels = ("neg", "pos")
    return {
        (f"{label} review {i}: caf\u00e9".encode(), k)
        for k, label in enumerate(labels)
        for i in range(SIZES[split] // 2)
    }


def found(name, split, root):
    key = "text" if name == "imdb" else "image"
    source = tfds.data_source(SOURCES[name].tfds, split=split, data_dir=root)
    rows = [source[i] for i in range(len(source))]
    return {(row[key] if name == "imdb" else row[key].tobytes(), int(row["label"])) for row in rows}


def test_downloaded_prepared_and_read(name, originals, server, tmp_path, monkeypatch, capfd):
    url, asked = server
    register(name, originals, url, monkeypatch)
    root = tmp_path / "tfds"
    directory = prepare(name, root)
    assert len(asked) == len(list(originals.iterdir()))
    info = tfds.builder_from_directory(directory).info
    official = tfds.builder(SOURCES[name].tfds, data_dir=tmp_path / "none").info
    assert (info.full_name, info.features.to_json()) == (official.full_name, official.features.to_json())
    assert set(info.splits) == {"train", "test"} | ({"unsupervised"} if name == "imdb" else set())
    for split in SIZES:
        assert found(name, split, root) == expected(name, split)
    if name == "cifar10":
        assert info.features["label"].names[:2] == ["airplane", "automobile"]
    if name == "imdb":
        assert info.splits["unsupervised"].num_examples == 7
    data = load(name, data_dir=root)
    assert [len(y) for y in (data.y_train, data.y_valid, data.y_test)] == [50, 10, 20]
    prepare(name, root)  # once more: nothing is asked for, nothing changes
    assert len(asked) == len(list(originals.iterdir()))


def test_archives_at_hand_need_no_network(name, originals, tmp_path):
    prepare(name, tmp_path / "tfds", archives_dir=originals)
    assert found(name, "test", tmp_path / "tfds") == expected(name, "test")


def refused(name, root, **options):
    with pytest.raises(ValueError) as error:
        prepare(name, root, **options)
    message = str(error.value)
    assert "\n" not in message
    place = root / SOURCES[name].tfds
    assert not list(place.glob("*.*.*"))  # nothing that would be read later
    return message


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-9] + b"x" + b[-8:], lambda b: b""])
def test_an_archive_that_is_not_the_original(name, originals, tmp_path, damage):
    archive = sorted(originals.iterdir())[0]
    whole = archive.read_bytes()
    archive.write_bytes(damage(whole))
    message = refused(name, tmp_path / "tfds", archives_dir=originals)
    assert f"{archive.name} is not the original" in message
    archive.write_bytes(whole)
    prepare(name, tmp_path / "tfds", archives_dir=originals)


def test_a_download_that_was_altered_later(name, originals, server, tmp_path, monkeypatch):
    """TFDS takes for whole what it once downloaded."""
    url, _ = server
    register(name, originals, url, monkeypatch)
    root = tmp_path / "tfds"
    prepare(name, root).rename(tmp_path / "elsewhere")
    files = [path for path in (root / "downloads").rglob("*") if path.is_file() and path.suffix != ".INFO"]
    largest = max(files, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    message = refused(name, root)
    assert str(largest) in message
    assert "delete it and try again" in message
    largest.unlink()
    prepare(name, root)


def test_a_server_that_does_not_answer(name, originals, tmp_path, monkeypatch):
    register(name, originals, "http://127.0.0.1:9", monkeypatch)
    monkeypatch.setattr("jaxhpo.data.named.preparation._RETRIES", 1)
    assert f"{name} cannot be prepared in " in refused(name, tmp_path / "tfds")


def test_an_interrupted_preparation_leaves_nothing(name, originals, tmp_path, monkeypatch):
    parse = getattr(archives, name)

    def interrupted(*arguments):
        examples = parse(*arguments)
        yield next(examples)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(name, tmp_path / "tfds", archives_dir=originals)
    with pytest.raises(ValueError, match=f"jaxhpo data prepare {name}"):
        load(name, data_dir=tmp_path / "tfds")
    prepare(name, tmp_path / "tfds", archives_dir=originals)
    assert found(name, "test", tmp_path / "tfds") == expected(name, "test")


def test_no_space_left(name, originals, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, name, full)
    assert "No space left on device" in refused(name, tmp_path / "tfds", archives_dir=originals)


def test_a_place_that_cannot_be_written(name, originals, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused(name, tmp_path / "file" / "tfds", archives_dir=originals)
    assert f"cannot be prepared in '{tmp_path}/file/tfds'" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist", None, "/nowhere"), "archives_dir='/nowhere' is not a directory"),
        (("../etc", None, None), "dataset '../etc' is no data set's name"),
        ((3, None, None), "dataset 3 is no data set's name"),
    ],
)
def test_what_cannot_be_prepared(arguments, message):
    name, data_dir, archives_dir = arguments
    with pytest.raises(ValueError) as error:
        prepare(name, data_dir, archives_dir=archives_dir)
    assert message in str(error.value)


def test_other_data_sets_need_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"which needs TensorFlow: pip install 'jaxhpo\[tensorflow\]'"):
        prepare("fashion_mnist", tmp_path)


def test_a_name_that_tfds_does_not_know(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(ValueError, match="dataset 'no_such_data' is unknown to TFDS"):
        prepare("no_such_data", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif("MNIST_ARCHIVES_DIR" not in os.environ, reason="set MNIST_ARCHIVES_DIR to MNIST's four archives")
def test_the_real_mnist(tmp_path):
    """TFDS's own checksums, and no TensorFlow."""
    before = "tensorflow" in sys.modules
    prepare("mnist", tmp_path, archives_dir=Path(os.environ["MNIST_ARCHIVES_DIR"]))
    assert ("tensorflow" in sys.modules) == before
    data = load("mnist", data_dir=tmp_path)
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
