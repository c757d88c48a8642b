"""The journal: each trial is written as soon as it has finished, one JSON object a line."""

import contextlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from jaxhpo.errors import check_path
from jaxhpo.study.trials import Trial

_COLUMNS = ("trial", "round", "lane", "source", "budget", "trained_from", "config", "score", "reason", "seconds")


def plain(value: Any) -> Any:
    """Return a value as strict JSON allows: nan and infinities become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class Journal:
    """Writes a study's file: a header, then a line for each trial, then the result.

    Args:
        path: A new file.
        header: What is tuned, and how, as plain data.

    Raises:
        ValueError: if the file exists already (it may hold another study's trials), or cannot be made.
    """

    def __init__(self, path: str | os.PathLike, header: Mapping[str, Any]):
        self.path = check_path("output", path)
        try:
            self._file = self.path.open("x", encoding="utf-8")
        except FileExistsError:
            raise ValueError(f"output={str(path)!r} exists already; name a new file") from None
        except OSError as error:
            raise ValueError(f"output={str(path)!r} cannot be written: {error.strerror}; name another file") from None
        self._write({"header": header})
        self.sync()

    def append(self, trial: Trial) -> None:
        """Write a finished trial: a process that is killed now has not lost it.

        The line has the key `standard_error` only if the trial's is known.

        Raises:
            OSError: if the disk does not take it.
        """
        row = {name: getattr(trial, name) for name in _COLUMNS}
        known = {} if math.isnan(trial.standard_error) else {"standard_error": trial.standard_error}
        self._write(row | known)

    def sync(self) -> None:
        """Wait until the disk has what was written: a machine that stops now has not lost it.

        Raises:
            OSError: if the disk does not take it.
        """
        os.fsync(self._file.fileno())

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the study's result, and close the file.

        Raises:
            OSError: if the disk does not take it.
        """
        self._write({"result": result})
        self.sync()
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return self._file.closed

    def close(self) -> None:
        """Close the file; what was written stays."""
        with contextlib.suppress(OSError):  # what a full disk did not take was reported when it was written
            self._file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(plain(row), allow_nan=False) + "\n")
        self._file.flush()
