"""What a space may hold for training, and what it asks for.

- `hyperparameters.py`: every hyperparameter: name, aliases, limits, default
- `default_spaces.py`: the spaces that are searched where the user names none
- `ranges.py`: a space checked, what its programs must hold, and a point of it decoded for a lane
"""
