"""Columns of a table as features: numbers unchanged, categories one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxhpo.data.checks import check_resolved
from jaxhpo.data.tables.readers import Table

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd

_FEW = 50  # number of different texts up to which a column is always categorical
_MOST = 1000  # largest number of categories of a column


def check_complete(table: Table) -> None:
    """Raise ValueError if a cell is missing or infinite."""
    for name in table.frame.columns:
        column = table.column(name)
        gaps = np.asarray(column.isna())
        if gaps.any():
            place = table.place(int(gaps.argmax()))
            raise ValueError(f"{table.title}: column {name!r} has no value first in {place}; fill or drop such rows")
        if not is_number(table, name):
            continue
        values = column.to_numpy(np.float64)
        # The network computes in float32, so larger values count as infinite.
        beyond = np.abs(values) > np.finfo(np.float32).max
        if beyond.any():
            row = int(beyond.argmax())
            problem = f"column {name!r} holds {values[row]} first in {table.place(row)}"
            raise ValueError(f"{table.title}: {problem}, beyond float32; fill, scale or drop such rows")


def is_number(table: Table, name: str) -> bool:
    """Return whether a column holds numbers or bools, and not texts or categories; raise ValueError for others."""
    import pandas as pd

    column = table.column(name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("boolean", "integer", "floating", "mixed-integer-float", "decimal"):
        return True
    if kind == "string":
        return False
    remedy = f"make it numbers or texts, or leave it out: drop=[{name!r}]"
    raise ValueError(f"{table.title}: column {name!r} holds {kind} values ({column.dtype}); {remedy}")


def strings(column: pd.Series) -> list[str]:
    """Return a column of texts or categories as strings."""
    return [str(value) for value in column.tolist()]


def check_features(table: Table, names: list[str]) -> None:
    """Raise ValueError if a column is constant, or holds texts among numbers."""
    import pandas as pd

    for name in names:
        column = table.column(name)
        if column.nunique() == 1:
            same = f"{table.title}: column {name!r} is {column.tolist()[0]!r} in every row"
            raise ValueError(f"{same}, which tells no example from another; leave it out: drop=[{name!r}]")
        if is_number(table, name):
            check_resolved(f"{table.title}: column {name!r}", column.to_numpy(np.float64))
            continue
        if isinstance(column.dtype, pd.CategoricalDtype):
            continue
        wrong = np.isnan(np.asarray(pd.to_numeric(column, errors="coerce"), np.float64))
        if 0 < wrong.sum() < len(wrong) / 2:
            row = int(wrong.argmax())
            found = f"column {name!r} holds {column.tolist()[row]!r} first in {table.place(row)}, among numbers"
            raise ValueError(f"{table.title}: {found}; mend or drop such rows")


def encode(table: Table, names: list[str], parts: list[np.ndarray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the features of each part, [N, F] float32, and their names.

    Args:
        table: Table without missing cells.
        names: Feature columns.
        parts: Row numbers of each part, the training examples first. Categories are those of the training examples; any
            other category is encoded as zeros.

    Raises:
        ValueError: if a column of texts has too many different texts for categories.
    """
    from sklearn.preprocessing import OneHotEncoder  # more than a second to import

    blocks: list[list[np.ndarray]] = [[] for _ in parts]
    features: list[str] = []
    for name in names:
        column = table.column(name)
        if is_number(table, name):
            values = column.to_numpy(np.float64).astype(np.float32)[:, None]
            features.append(name)
            encoded = [values[rows] for rows in parts]
        else:
            cells = np.array(strings(column), dtype=object)[:, None]
            _check_few(table, name, cells[parts[0], 0])
            encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
            encoder.fit(cells[parts[0]])
            features += [f"{name}={category}" for category in encoder.categories_[0]]
            encoded = [np.asarray(encoder.transform(cells[rows])) for rows in parts]
        for block, part in zip(blocks, encoded, strict=True):
            block.append(part)
    return [np.concatenate(block, 1) for block in blocks], tuple(features)


def _check_few(table: Table, name: str, cells: np.ndarray) -> None:
    found, rows = len(set(cells.tolist())), len(cells)
    if found > _MOST or (found > _FEW and found > rows / 2):
        many = f"column {name!r} holds {found} different texts in {rows} training rows"
        raise ValueError(f"{table.title}: {many}, too many for categories; leave it out: drop=[{name!r}]")


def features_of(frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return a table's features, [N, F] float32, by the names that `encode` gave them; other columns are ignored.

    Raises ValueError if a column is missing, or holds a text where the training table had numbers.
    """
    import pandas as pd

    columns = {str(name): frame[name] for name in frame.columns}
    found = np.empty((len(frame), len(names)), np.float32)
    for i, name in enumerate(names):
        if name in columns:
            values = np.asarray(pd.to_numeric(columns[name], errors="coerce"), np.float64)
            if not np.isfinite(values).all():
                row = int(np.argmin(np.isfinite(values)))
                raise ValueError(f"x column {name!r} holds {columns[name].iloc[row]!r} in row {row}, not a number")
            found[:, i] = values
            continue
        # Both the name of a category and that of a column may contain "=".
        places = [k for k, letter in enumerate(name) if letter == "=" and name[:k] in columns]
        if not places:
            raise ValueError(f"x lacks the column {name.partition('=')[0]!r}; it has {', '.join(columns)}")
        column = columns[name[: places[0]]]
        gaps = np.asarray(column.isna())
        if gaps.any():
            raise ValueError(
                f"x column {column.name!r} has no value in row {int(gaps.argmax())}; fill or drop such rows"
            )
        found[:, i] = [value == name[places[0] + 1 :] for value in strings(column)]
    return found
