"""Images from a prepared TFDS directory, read without TensorFlow, decoded once and cached."""

import contextlib
import functools
import hashlib
import io
import logging
import os
import shlex
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from jaxhpo.cache import cache_directory
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.splits import hold_out

_SPLIT = 0  # of the validation examples; fixed, so that studies of different seeds compare
_VALID = 5000
_SIZES = {"mnist": {"train": 60_000, "test": 10_000}}  # a shortened preparation would score like the whole one
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_mnist(data_dir: str | os.PathLike | None = None) -> Dataset:
    """Return MNIST: [N, 28, 28, 1] uint8, 55,000/5,000/10,000 train/valid/test, ten classes.

    The test split is the official one; validation is a stratified part of the official training split. Source:
    LeCun, Cortes & Burges 1998 (CC BY-SA 3.0).

    Args:
        data_dir: holds the TFDS data set `mnist` in the `array_record` format; None takes `TFDS_DATA_DIR`.

    Raises:
        ValueError: naming the directory, what is wrong with it, and the command that prepares it.
    """
    arrays = _read("mnist", data_dir)
    x, y = arrays["x_train"], arrays["y_train"]
    train, valid = hold_out(y, _VALID, _SPLIT)
    return Dataset("mnist", x[train], y[train], x[valid], y[valid], arrays["x_test"], arrays["y_test"], 10)


def _refuse(name: str, root: Path | None, problem: str, *, damaged: Path | None = None) -> NoReturn:
    """Raise ValueError with the remedy; `damaged` is the version's directory that stands in its way."""
    place = f"data_dir={str(root)!r} {problem}" if root is not None else problem
    # `tfds build` reuses a version's directory that exists, whatever is in it; --overwrite mends only some faults.
    first = f"move {shlex.quote(str(damaged))} away, then " if damaged is not None else ""
    where = shlex.quote(str(root)) if root is not None else "DIR"
    raise ValueError(
        f"{place}; {first}prepare it with: pip install 'jaxhpo[tensorflow]' && "
        f"tfds build {name} --data_dir {where} --file_format array_record"
    )


def _read(name: str, data_dir: str | os.PathLike | None) -> dict[str, np.ndarray]:
    """Return x_train, y_train, x_test, y_test, from the cache where it is good."""
    given = data_dir if data_dir is not None else os.environ.get("TFDS_DATA_DIR")
    if not given:
        _refuse(name, None, f"{name} needs data_dir= or the environment's TFDS_DATA_DIR, the directory that holds it")
    try:
        root = Path(given).expanduser()
    except (TypeError, RuntimeError) as error:  # neither a string nor a path; a home directory of no one
        raise ValueError(f"data_dir={given!r} is not a path ({_first_line(error)}); give a directory") from None
    directory = _prepared(name, root)
    cached = cache_directory() / "data" / f"{name}-{directory.name}-{_identity(directory)}.npz"
    arrays = _load_cache(cached)
    if arrays is None:
        arrays = _decode(name, root, directory)
        _save_cache(cached, arrays)
    return arrays


def _prepared(name: str, root: Path) -> Path:
    """Return the newest prepared version's directory."""
    if not root.is_dir():
        _refuse(name, root, "is not a directory")
    versions = sorted(p for p in (root / name).glob("*.*.*") if p.is_dir() and p.name[0].isdigit())
    if not versions:
        half = list((root / name).glob("incomplete*"))
        _refuse(name, root, f"holds a half-written {name} only" if half else f"does not hold {name}")
    directory = max(versions, key=lambda p: [int(part) if part.isdigit() else 0 for part in p.name.split(".")])
    for needed in ("dataset_info.json", "features.json"):
        if not (directory / needed).is_file():
            problem = f"holds a half-written {name}: {directory.name}/{needed} is missing"
            _refuse(name, root, problem, damaged=directory)
    return directory


