"""Archives of arrays (`.npz`), whose headers are checked before anything is allocated."""

import math
import zipfile
from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np

from jaxhpo.machine.bounds import check_memory

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(
    file: IO[bytes], choose: Callable[[set[str]], Iterable[str]] | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of an archive by name.

    Args:
        file: The archive, open for reading.
        choose: Function from the names of the arrays to those that are read; None reads all.

    Raises:
        ValueError: if the file is no archive, if an array says that it is larger than what the archive holds of it, or
            if the arrays take more than half of this machine's memory; also for arrays of Python objects.
        zipfile.BadZipFile, zlib.error, EOFError, OSError: if the archive is damaged.
    """
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no archive of arrays, or it is cut")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        members = {name.removesuffix(".npy"): archive.getinfo(name) for name in archive.namelist()}
        wanted = list(members if choose is None else choose(set(members)))
        sizes = [_size(archive, name, members[name]) for name in wanted]
        check_memory(f"its arrays {', '.join(wanted)}", sum(sizes), "give fewer examples")
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in wanted}


def _size(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> int:
    """Return the bytes of an array; raise ValueError if its header says more than the archive holds."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        # Version 3 differs from 2 in names of fields, which arrays of numbers and texts do not have.
        shape, _, dtype = _HEADERS.get(version, np.lib.format.read_array_header_2_0)(stream)
        start = stream.tell()
    if any(not 0 <= length < 2**63 for length in shape):  # also beside a length of 0
        raise ValueError(f"its array {name} has the shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and size > member.file_size - start:
        raise ValueError(f"its array {name} says that it has {size:,} bytes, and holds {member.file_size - start:,}")
    return size
