"""Trained networks.

- `model.py`: `Model`: predictions, saving and loading
- `data_spec.py`: the part of a data set that a model keeps, to read new examples as it read the training examples
"""
