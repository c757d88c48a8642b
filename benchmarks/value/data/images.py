"""The images: of scikit-learn, of the package `animal_mnist`, and prepared by TensorFlow Datasets."""

import gzip
import pickle

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.value.data.packaged import folder
from jaxhpo.data.named import reader
from jaxhpo.data.named.sources import SOURCES
from jaxhpo.data.splits import subset

SEED = 0  # of the part that is taken of a large data set

Examples = tuple[np.ndarray, np.ndarray]
"""uint8 [N, H, W] or [N, H, W, C], and int labels [N]."""


def digits() -> Examples:
    """Return scikit-learn's 1,797 digits of 8 x 8 pixels, in 0 .. 16."""
    x, y = map(np.asarray, load_digits(return_X_y=True))
    return x.reshape(-1, 8, 8).astype(np.uint8), y.astype(np.int64)


def animals() -> Examples:
    """Return the outlines of ten kinds of animals, 28 x 28; an outline that is there twice is kept once."""
    here = folder("animal_mnist", "the data set 'animals'") / "data" / "Animal_MNIST"
    x, y = (
        # What the package itself unpickles; importing it would need TensorFlow.
        np.asarray(pickle.loads(gzip.decompress((here / f"animal_{part}_version_3.gz").read_bytes())))
        for part in ("data", "label")
    )
    _, first = np.unique(x.reshape(len(x), -1), axis=0, return_index=True)
    rows = np.sort(first)
    return x[rows], y[rows].astype(np.int64)


def prepared(name: str, size: int) -> Examples:
    """Return a part of the training examples of MNIST or CIFAR-10, which lie in the directory `TFDS_DATA_DIR`."""
    arrays = reader.read(SOURCES[name], None)
    y = np.asarray(arrays["y_train"], dtype=np.int64)
    rows = np.sort(subset(y, size, SEED))
    return np.asarray(arrays["x_train"])[rows], y[rows]
