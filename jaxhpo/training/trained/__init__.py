"""Trained networks.

- `model.py`: `Model`: predictions
- `data_spec.py`: the part of a data set that a model keeps, to read new examples as it read the training examples
- `saving.py`: how saved models are loaded
- `files.py`: the files of a saved model, and their checksums
"""
