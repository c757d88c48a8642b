"""Examples from a prepared TFDS directory, read without TensorFlow, decoded once and cached."""

import contextlib
import functools
import hashlib
import io
import logging
import os
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from jaxhpo.data.named import store
from jaxhpo.errors import first_line
from jaxhpo.machine import cache_directory

_DEFAULT = "~/tensorflow_datasets"  # the default of TFDS


class Source(NamedTuple):
    """A data set of TFDS, and the contents of a complete preparation of it.

    Attributes:
        name: Name in jaxhpo.
        tfds: Name in TFDS, with its configuration.
        feature: Feature of the examples: "image" or "text".
        sizes: Number of examples of each split, so that an incomplete preparation is detected.
        classes: Number of classes.
        valid: Number of training examples to hold out for validation.
        about: One-line description.
    """

    name: str
    tfds: str
    feature: str
    sizes: dict[str, int]
    classes: int
    valid: int
    about: str


def read(source: Source, data_dir: str | os.PathLike | None) -> dict[str, np.ndarray]:
    """Return the arrays of a data set, memory-mapped from the cache if it is valid.

    For the splits train and test, `y_SPLIT` is [N] int32. Images: `x_SPLIT` is [N, H, W, C] uint8. Texts: `x_SPLIT` is
    [bytes] uint8, all texts one after another, and `ends_SPLIT`, [N] int64, is the end of each; see `texts`.

    Args:
        source: Data set.
        data_dir: Directory of the data sets in the `array_record` format; None takes the environment variable
            `TFDS_DATA_DIR`.

    Raises:
        ValueError: if the directory is invalid; the message names it, what is wrong, and the command that prepares it.
    """
    name = source.name
    given = data_dir if data_dir is not None else os.environ.get("TFDS_DATA_DIR")
    try:
        root = Path(given or _DEFAULT).expanduser()
    except (TypeError, RuntimeError) as error:  # neither a string nor a path; an unknown home directory
        raise ValueError(f"data_dir={given!r} is not a path ({first_line(error)}); give a directory") from None
    if not given and not root.is_dir():
        problem = f"{name} needs data_dir= or the environment's TFDS_DATA_DIR, the directory that holds it"
        raise ValueError(f"{problem}; prepare it with: jaxhpo data prepare {name}")
    directory = _prepared(source, root)
    cached = cache_directory() / "data" / f"{name}-{directory.name}-{_identity(directory)}"
    arrays = store.load(cached)
    if arrays is None:
        arrays = _decode(source, root, directory)
        try:
            store.save(cached, arrays)
        except OSError as error:  # a study works without the cache
            reason = error.strerror or error
            warnings.warn(f"{name} is not cached in {str(cached.parent)!r}: {reason}", RuntimeWarning, stacklevel=4)
    return arrays


def texts(arrays: dict[str, np.ndarray], split: str) -> list[str]:
    """Return the texts of a split; raise ValueError if one is not UTF-8."""
    content, ends = arrays[f"x_{split}"].tobytes(), arrays[f"ends_{split}"].tolist()
    found = []
    for row, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        try:
            found.append(content[start:end].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the text of {split} example {row} is not UTF-8 ({error.reason}); mend or drop it"
            ) from None
    return found


def _refuse(source: Source, root: Path, problem: str, *, damaged: Path | None = None) -> NoReturn:
    """Raise ValueError with the remedy; `damaged` is a directory that must be moved away first."""
    # TFDS reuses the existing directory of a version without checking it.
    first = f"move {shlex.quote(str(damaged))} away, then " if damaged is not None else ""
    command = f"jaxhpo data prepare {source.name} --data-dir {shlex.quote(str(root))}"
    raise ValueError(f"data_dir={str(root)!r} {problem}; {first}prepare it with: {command}")


def _prepared(source: Source, root: Path) -> Path:
    """Return the directory of the newest prepared version."""
    name, place = source.name, root / source.tfds
    if not root.is_dir():
        _refuse(source, root, "is not a directory")
    versions = sorted(p for p in place.glob("*.*.*") if p.is_dir() and p.name[0].isdigit())
    if not versions:
        half = list(place.glob("incomplete*"))
        _refuse(source, root, f"holds a half-written {name} only" if half else f"does not hold {name}")
    directory = max(versions, key=lambda p: [int(part) if part.isdigit() else 0 for part in p.name.split(".")])
    for needed in ("dataset_info.json", "features.json"):
        if not (directory / needed).is_file():
            problem = f"holds a half-written {name}: {directory.name}/{needed} is missing"
            _refuse(source, root, problem, damaged=directory)
    return directory


