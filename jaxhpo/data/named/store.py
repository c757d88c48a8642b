"""Arrays on disk that can be made again: memory-mapped, written whole or not at all, checked when read."""

import contextlib
import json
import tempfile
import zlib
from pathlib import Path

import numpy as np

_MANIFEST = "checksums.json"


def load(directory: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays that `save` wrote, read-only and memory-mapped; None where there are none or a bit is wrong."""
    try:
        checksums = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        files = {name: directory / f"{name}.npy" for name in checksums}
        if any(_checksum(path) != checksums[name] for name, path in files.items()):
            return None
        return {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in files.items()}
    except Exception:  # damage has a dozen faces; whichever it is, the remedy is to make the arrays again
        return None


def save(directory: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays whole or not at all, in place of what is there; raise OSError where that cannot be."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, suffix=".part") as temporary:  # gone on Ctrl-C too
        new = Path(temporary) / "new"
        new.mkdir()
        checksums = {}
        for name, array in arrays.items():
            path = new / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            checksums[name] = _checksum(path)
        (new / _MANIFEST).write_text(json.dumps(checksums), encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            directory.rename(Path(temporary) / "old")
        new.rename(directory)


def _checksum(path: Path) -> int:
    # Of the whole file: a damaged header could shorten the array that it describes.
    return zlib.crc32(np.memmap(path, np.uint8, mode="r"))
