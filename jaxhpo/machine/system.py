"""Usable cores, memory and cache directory of the machine."""

import os
from pathlib import Path

import platformdirs


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def memory_bytes() -> int:
    """Return the bytes of the machine's memory, or 8 GiB where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no Unix
        return 8 << 30


def cache_directory() -> Path:
    """Return the directory for compiled programs and decoded images.

    It is the environment variable `JAXHPO_CACHE_DIR` if set, else the user's cache directory for jaxhpo.
    """
    return Path(os.environ.get("JAXHPO_CACHE_DIR") or platformdirs.user_cache_dir("jaxhpo"))
