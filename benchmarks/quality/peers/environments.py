"""Virtual environments of the peers, made where they are missing, with the versions that were measured."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from jaxhpo.machine import cache_directory

HERE = Path(__file__).parent


def ready(name: str, root: Path | None = None) -> Path:
    """Return the Python of a peer's environment; make it where it is missing or its requirements have changed.

    Args:
        name: `requirements_NAME.txt` says what is in it.
        root: the folder of all environments; in the user's cache unless given.

    Raises:
        RuntimeError: it cannot be installed, with the end of what pip says. HEBO's pins need Python 3.11 or older.
    """
    folder = (root or cache_directory() / "peers") / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirements = _requirements(name)
    mark = folder / "requirements.sha256"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text(encoding="utf-8") == digest:
        return python
    for command in (
        [sys.executable, "-m", "venv", folder],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
    ):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the environment of {name} cannot be made in {folder}: {done.stderr[-1500:]}")
    mark.write_text(digest, encoding="utf-8")
    return python


def version(name: str) -> str:
    """Return the release of a peer: the first pin of its requirements."""
    return _requirements(name).read_text(encoding="utf-8").splitlines()[0].split("==")[1]


def packages(python: Path) -> dict[str, str]:
    """Return the versions of all that is installed in an environment."""
    command = [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {row["name"].lower(): row["version"] for row in rows if row["name"] not in ("pip", "setuptools", "wheel")}


def _requirements(name: str) -> Path:
    return HERE / f"requirements_{name}.txt"
