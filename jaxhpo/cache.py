"""Where jaxhpo keeps what it can make again: compiled programs, decoded images."""

import os
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Return `JAXHPO_CACHE_DIR` where the environment has it, else the user's cache directory for jaxhpo."""
    return Path(os.environ.get("JAXHPO_CACHE_DIR") or platformdirs.user_cache_dir("jaxhpo"))
