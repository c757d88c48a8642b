"""Functions in processes of their own: a cold start for each, no thread pool beside another's, and a time limit.

Compiled programs are cached where the caller says; data sets are decoded once for all of them.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache as once
from pathlib import Path
from typing import Any


@once
def _decoded() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


def call(function: str, /, *, cache: str, limit: float | None = None, **arguments: Any) -> Any:
    """Return what `module:function` of this package returns in a fresh process, or None where it takes too long.

    Args:
        function: such as "ours:study"; what it takes and returns is plain data.
        cache: the directory of the compilation cache.
        limit: seconds after which the process is ended.
        arguments: the function's.

    Raises:
        RuntimeError: with the end of its output, where the process fails.
    """
    environment = os.environ | {"JAXHPO_CACHE_DIR": cache, "STARTED": repr(time.time())}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    data = Path(cache, "data")
    if not data.exists():
        data.symlink_to(_decoded().name, target_is_directory=True)
    message = json.dumps({"function": function, "arguments": arguments})
    command = [sys.executable, "-m", "benchmarks.speed.process"]
    try:
        done = subprocess.run(command, input=message, capture_output=True, text=True, env=environment, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise RuntimeError(f"{function} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def spare_memory() -> None:
    """Have JAX take no more of a GPU's memory than it uses, here and in the processes that this one starts."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def started() -> float:
    """Return when this process was started, in seconds since 1970."""
    return float(os.environ["STARTED"])


def main() -> None:
    """Run the function that standard input names and print what it returns."""
    message = json.load(sys.stdin)
    module, name = message["function"].split(":")
    function = getattr(importlib.import_module(f"benchmarks.speed.{module}"), name)
    print(json.dumps(function(**message["arguments"])))


if __name__ == "__main__":
    main()
