"""Paths that the user names: which of them look like data, what they are called, and why one cannot be read."""

import contextlib
import os
from pathlib import Path
from typing import Any, NoReturn

from jaxhpo.errors import first_line

ARRAYS = (".npz",)
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
SUFFIXES = ARRAYS + TABLES


def suffix_of(path: Path) -> str:
    """Return which of `SUFFIXES` a path ends in, in any case, or ""."""
    name = path.name.lower()
    return max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default="")


def looks_like_path(data: str) -> bool:
    """Return whether a string that is no data set's name means a file or a folder, there or not."""
    if suffix_of(Path(data)) or os.sep in data:
        return True
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a zero byte
        return bool(data) and Path(data).exists()
    return False


def existing(path: Any, what: str) -> Path:
    """Return a path that is there; `what` it should be, "file" or "folder", is for the error."""
    try:
        found = Path(path).expanduser()
        there = found.exists()
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise ValueError(f"{what} {path!r} is not a path ({error})") from None
    if not there:
        raise ValueError(f"{what} {str(path)!r} does not exist")
    return found


def stem_of(path: Path) -> str:
    """Return a file's name without the suffix that jaxhpo knows, or a folder's name."""
    suffix = suffix_of(path)
    return path.name[: -len(suffix)] if suffix and not path.is_dir() else path.resolve().name


def refuse_unreadable(path: Path, error: BaseException, what: str = "file") -> NoReturn:
    """Raise ValueError that says in one line why a path cannot be read."""
    reason = getattr(error, "strerror", None) or first_line(error)
    raise ValueError(f"{what} {str(path)!r} cannot be read: {reason}") from error
