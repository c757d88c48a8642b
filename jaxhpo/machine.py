"""The machine that this process runs on: the cores it may use, and the directory for what can be made again."""

import os
from pathlib import Path

import platformdirs


def cores() -> int:
    """Return the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no Linux
        return os.cpu_count() or 1


def cache_directory() -> Path:
    """Return `JAXHPO_CACHE_DIR` where the environment has it, else the user's cache directory for jaxhpo.

    It holds compiled programs and decoded images.
    """
    return Path(os.environ.get("JAXHPO_CACHE_DIR") or platformdirs.user_cache_dir("jaxhpo"))
