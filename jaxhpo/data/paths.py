"""Paths of data: whether a string is one, the name of a data set, and errors of reading."""

import contextlib
import os
from pathlib import Path
from typing import Any, NoReturn

from jaxhpo.errors import first_line

ARRAYS = (".npz",)
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
SUFFIXES = ARRAYS + TABLES


def suffix_of(path: Path) -> str:
    """Return the suffix in `SUFFIXES` that a path has, in any case, or ""."""
    name = path.name.lower()
    return max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default="")


def looks_like_path(data: str) -> bool:
    """Return whether a string that is not a data set's name is a path, of an existing file or not."""
    if suffix_of(Path(data)) or os.sep in data:
        return True
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a zero byte
        return bool(data) and Path(data).exists()
    return False


def existing(path: Any, what: str) -> Path:
    """Return a path that exists; `what` ("file" or "folder") is its name in error messages."""
    try:
        found = Path(path).expanduser()
        there = found.exists()
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"{what} {path!r} is not a path ({error})") from None
    if not there:
        raise ValueError(f"{what} {str(path)!r} does not exist")
    return found


def stem_of(path: Path) -> str:
    """Return the name of a file without a suffix of `SUFFIXES`, or the name of a folder."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix and not path.is_dir() else path.resolve().name


def refuse_unreadable(path: Path, error: BaseException, what: str = "file") -> NoReturn:
    """Raise ValueError that says in one line why a path cannot be read."""
    reason = getattr(error, "strerror", None) or first_line(error)
    raise ValueError(f"{what} {str(path)!r} cannot be read: {reason}") from error
