"""Where programs that tests have compiled are kept from one run to the next."""

import contextlib
import hashlib
import platform
import sys
from pathlib import Path

import jaxlib

LARGEST = 2**30
"""Bytes that all of them together may take."""


def directory(root: Path) -> Path:
    """Return the directory, below `root`, of this release of jaxlib and Python on this processor."""
    processor = hashlib.sha256(_processor().encode()).hexdigest()[:8]
    return root / f"jaxlib-{jaxlib.__version__}-{sys.implementation.cache_tag}-{processor}"


def _processor() -> str:
    """Return what decides which instructions a program may have: the processor's name and features."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def prune(root: Path, largest: int = LARGEST) -> None:
    """Remove the files below `root` that were used the longest ago, until the others take `largest` bytes at most."""
    files = []
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # another run removes files, too
            if path.is_file():
                files.append((path, path.stat()))
    # A file system may keep no time of access.
    files.sort(key=lambda file: max(file[1].st_atime, file[1].st_mtime), reverse=True)
    total = 0
    for path, stat in files:
        total += stat.st_size
        if total > largest:
            path.unlink(missing_ok=True)
