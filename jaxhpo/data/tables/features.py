"""A table's columns as features: which are used, what becomes of them, and sentences that tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from jaxhpo.data.checks import check_resolved
from jaxhpo.data.tables.cells import ORDERS, counted, shown
from jaxhpo.data.tables.kinds import Reading, read_column
from jaxhpo.data.tables.plan import Column, fit_column
from jaxhpo.data.tables.readers import Table

_USED = ("number", "date", "category")
_SHOWN = 8  # columns that a sentence names
_PROBLEMS = 10  # that a message names


def choose_features(
    table: Table, targets: Sequence[str], said: Mapping[str, str], wrong: Sequence[str]
) -> tuple[dict[str, Reading], tuple[str, ...]]:
    """Return how the columns are read that are used, and sentences that tell how, and which are left out.

    There is either a single text, or numbers, dates and categories.

    Args:
        table: The table.
        targets: Names of the target columns.
        said: What a user says of columns, of `kinds.KINDS`.
        wrong: What is wrong with the target columns.

    Raises:
        ValueError: if columns are invalid, or none is left; the message names all.
    """
    names = [name for name in table.frame.columns if name not in targets]
    readings = {name: read_column(table, name, said.get(name)) for name in names}
    problems = list(wrong)
    problems += [reading.problem for reading in readings.values() if reading.problem]
    reasons = {name: _reason(reading) for name, reading in readings.items()}
    used = {name: readings[name] for name in names if not reasons[name] and readings[name].kind in _USED}
    texts = [name for name in names if readings[name].kind == "text"]
    notes = []
    if not used and not texts:  # numbers that count the rows are better than nothing
        counting = [name for name in names if readings[name].kind == "identifier" and readings[name].words is None]
        used = {name: replace(readings[name], kind="number") for name in counting}
        reasons |= dict.fromkeys(counting, "")
        notes += [f"column {name!r} counts the rows, and is used because no other column is left" for name in counting]
    for name in texts:
        if used or len(texts) > 1:
            reasons[name] = "texts, which are learned from only where no other column is left"
        if reasons[name] and said.get(name) == "text":
            problems.append(f"column {name!r} is said to be text, but other columns are left; leave them out: drop=")
    for name, reading in used.items():
        if reading.kind == "number" and not problems and reading.values is not None:
            try:
                check_resolved(f"column {name!r}", reading.values[~np.isnan(reading.values)])
            except ValueError as error:
                problems.append(str(error))
    if problems:
        many = f" {len(problems)} columns are wrong:" if len(problems) > 1 else ""
        more = f"; and {len(problems) - _PROBLEMS} more" if len(problems) > _PROBLEMS else ""
        raise ValueError(f"{table.title}:{many} {'; '.join(problems[:_PROBLEMS])}{more}")
    left_out = tuple(_left_out(reasons))
    if not used and (len(texts) != 1 or reasons[texts[0]]):
        why = f": {'; '.join(left_out)}" if left_out else ""
        remedy = "say what a column is, such as columns={'NAME': 'category'}, or 'text' for one"
        raise ValueError(f"{table.title} has no column left to learn from{why}; {remedy}")
    return used or {texts[0]: readings[texts[0]]}, (*notes, *_understood(used), *left_out)


def encode(
    title: str, features: Mapping[str, Reading], parts: Sequence[np.ndarray], *, pooled: bool = False
) -> tuple[list[np.ndarray], tuple[Column, ...], tuple[str, ...]]:
    """Return the features of each part, [N, F] float32; what becomes of the columns, and sentences that tell it.

    Args:
        title: What the table is called in messages.
        features: How each column is read that is used.
        parts: Row numbers of training, validation and test examples.
        pooled: Whether columns are fitted to training and validation rows, and not to the training rows alone.

    Raises:
        ValueError: if every column has the same value in all rows that they are fitted to.
    """
    rows, of = (np.concatenate(parts[:2]), "training and validation") if pooled else (parts[0], "training")
    fitted = {name: fit_column(name, reading, rows) for name, reading in features.items()}
    plan = [column for column in fitted.values() if column.features]
    constant = [name for name, column in fitted.items() if not column.features]
    if not plan:
        what = f"{_columns(constant, 'has', 'have')} the same value in every {of} row"
        raise ValueError(f"{title}: {what}, and no other column is left; give columns that differ")
    blocks = [column.encode(features[column.name].values, features[column.name].words) for column in plan]
    x = [np.concatenate([block[part] for block in blocks], 1) for part in parts]
    notes = []
    if constant:
        notes.append(f"{_columns(constant)} left out: the same value in every {of} row")
    numbers = [column.name for column in plan if column.missing and column.kind != "category"]
    words = [column.name for column in plan if column.missing and column.kind == "category"]
    if numbers:
        notes.append(f"{_columns(numbers)} filled by the {of} median where cells are missing, which a feature marks")
    if words:
        notes.append(f"{_columns(words, 'has', 'have')} a feature for missing cells")
    for column in plan:
        if column.others:
            found = len({features[column.name].words[row] for row in rows} - {None})  # pyright: ignore
            kept = f"of its {found} words in {of} the {len(column.categories)} most frequent have a feature each"
            notes.append(f"column {column.name!r}: {kept}, the others share one")
    return x, tuple(plan), tuple(notes)


def _reason(reading: Reading) -> str:
    """Return why a column is left out, or ""."""
    if reading.kind == "empty":
        return "no cell has a value"
    if reading.kind == "identifier":
        return "identifiers, which differ in every row"
    same = "the same value in every row"
    if reading.values is not None:
        return same if reading.kind in _USED and (reading.values == reading.values[0]).all() else ""
    words = [word for word in reading.words or () if word is not None]
    if reading.kind == "many":
        return f"{len(set(words)):,} different words in {len(words):,} rows"
    constant = len(words) == len(reading.words or ()) and len(set(words)) == 1
    return same if reading.kind in _USED and constant else ""


def _left_out(reasons: Mapping[str, str]) -> Iterable[str]:
    """Yield a sentence for each reason, with the columns that are left out."""
    names = defaultdict(list)
    for name, reason in reasons.items():
        if reason:
            names[reason].append(name)
    for reason, columns in names.items():
        yield f"{_columns(columns)} left out: {reason}"


def _understood(used: Mapping[str, Reading]) -> Iterable[str]:
    """Yield sentences that tell how cells were read, where it is more than numbers and words."""
    codes = [name for name, reading in used.items() if reading.codes]
    for order in (None, *ORDERS):
        dates = [name for name, reading in used.items() if reading.kind == "date" and reading.order == order]
        if dates:
            how = f", {order}" if order in ("day first", "month first") else ""
            yield f"{_columns(dates)} taken as dates{how}: year, month, weekday, and days since the first"
    if codes:
        yield f"{_columns(codes)} taken as categories: digits begin with 0"
    for name, reading in used.items():
        if reading.dressed:
            word, number = reading.dressed
            yield f"column {name!r} is taken as numbers: {word!r} is {number:g}"
        if reading.infinite:
            yield f"column {name!r} holds {counted(reading.infinite, 'number')} beyond float32, taken as missing"
        if reading.mixed:
            yield f"column {name!r} is taken as categories: it holds {shown(reading.mixed)} among numbers"
        if reading.marks:
            yield f"column {name!r} holds {', '.join(map(shown, reading.marks[:3]))}, taken as missing"


def _columns(names: Sequence[str], one: str = "is", more: str = "are") -> str:
    """Return columns with a verb: "column 'a' is", "columns 'a', 'b' are"."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    if len(names) == 1:
        return f"column {shown} {one}"
    return f"columns {shown}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''} {more}"
