"""What a study has understood of its data and will do, in words, before it begins."""

from collections import Counter

import numpy as np

from jaxhpo.data import Dataset
from jaxhpo.space import Space

_NAMED = 4
"""Classes of which each is named with its share; of more, the smallest and the largest share are said."""
_NAME_WIDTH = 20


def training_lines(data: Dataset, network: str, length: str, search: str, folds: int = 1) -> list[str]:
    """Return what a study of trainings begins with: the data, the network and the search, and the data's notes.

    Args:
        data: The examples.
        network: The model's name.
        length: How long a trial trains.
        search: What `search_words` returns.
        folds: Folds of the training and validation examples; 1 for none.
    """
    sizes = f"{len(data.y_train):,} train, {len(data.y_valid):,} validation"
    if folds > 1:
        sizes = f"{len(data.y_train) + len(data.y_valid):,} examples in {folds} folds"
    return [
        f"{data.name}: {_examples(data)}, {_targets(data, folds)}; {sizes}, {len(data.y_test):,} test",
        f"{network}, trained {length}; {search}",
        *data.notes,
    ]


def function_lines(name: str, called: str, budget: int | None, search: str) -> list[str]:
    """Return what a study of a function begins with: the function, how it is called, and the search.

    Args:
        name: The function's.
        called: How it is called.
        budget: The largest that it is given; None where it takes none.
        search: What `search_words` returns.
    """
    given = "" if budget is None else f", with budgets up to {budget:,}"
    return [f"{name}: {called}{given}", search]


def search_words(
    space: Space, trials: int, lanes: int, timeout: float | None, *, folds: int = 1, repeats: int = 1
) -> str:
    """Return how much is searched: hyperparameters, trials, what a trial is, and how many run at a time."""
    constants = sum(len(dimension.level_values) == 1 for dimension in space.values())
    searched = _count(len(space) - constants, "hyperparameter")
    searched += f" and {_count(constants, 'constant')}" if constants else ""
    limit = "" if timeout is None else f", in at most {timeout:g} s"
    each = f" of {folds} folds" if folds > 1 else f" of {repeats} trainings" if repeats > 1 else ""
    return f"{searched}; {_count(trials, 'trial')}{each}, {lanes:,} at a time{limit}"


def _examples(data: Dataset) -> str:
    total = len(data.y_train) + len(data.y_valid) + len(data.y_test)
    size = "x".join(map(str, data.shape))
    if data.kind == "vector":
        numbers = _count(data.shape[0], "number")
        kinds = Counter(column.kind for column in data.columns or ())
        if set(kinds) <= {"number"}:
            return f"{total:,} rows of {numbers}"
        columns = ", ".join(_count(count, kind) for kind, count in sorted(kinds.items(), reverse=True))
        return f"{total:,} rows of {_count(kinds.total(), 'column')} ({columns}) as {numbers}"
    if data.kind == "text":
        return f"{total:,} texts of up to {_count(data.shape[0], 'token')}, vocabulary {data.vocabulary:,}"
    return f"{total:,} {data.kind}s {size}"


def _targets(data: Dataset, folds: int) -> str:
    if data.classes is None:
        trained = [data.y_train, data.y_valid] if folds > 1 else [data.y_train]
        y = np.concatenate(trained).astype(np.float64)  # the test examples' targets are not looked at
        if y.ndim == 2 and y.shape[1] > 1:
            return f"{y.shape[1]:,} targets from {y.min():,.4g} to {y.max():,.4g}"
        return f"target from {y.min():,.4g} to {y.max():,.4g} with mean {y.mean():,.4g}, deviation {y.std():,.4g}"
    counts = np.bincount(np.concatenate([data.y_train, data.y_valid, data.y_test]), minlength=data.classes)
    shares = counts / counts.sum()
    names = data.class_names
    if names is not None and data.classes <= _NAMED and max(len(str(name)) for name in names) <= _NAME_WIDTH:
        return f"{data.classes} classes ({', '.join(f'{n} {s:.1%}' for n, s in zip(names, shares, strict=True))})"
    return f"{data.classes:,} classes ({shares.min():.1%} to {shares.max():.1%})"


def _count(number: int, what: str) -> str:
    more = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number:,} {what if number == 1 else more}"