def _identity(directory: Path) -> str:
    """Return a digest that changes when the files change."""
    files = sorted(p for p in directory.iterdir() if p.is_file())  # a broken link is a missing shard: see _decode
    facts = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(repr((str(directory.resolve()), facts)).encode()).hexdigest()[:16]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep TFDS and the packages that it imports from writing to the terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _decode(source: Source, root: Path, directory: Path) -> dict[str, np.ndarray]:
    """Return the arrays of both splits; raise ValueError if a file is invalid."""
    name = source.name
    refuse = functools.partial(_refuse, source, root, damaged=directory)
    with quiet():
        try:
            import tensorflow_datasets as tfds
            from array_record.python.array_record_data_source import ArrayRecordDataSource
        except ImportError as error:
            raise ValueError(f"{name} needs tensorflow-datasets and array-record, but {error}") from None
        try:
            builder = tfds.builder_from_directory(directory)
            splits = builder.info.splits
            known = set(splits)
        except Exception as error:  # for a damaged JSON file TFDS raises many types
            refuse(f"holds a {name} that cannot be read ({first_line(error)})")
        if missing := {"train", "test"} - known:
            refuse(f"holds a {name} without the split {sorted(missing)[0]}")
        file_format = getattr(builder.info.file_format, "value", None)
        if file_format != "array_record":
            refuse(f"holds {name} in the format {file_format}, not array_record")
        arrays = {}
        decoders = {"image": tfds.decode.SkipDecoding()} if source.feature == "image" else None
        decode = _decode_images if source.feature == "image" else _decode_texts
        for split in ("test", "train"):  # the smaller one first, so that an error is found sooner
            shards = [Path(p) for p in splits[split].filepaths]
            if absent := [shard.name for shard in shards if not shard.is_file()]:
                refuse(f"holds a half-written {name}: {directory.name}/{absent[0]} is missing")
            expected = splits[split].num_examples
            if expected != source.sizes[split]:
                refuse(f"holds a {name} of {expected:,} {split} examples, not {source.sizes[split]:,}")
            try:
                # Count in the files: the length of the data source is copied from dataset_info.json.
                if (there := len(ArrayRecordDataSource([str(shard) for shard in shards]))) != expected:
                    raise ValueError(f"it has {there} examples, but dataset_info.json says {expected}")
                rows = builder.as_data_source(split, decoders=decoders)  # pyright: ignore[reportCallIssue]
                found = decode(rows)
            except Exception as error:  # for a truncated file C++ code raises many types
                refuse(f"holds a damaged {name}, split {split} ({first_line(error)})")
            arrays |= {f"{what}_{split}": array for what, array in found.items()}
    return arrays


def _decode_images(rows: Any) -> dict[str, np.ndarray]:
    """Return x [N, H, W, C] uint8 and y [N] int32."""
    from PIL import Image

    labels = np.empty(len(rows), np.int32)
    images: np.ndarray | None = None
    for i in range(len(rows)):
        row = rows[i]
        image = np.asarray(Image.open(io.BytesIO(row["image"]), formats=("PNG", "JPEG")))
        if images is None:
            images = np.empty((len(rows), *image.shape), np.uint8)
        images[i], labels[i] = image, row["label"]
    assert images is not None
    return {"x": images[..., None] if images.ndim == 3 else images, "y": labels}


def _decode_texts(rows: Any) -> dict[str, np.ndarray]:
    """Return x [bytes] uint8, ends [N] int64 and y [N] int32."""
    contents, labels = [], np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        row = rows[i]
        contents.append(row["text"])
        labels[i] = row["label"]
    ends = np.cumsum([len(content) for content in contents], dtype=np.int64)
    return {"x": np.frombuffer(b"".join(contents), np.uint8), "ends": ends, "y": labels}
