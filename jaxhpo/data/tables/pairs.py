"""Features and targets that come apart, `(x, y)`, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # imported where it is used, because the import is slow
    import pandas as pd


def join(x: pd.DataFrame, y: Any) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of the features and the targets, row by row in their order, and the targets' columns.

    Args:
        x: Features, a row an example.
        y: Labels or targets: [N] or [N, K], as a Series, a DataFrame or anything that `numpy.asarray` takes.

    Raises:
        ValueError: if there is not one target an example, or the rows' index pairs them otherwise than their order.
    """
    import pandas as pd

    if isinstance(y, pd.Series | pd.DataFrame):
        known = y.index.is_unique and x.index.is_unique and not y.index.equals(x.index)
        if known and len(y) == len(x) and y.index.isin(x.index).all():
            raise ValueError(
                "x and y have the same rows in another order, by their index; give y.loc[x.index], or y.to_numpy() if "
                "they belong together as they stand"
            )
        targets = y.to_frame() if isinstance(y, pd.Series) else y
    else:
        try:
            flat = isinstance(y, list | tuple) and not any(isinstance(item, list | tuple | np.ndarray) for item in y)
            # NumPy would make texts of numbers that stand beside texts.
            array = pd.Series(list(y)) if flat else y if isinstance(y, pd.Categorical) else np.asarray(y)
            targets = pd.DataFrame(array if array.ndim <= 2 else array.reshape(len(array), -1))
        except ValueError as error:  # ragged lists, a number
            raise ValueError(f"y of type {type(y).__name__} is no column of labels or targets; give [N]") from error
    if len(targets) != len(x):
        raise ValueError(f"x has {len(x)} examples and y {len(targets)}; give one label or target an example")
    taken, names = [str(name) for name in x.columns], []
    for k in range(targets.shape[1]):
        name = str(targets.columns[k]) if isinstance(targets.columns[k], str) else "y" if k == 0 else f"y_{k}"
        while name in taken:
            name += "_"
        taken.append(name)
        names.append(name)
    columns = targets.set_axis(names, axis=1).set_axis(x.index)
    return pd.concat([x.set_axis(taken[: x.shape[1]], axis=1), columns], axis=1), names
