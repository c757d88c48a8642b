"""Execute notebooks at their full size, and keep what they show: `python -m tests.docs.notebooks first_steps ...`.

On a quiet machine: progress bars show how long it took.
"""

import os
import sys
import tempfile

import nbformat
from nbclient import NotebookClient

from tests.docs import pages


def execute(name: str) -> None:
    """Execute a notebook of `examples` in an empty directory, by this interpreter."""
    path = pages.ROOT / "examples" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    about, cells = notebook.metadata.copy(), [cell.metadata.copy() for cell in notebook.cells]
    with tempfile.TemporaryDirectory() as directory:
        # Neither a kernel nor settings of the user's.
        os.environ |= {"JUPYTER_PREFER_ENV_PATH": "1", "IPYTHONDIR": directory}
        where = {"metadata": {"path": directory}}
        NotebookClient(notebook, kernel_name="python3", timeout=3600, resources=where).execute()
    notebook.metadata = about
    for cell, kept in zip(notebook.cells, cells, strict=True):
        cell.metadata = kept  # without the times
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        execute(each)
