"""Trained networks.

- `model.py`: `Model`, one network or several that answer together: predictions
- `network.py`: one network, and what it computes
- `quantiles.py`: quantiles of the numbers in the training examples, by which networks may represent them
- `data_spec.py`: the part of a data set that a model keeps, to read new examples as it read the training examples
- `saving.py`: how saved models are loaded, and several saved together
- `files.py`: the files of a saved model, and their checksums
"""
