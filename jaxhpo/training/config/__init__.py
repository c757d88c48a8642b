"""The hyperparameters of training, and the spaces of them.

- `hyperparameters.py`: every hyperparameter: name, aliases, limits, default
- `default_spaces.py`: the spaces that are searched by default
- `ranges.py`: checks of a space, the requirements of its programs, and the decoding of a point for a lane
"""
