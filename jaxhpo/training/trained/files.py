"""The files of a saved model: all are written or none, and each is compared with its checksum."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jaxhpo.data import Vocabulary
from jaxhpo.errors import check_path, first_line
from jaxhpo.machine import strict_json

DESCRIPTION, WORDS, WEIGHTS = "model.json", "words.txt", "weights"
MODELS = "models.json"  # of a directory with several models: which one is recommended
SUMS = "sha256sums.txt"  # of the description and the words, as sha256sum writes and checks them


class AlteredError(ValueError):
    """A file is not what was saved; the message names it."""


@contextlib.contextmanager
def new_directory(directory: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty directory, which afterwards has the given path; on an error nothing is left behind.

    Raises:
        ValueError: if the directory exists or cannot be written.
    """
    path = check_path("save: directory", directory).expanduser().absolute()
    if os.path.lexists(path):
        raise ValueError(f"save: {str(directory)!r} exists already; name a new directory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, suffix=".part") as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            yield new
            new.rename(path)
    except (OSError, ValueError) as error:  # a full disk is a ValueError to Orbax
        full = os.strerror(errno.ENOSPC)
        problem = getattr(error, "strerror", None) or (full if full in str(error) else first_line(error))
        raise ValueError(f"save: {str(directory)!r} cannot be written: {problem}; name another directory") from error


def write_model(new: Path, description: dict[str, Any], words: Vocabulary | None, tree: Any) -> None:
    """Write a model into an empty directory.

    Args:
        new: The directory.
        description: What `model.json` says, but for the words, the arrays and the checksums of the weights.
        words: Vocabulary, or None.
        tree: Arrays.
    """
    import orbax.checkpoint as ocp

    said = description | {"words": None if words is None else len(words.words), "arrays": arrays_of(tree)}
    if words is not None:
        (new / WORDS).write_text("\n".join(words.words), encoding="utf-8")
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(new / WEIGHTS, tree)
        checkpointer.wait_until_finished()
    said["files"] = digests(new / WEIGHTS)
    (new / DESCRIPTION).write_text(json.dumps(said, indent=1), encoding="utf-8")
    sums = "".join(f"{digest}  {name}\n" for name, digest in digests(new, below=False).items())
    (new / SUMS).write_text(sums, encoding="utf-8")


def arrays_of(tree: Any) -> dict[str, str]:
    """Return dtype and shape of each array of a pytree, by its path: "float32 [5, 8]"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype} {list(leaf.shape)}" for path, leaf in leaves}


def check_sums(directory: Path) -> None:
    """Raise ValueError if the description or the words are not those that were saved."""
    if not (directory / SUMS).exists():  # an earlier release wrote none
        return
    lines = strict_json.read_text(directory / SUMS).splitlines()
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = digests(directory, below=False)
    for name in (DESCRIPTION, WORDS):
        if name in found and said.get(name) != found[name]:  # what is missing is said where it is read
            raise AlteredError(f"{name} was altered")


def digests(directory: Path, *, below: bool = True) -> dict[str, str]:
    """Return the sha256 of every file in a directory, and `below` it, by its relative path."""
    files = sorted(path for path in directory.glob("**/*" if below else "*") if path.is_file())
    return {p.relative_to(directory).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
