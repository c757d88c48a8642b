"""The journal: every finished trial on disk before the next round begins, one JSON object a line."""

import contextlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jaxhpo.study.trials import Trial


def plain(value: Any) -> Any:
    """Return a value as strict JSON takes it: nan and infinities become None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class Journal:
    """Writes a study's file: a header, then a line a trial, then the result.

    Raises ValueError where the file exists already (it may hold another study's trials) or cannot be made.
    """

    def __init__(self, path: str | os.PathLike, header: Mapping[str, Any]):
        self.path = Path(path)
        try:
            self._file = self.path.open("x", encoding="utf-8")
        except FileExistsError:
            raise ValueError(f"output={str(path)!r} exists already; name a new file") from None
        except OSError as error:
            raise ValueError(f"output={str(path)!r} cannot be written: {error.strerror}; name another file") from None
        self._write([{"header": header}])

    def append(self, trials: Iterable[Trial]) -> None:
        """Write finished trials; raises OSError where the disk does not take them."""
        names = ("trial", "round", "lane", "source", "budget", "config", "score", "seconds")
        self._write([{name: getattr(trial, name) for name in names} for trial in trials])

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the study's result and close."""
        self._write([{"result": result}])
        self.close()

    def close(self) -> None:
        """Close the file; what was appended stays."""
        with contextlib.suppress(OSError):  # what a full disk did not take was reported when it was written
            self._file.close()

    def _write(self, rows: list[Mapping[str, Any]]) -> None:
        self._file.writelines(json.dumps(plain(row), allow_nan=False) + "\n" for row in rows)
        self._file.flush()
        os.fsync(self._file.fileno())
