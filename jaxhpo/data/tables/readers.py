"""Strict readers of CSV and parquet files: a fault that would change the table is an error."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import warnings
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxhpo.data.paths import refuse_unreadable, suffix_of
from jaxhpo.data.tables.cells import COMMA, POINT
from jaxhpo.data.tables.layout import Layout, layout_of, without_first_line
from jaxhpo.machine.bounds import check_memory
from jaxhpo.machine.system import memory_bytes

if TYPE_CHECKING:
    import pandas as pd

_SPELLED = {"\t": "tabs"}
_LESS = "give fewer rows or columns"
_MEMORY = 8  # bytes that reading takes for each byte of a text or cell of a parquet file, about


class Table(NamedTuple):
    """A table, and its description for error messages.

    Attributes:
        frame: Table with unique columns whose names are strings, and rows numbered from 0.
        title: Name in error messages.
        first_line: Line of the file that holds the first row; None if rows are not lines.
        decimal: How its numbers are written: `cells.POINT` or `cells.COMMA`.
        from_text: Whether it comes from a file of text.
        notes: What was understood of the file, a sentence each.
    """

    frame: pd.DataFrame
    title: str
    first_line: int | None
    decimal: str = POINT
    from_text: bool = False
    notes: tuple[str, ...] = ()

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
    import pandas as pd

    notes = ()
    if not isinstance(frame.index, pd.RangeIndex):
        names = [str(name) for name in frame.index.names if name is not None]
        if names or isinstance(frame.index, pd.DatetimeIndex):
            called = f" {', '.join(map(repr, names))}" if names else ""
            notes = (f"the index{called} of the table is not used; reset_index() makes a column of it",)
    return _checked(frame, "the table", None)._replace(notes=notes)


def read_file(path: Path, *, header: bool | None = None, words: Collection[str] = ()) -> Table:
    """Return the table in a file.

    Args:
        path: Path of the file.
        header: Whether the first row of a file of text names the columns; None finds out.
        words: Columns whose cells are kept as they are written.

    Raises:
        ValueError: if the file is damaged or empty, or two columns have the same name.
    """
    suffix = suffix_of(path)
    if suffix == ".parquet":
        if header is not None:
            raise ValueError(f"header={header!r} is for files of text, and {str(path)!r} is none; leave it out")
        return _checked(_read_parquet(path), f"file {str(path)!r}", None)
    return _read_text(path, "\t" if suffix.startswith(".tsv") else ",", header, words)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow as pa  # noqa: F401
    except ImportError:
        raise ValueError(f"file {str(path)!r} needs pyarrow: pip install pyarrow") from None
    import pandas as pd
    from pyarrow import parquet

    try:
        size = parquet.read_metadata(path)
        cells = size.num_rows * size.num_columns
    except Exception as error:  # pyarrow raises types of its own
        refuse_unreadable(path, error)
    check_memory(f"file {str(path)!r} of {size.num_rows:,} rows", _MEMORY * cells, _LESS)
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except Exception as error:  # pyarrow raises types of its own
        refuse_unreadable(path, error)


def _read_text(path: Path, usual: str, header: bool | None, words: Collection[str]) -> Table:
    import pandas as pd

    title = f"file {str(path)!r}"
    text = _decode(path)
    if not text.strip():
        raise ValueError(f"{title} is empty")
    content = without_first_line(text)
    if not content.strip():
        raise ValueError(f"{title} is empty")
    try:
        layout = layout_of(text, header, usual)
    except csv.Error as error:
        refuse_unreadable(path, error)
    # pandas renames the second of two equal names, and names a column without a name "Unnamed".
    _check_unique([name for name in layout.header or () if name], title)
    options: dict[str, Any] = {"sep": layout.separator, "header": None if layout.header is None else 0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # pandas would drop cells
            frame = pd.read_csv(
                io.StringIO(content),
                index_col=False,
                low_memory=False,
                skipinitialspace=True,
                dtype=str if layout.decimal == COMMA else _kept(layout, words),
                **options,
            )
    except pd.errors.ParserWarning:
        raise ValueError(f"{title} cannot be parsed: its rows have more cells than its header; mend it") from None
    except pd.errors.ParserError as error:
        reason = str(error).strip().splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise ValueError(f"{title} cannot be parsed: {reason}; mend it") from None
    notes = []
    if layout.header is None:
        said = "as header=False says" if header is False else "its first row looks like the others"
        notes.append(f"the file has no header, {said}; its columns are named 0 to {frame.shape[1] - 1}")
    if layout.separator != usual:
        notes.append(f"cells are separated by {_SPELLED.get(layout.separator, repr(layout.separator))}")
    if layout.decimal == COMMA:
        notes.append("numbers have a decimal comma")
    # Rows are lines if no cell spans several lines and no line is blank.
    above = text.count("\n") - content.count("\n") + (layout.header is not None)
    rows_are_lines = text.rstrip("\r\n").count("\n") + 1 - above == len(frame)
    first_line = above + 1 if rows_are_lines else None
    return _checked(frame, title, first_line)._replace(decimal=layout.decimal, from_text=True, notes=tuple(notes))


def _kept(layout: Layout, words: Collection[str]) -> dict[Any, type]:
    """Return the type str for columns whose cells are kept as they are written: digits after a 0, and `words`."""
    if layout.header is None:
        return dict.fromkeys(layout.codes, str) | {int(word): str for word in words if word.isdecimal()}
    return {layout.header[i]: str for i in layout.codes} | dict.fromkeys(words, str)


def _decode(path: Path) -> str:
    title = f"file {str(path)!r}"
    try:
        check_memory(title, _MEMORY * path.stat().st_size, _LESS)
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as file:
                content = file.read(memory_bytes() // (2 * _MEMORY) + 1)
                check_memory(title, _MEMORY * len(content), _LESS)
        else:
            content = path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        refuse_unreadable(path, error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{title} is not UTF-8 in line {line} ({error.reason}); save it as UTF-8") from None


def _checked(frame: pd.DataFrame, title: str, first_line: int | None) -> Table:
    names = [str(name).strip() for name in frame.columns]
    _check_unique(names, title)
    if len(frame) < 2:
        raise ValueError(f"{title} has {'a single row' if len(frame) else 'no rows'}; give one row an example")
    return Table(frame.set_axis(names, axis=1).reset_index(drop=True), title, first_line)


def _check_unique(names: list[str], title: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{title} has the column {name!r} twice; rename or drop one")
        seen.add(name)
