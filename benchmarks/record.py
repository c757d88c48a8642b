"""What every benchmark writes beside its figures."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxhpo.tuning import versions

RESULTS = Path(__file__).parent / "results"
_PATHS = {"--data-dir": "DIR", "--reports": "DIR"}


def results() -> Path:
    """Return where this device's results are kept: those of a GPU or TPU in a directory of their own."""
    return RESULTS if jax.default_backend() == "cpu" else RESULTS / jax.default_backend()


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with what every benchmark takes: `--quick` and `--no-save`."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="small: does it run, not how fast")
    made.add_argument("--no-save", action="store_true", help="print the result only")
    return made


def processor() -> str:
    """Return the processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def about() -> dict[str, Any]:
    """Return what a figure was measured on: the device, the processor and the versions."""
    return {
        "device": f"{jax.default_backend()}: {jax.devices()[0].device_kind}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "versions": versions(),
    }


def save(
    name: str,
    result: dict[str, Any],
    *,
    write: bool = True,
    module: str | None = None,
    show: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Print a result with what it was measured on, and write it to `results/NAME.json`, of a GPU to `results/gpu`.

    Args:
        name: of the file.
        result: plain data.
        write: whether to.
        module: of `benchmarks`, that made it, where it is not `name`.
        show: makes what is printed of the whole; its JSON unless given.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--no-save"]
    for option, shown in _PATHS.items():  # where, on this machine, is nobody's business
        if option in arguments:
            arguments[arguments.index(option) + 1] = shown
    command = " ".join(["python", "-m", f"benchmarks.{module or name}", *arguments])
    whole = result | {"measured_on": {"command": command} | about()}
    text = json.dumps(whole, indent=2)
    print(text if show is None else show(whole))
    if write:
        file = results() / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="utf-8")
