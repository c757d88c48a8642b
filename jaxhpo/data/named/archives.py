"""The original archives of MNIST, CIFAR-10 and IMDB, parsed without TensorFlow."""

import gzip
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Examples = Iterator[tuple[Any, dict[str, Any]]]
"""Keys and examples, as TFDS's builder of the data set yields them."""


def mnist(images: Path, labels: Path) -> Examples:
    """Yield the examples of a gzipped IDX file of images and one of labels."""
    x, y = _idx(images), _idx(labels)
    if x.shape[1:] != (28, 28) or y.shape != (len(x),):
        raise ValueError(f"{images.name} and {labels.name} hold arrays {x.shape} and {y.shape}")
    for i, (image, label) in enumerate(zip(x, y.tolist(), strict=True)):
        yield i, {"image": _png(image), "label": label}


def _idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    start = 4 + 4 * dimensions
    shape = np.frombuffer(content, ">u4", dimensions, 4).tolist()
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def cifar10_names(archive: Path) -> list[str]:
    """Return the names of CIFAR-10's classes."""
    with tarfile.open(archive) as tar:
        return _member(tar, "cifar-10-batches-bin/batches.meta.txt").decode("ascii").split()


def cifar10(archive: Path, split: str) -> Examples:
    """Yield the examples of a split of CIFAR-10's binary version."""
    batches = [f"data_batch_{k}.bin" for k in range(1, 6)] if split == "train" else ["test_batch.bin"]
    i = 0
    with tarfile.open(archive) as tar:
        for batch in batches:
            records = np.frombuffer(_member(tar, f"cifar-10-batches-bin/{batch}"), np.uint8).reshape(-1, 1 + 3 * 1024)
            for record in records:
                image = record[1:].reshape(3, 32, 32).transpose(1, 2, 0)
                yield i, {"id": f"{split}_{i:05d}", "image": _png(image), "label": int(record[0])}
                i += 1


def imdb(archive: Path, split: str) -> Examples:
    """Yield the reviews of a split; "unsupervised" are the unlabelled reviews of the training directory."""
    directory, label = ("train", "unsup") if split == "unsupervised" else (split, "neg|pos")
    wanted = re.compile(rf"aclImdb/{directory}/({label})/[^/]+\.txt")
    with tarfile.open(archive, "r|gz") as tar:  # a stream: the archive has 100,000 members
        for member in tar:
            if found := wanted.fullmatch(member.name):
                file = tar.extractfile(member)
                assert file is not None  # the name is that of a file
                yield member.name, {"text": file.read().strip(), "label": -1 if label == "unsup" else found[1]}


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise ValueError(f"{tar.name} has no file {name}")
    return file.read()


def _png(image: np.ndarray) -> io.BytesIO:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    buffer.seek(0)
    return buffer
