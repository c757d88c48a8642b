"""The processor that this process runs on."""

import os


def cores() -> int:
    """Return the processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no Linux
        return os.cpu_count() or 1
