"""Data sets that jaxhpo knows by name.

- `sources.py`: MNIST, CIFAR-10 and IMDB: their contents, and their conversion to a Dataset
- `digits.py`: the handwritten digits that scikit-learn ships
- `preparation.py`: downloads and prepares a data set as TFDS does
- `archives.py`: the original archives, read without TensorFlow
- `reader.py`: reads prepared data sets
- `store.py`: decoded arrays, kept in the cache directory
"""