def _identity(directory: Path) -> str:
    """Return a digest that changes when the files do."""
    files = sorted(p for p in directory.iterdir() if p.is_file())  # a dangling link is a missing shard: see _decode
    facts = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return hashlib.sha256(repr((str(directory.resolve()), facts)).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep TFDS and what it imports from writing to the user's terminal."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _decode(name: str, root: Path, directory: Path) -> dict[str, np.ndarray]:
    """Return the arrays of both splits; any fault of the files is the directory's."""
    refuse = functools.partial(_refuse, name, root, damaged=directory)
    with _quiet():
        try:
            import tensorflow_datasets as tfds
            from array_record.python.array_record_data_source import ArrayRecordDataSource
        except ImportError as error:
            raise ValueError(f"{name} needs tensorflow-datasets and array-record, but {error}") from None
        try:
            builder = tfds.builder_from_directory(directory)
            splits = builder.info.splits
            known = set(splits)
        except Exception as error:  # whatever a damaged JSON file makes TFDS raise
            refuse(f"holds a {name} that cannot be read ({_first_line(error)})")
        if missing := {"train", "test"} - known:
            refuse(f"holds a {name} without the split {sorted(missing)[0]}")
        file_format = getattr(builder.info.file_format, "value", None)
        if file_format != "array_record":
            refuse(f"holds {name} in the format {file_format}, not array_record")
        arrays, skip = {}, tfds.decode.SkipDecoding()
        for split in ("test", "train"):  # the smaller first: a fault shows sooner
            shards = [Path(p) for p in splits[split].filepaths]
            if absent := [shard.name for shard in shards if not shard.is_file()]:
                refuse(f"holds a half-written {name}: {directory.name}/{absent[0]} is missing")
            expected = splits[split].num_examples
            if expected != _SIZES[name][split]:
                refuse(f"holds a {name} of {expected:,} {split} examples, not {_SIZES[name][split]:,}")
            try:
                # Counted in the files: the data source's own length is only what dataset_info.json says.
                if (there := len(ArrayRecordDataSource([str(shard) for shard in shards]))) != expected:
                    raise ValueError(f"it has {there} examples, but dataset_info.json says {expected}")
                source = builder.as_data_source(split, decoders={"image": skip})  # pyright: ignore[reportCallIssue]
                images, labels = _decode_split(source)
            except Exception as error:  # a cut file surfaces as one of many types from C++
                refuse(f"holds a damaged {name}, split {split} ({_first_line(error)})")
            arrays |= {f"x_{split}": images, f"y_{split}": labels}
    return arrays


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _decode_split(source: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return [N, H, W, C] uint8 and [N] int32."""
    from PIL import Image

    labels = np.empty(len(source), np.int32)
    images: np.ndarray | None = None
    for i in range(len(source)):
        row = source[i]
        image = np.asarray(Image.open(io.BytesIO(row["image"])))
        if images is None:
            images = np.empty((len(source), *image.shape), np.uint8)
        images[i], labels[i] = image, row["label"]
    assert images is not None
    return (images[..., None] if images.ndim == 3 else images), labels


def _load_cache(path: Path) -> dict[str, np.ndarray] | None:
    """Return the cached arrays; None where there are none or the file is damaged (the zip's CRCs tell)."""
    try:
        # Members are read whole, which checks their CRC, and parsed afterwards: `np.load` on the file would stop where
        # a damaged header says that the array ends, and return a part of it.
        with zipfile.ZipFile(path) as archive:
            members = {name: io.BytesIO(archive.read(f"{name}.npy")) for name in _ARRAYS}
        return {name: np.load(member, allow_pickle=False) for name, member in members.items()}
    except Exception:  # one wrong bit raises any of a dozen types; whichever it is, the remedy is to decode again
        return None


def _save_cache(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the cache whole or not at all; a study goes on without one."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, **arrays)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or error
        warnings.warn(f"decoded images are not cached in {path.parent}: {reason}", RuntimeWarning, stacklevel=5)
    finally:  # on Ctrl-C too
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
