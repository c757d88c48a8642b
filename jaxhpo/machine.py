"""The machine that this process runs on: its usable cores and its cache directory."""

import os
from pathlib import Path

import platformdirs


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def cache_directory() -> Path:
    """Return the directory for compiled programs and decoded images.

    It is the environment variable `JAXHPO_CACHE_DIR` if set, else the user's cache directory for jaxhpo.
    """
    return Path(os.environ.get("JAXHPO_CACHE_DIR") or platformdirs.user_cache_dir("jaxhpo"))
