"""Preparation of TFDS data sets: MNIST, CIFAR-10 and IMDB without TensorFlow, any other with it."""

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxhpo.data.named import archives
from jaxhpo.data.named.reader import quiet
from jaxhpo.data.named.sources import SOURCES
from jaxhpo.errors import first_line

_MNIST = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
_CIFAR10, _IMDB = "cifar-10-binary.tar.gz", "aclImdb_v1.tar.gz"
_RETRIES = 5  # of a download, with doubling waits of six seconds in total; TFDS's ten take over three minutes
_NAME = re.compile(r"[a-z]\w*(/[\w.-]+)?")

_Fetch = Callable[[str], Path]  # name of an archive -> path of the checked archive


def prepare(
    name: str, data_dir: str | os.PathLike | None = None, *, archives_dir: str | os.PathLike | None = None
) -> Path:
    """Download and prepare a data set as TFDS does, in the `array_record` format; return its directory.

    Name, version, features, splits and downloads are those of TFDS's own builder. The archives of the three data sets
    that jaxhpo reads itself are checked against TFDS's checksums each time, also if they were downloaded before. A data
    set that is already prepared stays unchanged. An interrupted preparation leaves nothing that is read later.

    Args:
        name: "mnist", "cifar10" or "imdb", which need no TensorFlow; or the name of any other TFDS data set, which
            does.
        data_dir: Directory of the prepared data sets; None takes the environment variable `TFDS_DATA_DIR`, else the
            default of TFDS.
        archives_dir: Directory of the original archives, under their own names; None downloads them.

    Raises:
        ValueError: if the data set is unknown, an archive is not the original, or a file cannot be read or written.
    """
    source = SOURCES.get(name) if isinstance(name, str) else None
    wanted = name if source is None else source.tfds
    if not isinstance(wanted, str) or not _NAME.fullmatch(wanted):
        raise ValueError(f"dataset {name!r} is no data set's name; use one of {', '.join(SOURCES)}, or TFDS's")
    if source is None and importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            f"{name!r} is prepared by TFDS's own parser, which needs TensorFlow: pip install 'jaxhpo[tensorflow]'"
        )
    if archives_dir is not None and not Path(archives_dir).expanduser().is_dir():
        raise ValueError(f"archives_dir={str(archives_dir)!r} is not a directory; give the one with the archives")
    with quiet():
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.download import downloader

        downloader.MAX_RETRIES = _RETRIES
        tfds: Any = tfds  # its submodules are loaded lazily, which a type checker cannot see
        root = Path(data_dir if data_dir is not None else tfds.core.constants.get_default_data_dir()).expanduser()
        config = tfds.download.DownloadConfig(
            manual_dir=None if archives_dir is None else Path(archives_dir).expanduser(),
            compute_stats=tfds.download.ComputeStatsMode.SKIP,
            try_download_gcs=False,  # copies there have another format
        )
        try:
            builder: Any = tfds.builder(wanted, data_dir=root, file_format="array_record")
            if source is not None:
                parse = _PARSERS[name]
                builder._split_generators = lambda manager: parse(builder, lambda file: _fetch(builder, manager, file))
            builder.download_and_prepare(download_dir=root / "downloads", download_config=config)
        except _AlteredError:
            raise
        except tfds.core.registered.DatasetNotFoundError as error:
            raise ValueError(f"dataset {name!r} is unknown to TFDS: {first_line(error)}") from error
        except Exception as error:  # raised by the network, the disk or the parser of a data set
            problem = first_line(error)
            raise ValueError(
                f"{name} cannot be prepared in {str(root)!r}: {problem}; mend that and try again"
            ) from error
    return Path(builder.data_dir)


class _AlteredError(ValueError):
    """An archive differs from the one that TFDS knows."""


def _fetch(builder: Any, manager: Any, file: str) -> Path:
    """Return the path of a checked original archive, downloaded if it does not exist."""
    url, info = next((url, info) for url, info in builder.url_infos.items() if url.endswith(f"/{file}"))
    try:
        path = Path(manager.download(url))
    except Exception as error:
        if type(error).__name__ == "NonMatchingChecksumError":  # TFDS does not export the type
            raise _AlteredError(f"{file} is not the original: {first_line(error)}; get it anew") from error
        raise
    with path.open("rb") as archive:
        digest = hashlib.file_digest(archive, "sha256").hexdigest()
    if digest != info.checksum:  # TFDS does not check a file that it downloaded before
        raise _AlteredError(
            f"{path} is not the original {file}: its sha256 is {digest[:12]}..., delete it and try again"
        )
    return path


def _mnist(builder: Any, fetch: _Fetch) -> dict[str, archives.Examples]:
    del builder
    return {split: archives.mnist(*map(fetch, files)) for split, files in _MNIST.items()}


def _cifar10(builder: Any, fetch: _Fetch) -> dict[str, archives.Examples]:
    archive = fetch(_CIFAR10)
    builder.info.features["label"].names = archives.cifar10_names(archive)
    return {split: archives.cifar10(archive, split) for split in ("train", "test")}


def _imdb(builder: Any, fetch: _Fetch) -> dict[str, archives.Examples]:
    del builder
    archive = fetch(_IMDB)
    return {split: archives.imdb(archive, split) for split in ("train", "test", "unsupervised")}


_PARSERS = {"mnist": _mnist, "cifar10": _cifar10, "imdb": _imdb}
