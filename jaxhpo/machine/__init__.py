"""The machine that this process runs on, and what is taken from files and arguments within its bounds.

- `system.py`: cores, memory, cache directory
- `bounds.py`: the largest sizes that are taken
- `npz.py`: archives of arrays, whose headers are checked before anything is allocated
- `strict_json.py`: JSON of bounded size and depth, with each key once
"""

from jaxhpo.machine.system import cache_directory, cores, memory_bytes

__all__ = ["cache_directory", "cores", "memory_bytes"]
