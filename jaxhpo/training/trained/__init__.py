"""Trained networks.

- `model.py`: `Model`: predictions, saving and loading
- `data_spec.py`: what a model keeps of its data, so that new examples are read the same way
"""
