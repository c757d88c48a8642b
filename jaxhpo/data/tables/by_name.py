"""A table's features by their names alone: for models of earlier releases, and features that a user named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd


def features_of(frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Return a table's features, [N, F] float32, by names such as "size" and "colour=red"; other columns are ignored.

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
        found[:, i] = [value == name[places[0] + 1 :] for value in map(str, column.tolist())]
    return found
