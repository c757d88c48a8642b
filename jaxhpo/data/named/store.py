"""A cache of arrays on disk: memory-mapped, written completely or not at all, and checked when read."""

import contextlib
import json
import tempfile
import zlib
from pathlib import Path

import numpy as np

_MANIFEST = "checksums.json"


def load(directory: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays that `save` wrote, read-only and memory-mapped; None if they are missing or damaged."""
    try:
        checksums = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
        files = {name: directory / f"{name}.npy" for name in checksums}
        if any(_checksum(path) != checksums[name] for name, path in files.items()):
            return None
        return {name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in files.items()}
    except Exception:  # damaged files raise many types; in any case the arrays must be made again
        return None


def save(directory: Path, arrays: dict[str, np.ndarray]) -> None:
    """Replace the stored arrays, completely or not at all; raise OSError if that fails."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, suffix=".part") as temporary:  # also removed on Ctrl-C
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
    # Of the whole file, because a damaged header can shorten the array.
    return zlib.crc32(np.memmap(path, np.uint8, mode="r"))
