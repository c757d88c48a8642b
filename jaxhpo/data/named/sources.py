"""The TFDS data sets that jaxhpo knows by name: their contents, and their conversion to a Dataset."""

import os

import numpy as np

from jaxhpo.data.dataset import Dataset
from jaxhpo.data.named import reader
from jaxhpo.data.named.reader import Source
from jaxhpo.data.splits import hold_out
from jaxhpo.data.text import TextOptions, tokenise

_SPLIT = 0  # seed of the validation split; fixed, so that studies with different seeds can be compared
_IMDB = "50,000 reviews of films, positive or negative"

SOURCES = {
    source.name: source
    for source in (
        # LeCun, Cortes & Burges 1998 (CC BY-SA 3.0); Krizhevsky 2009; Maas et al. 2011
        Source(
            "mnist", "mnist", "image", {"train": 60_000, "test": 10_000}, 10, 5000, "70,000 images, 28x28, 10 classes"
        ),
        Source(
            "cifar10",
            "cifar10",
            "image",
            {"train": 50_000, "test": 10_000},
            10,
            5000,
            "60,000 images, 32x32, 10 classes",
        ),
        Source("imdb", "imdb_reviews/plain_text", "text", {"train": 25_000, "test": 25_000}, 2, 5000, _IMDB),
    )
}
"""The sources by name."""


def load_named(name: str, data_dir: str | os.PathLike | None = None, text: TextOptions | None = None) -> Dataset:
    """Return one of `SOURCES`: the official test split, and a stratified part of the training split for validation.

    Images stay uint8. The vocabulary of texts is fitted on the training examples only.

    Args:
        name: Name of the data set.
        data_dir: Directory of the data sets in the `array_record` format; None takes the environment variable
            `TFDS_DATA_DIR`.
        text: How texts become tokens; None is `TextOptions()`.

    Raises:
        ValueError: if the directory is invalid; the message names it, what is wrong, and the command that prepares it.
    """
    source = SOURCES[name]
    arrays = reader.read(source, data_dir)
    y = np.asarray(arrays["y_train"])
    train, valid = hold_out(y, source.valid, _SPLIT)
    if source.feature == "image":
        x, x_test = arrays["x_train"], arrays["x_test"]
        examples = x[train], y[train], x[valid], y[valid], x_test, arrays["y_test"]
        return Dataset(name, *examples, source.classes, split="fixed")
    texts = {split: np.array(reader.texts(arrays, split), dtype=object) for split in ("train", "test")}
    parts = (texts["train"][train], texts["train"][valid], texts["test"])
    rows, words = tokenise(*parts, options=text)
    labels = (y[train], y[valid], arrays["y_test"])
    examples = [array for pair in zip(rows, labels, strict=True) for array in pair]
    return Dataset(name, *examples, classes=source.classes, vocabulary=len(words), words=words, split="fixed")
