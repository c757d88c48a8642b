"""Strict readers of CSV and parquet files: a fault that would change the table is an error."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxhpo.data.paths import refuse_unreadable, suffix_of

if TYPE_CHECKING:
    import pandas as pd


class Table(NamedTuple):
    """A table, and its description for error messages.

    Attributes:
        frame: Table with unique columns whose names are strings.
        title: Name in error messages.
        first_line: Line of the file that holds the first row; None if rows are not lines.
    """

    frame: pd.DataFrame
    title: str
    first_line: int | None

    def column(self, name: str) -> pd.Series:
        """Return a column."""
        return self.frame.loc[:, name]  # pyright: ignore[reportReturnType]

    def place(self, row: int) -> str:
        """Return the place of a row in words."""
        return f"row {row}" if self.first_line is None else f"line {row + self.first_line}"


def is_frame(data: Any) -> bool:
    """Return whether data are a DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def read_frame(frame: pd.DataFrame) -> Table:
    """Return a DataFrame as a table; raise ValueError if it is empty or two columns have the same name."""
    return _checked(frame, "the table", None)


def read_file(path: Path) -> Table:
    """Return the table in a file; raise ValueError if it is damaged or empty, or two columns have the same name."""
    suffix = suffix_of(path)
    if suffix == ".parquet":
        return _checked(_read_parquet(path), f"file {str(path)!r}", None)
    return _read_text(path, "\t" if suffix.startswith(".tsv") else ",")


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError:
        raise ValueError(f"file {str(path)!r} needs pyarrow: pip install pyarrow") from None
    import pandas as pd

    try:
        return pd.read_parquet(path, engine="pyarrow")
    except Exception as error:  # pyarrow raises types of its own
        refuse_unreadable(path, error)


def _read_text(path: Path, separator: str) -> Table:
    import pandas as pd

    title = f"file {str(path)!r}"
    text = _decode(path)
    if not text.strip():
        raise ValueError(f"{title} is empty")
    try:
        # pandas renames the second of two equal names, and names a column without a name "Unnamed".
        names = next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=None), delimiter=separator))
    except csv.Error as error:
        refuse_unreadable(path, error)
    _check_unique([name for name in names if name], title)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop cells
            frame = pd.read_csv(io.StringIO(text), sep=separator, index_col=False, low_memory=False)
    except pd.errors.ParserWarning:
        raise ValueError(f"{title} cannot be parsed: its rows have more cells than its header; mend it") from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise ValueError(f"{title} cannot be parsed: {reason}; mend it") from None
    # Rows are lines if no cell spans several lines and no line is blank.
    rows_are_lines = text.rstrip("\r\n").count("\n") == len(frame)
    return _checked(frame, title, 2 if rows_are_lines else None)


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
        if path.name.lower().endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        refuse_unreadable(path, error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"file {str(path)!r} is not UTF-8 in line {line} ({error.reason}); save it as UTF-8") from None


def _checked(frame: pd.DataFrame, title: str, first_line: int | None) -> Table:
    names = [str(name) for name in frame.columns]
    _check_unique(names, title)
    if len(frame) < 2:
        raise ValueError(f"{title} has {'a single row' if len(frame) else 'no rows'}; give one row an example")
    return Table(frame.set_axis(names, axis=1), title, first_line)


def _check_unique(names: list[str], title: str) -> None:
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise ValueError(f"{title} has the column {twice[0]!r} twice; rename or drop one")
