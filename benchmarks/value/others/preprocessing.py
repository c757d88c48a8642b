"""What turns examples into numbers, for every method but jaxhpo's own, as an experienced person would write it.

Fitted on the training examples that are given, and on nothing else:

- tables: numbers are standardised, with the median where they are missing and a column that says so; dates are days;
  categories are one-hot, rare ones together
- images: standardised by the mean and deviation of all pixels, [N, H, W, C]
- texts: rows of tokens, 0 is padding and 1 an unknown word
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Encoder = Callable[[Any], np.ndarray]

MOST_CATEGORIES = 100  # a column's; the rarer ones share a feature
MOST_WORDS, MOST_TOKENS = 20_000, 200
PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


def encoder(kind: str, x: Any) -> Encoder:
    """Return what encodes examples as these are: float32, of texts int32 tokens."""
    return {"table": of_tables, "image": of_images, "text": of_texts}[kind](x)


def of_tables(frame: pd.DataFrame) -> Encoder:
    """Return what encodes rows of such a table: [N, F] float32."""
    plain = _plain(frame)
    numbers = plain.select_dtypes("number").columns.tolist()
    words = [column for column in plain.columns if column not in numbers]
    standard = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(
        max_categories=MOST_CATEGORIES, handle_unknown="infrequent_if_exist", sparse_output=False, dtype=np.float32
    )
    columns = ColumnTransformer([("numbers", standard, numbers), ("words", one_hot, words)]).fit(plain)
    return lambda other: np.asarray(columns.transform(_plain(other)), np.float32)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of float64 numbers and words: bools are numbers, dates days, a missing category a word."""
    made = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            days = (column - pd.Timestamp(0, tz=column.dt.tz)) / pd.Timedelta(days=1)
            made[str(name)] = days.to_numpy(np.float64, na_value=np.nan)
        elif pd.api.types.is_numeric_dtype(column):
            made[str(name)] = column.to_numpy(np.float64, na_value=np.nan)
        else:
            made[str(name)] = np.where(column.isna(), "missing", column.astype(str)).astype(object)
    return pd.DataFrame(made)


def of_images(x: np.ndarray) -> Encoder:
    """Return what encodes such images: [N, H, W, C] float32."""
    mean, deviation = float(np.mean(x, dtype=np.float64)), float(np.std(x, dtype=np.float64)) or 1.0

    def encode(other: np.ndarray) -> np.ndarray:
        scaled = (other.astype(np.float32) - np.float32(mean)) / np.float32(deviation)
        return scaled[..., None] if scaled.ndim == 3 else scaled

    return encode


def words_of(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return _WORD.findall(text.lower())


def of_texts(texts: Sequence[str]) -> Encoder:
    """Return what encodes texts by the words of these: [N, T] int32, T the longest one's, 200 at most."""
    counts: Counter[str] = Counter()
    longest = 1
    for text in texts:
        words = words_of(text)[:MOST_TOKENS]  # what nothing is trained on has no token of its own
        counts.update(words)
        longest = max(longest, len(words))
    known = {word: i for i, (word, _) in enumerate(counts.most_common(MOST_WORDS), UNKNOWN + 1)}

    def encode(others: Sequence[str]) -> np.ndarray:
        tokens = np.full((len(others), longest), PADDING, np.int32)
        for row, text in zip(tokens, others, strict=True):
            found = [known.get(word, UNKNOWN) for word in words_of(text)[:longest]]
            row[: len(found)] = found
        return tokens

    return encode


def rows_of(x: Any, rows: np.ndarray) -> Any:
    """Return some of the examples, in the form in which all are given."""
    if isinstance(x, pd.DataFrame):
        return x.iloc[rows]
    return x[rows] if isinstance(x, np.ndarray) else [x[i] for i in rows]


def hold_out(y: np.ndarray, seed: int, *, stratified: bool, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows held out, with the classes in proportion where `stratified`.

    A class of a single example counts as one of the largest class. Where classes outnumber what is held out, the rows
    are drawn without regard to them.
    """
    strata = None
    if stratified:
        _, codes = np.unique(y, return_inverse=True)
        counts = np.bincount(codes)
        merged = np.where(counts[codes] < 2, counts.argmax(), codes)
        if len(np.unique(merged)) <= int(share * len(y)):
            strata = merged
    train, held = train_test_split(np.arange(len(y)), test_size=share, stratify=strata, random_state=seed)
    return np.asarray(train), np.asarray(held)
