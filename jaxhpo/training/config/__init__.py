"""What a space may hold for training, and what it asks for.

- `hyperparameters.py`: every hyperparameter: name, aliases, limits, default value
- `default_spaces.py`: default ranges: the spaces that are searched if the user names none
- `space_reader.py`: a space checked, and what its programs must hold (`Ranges`)
- `hyper_reader.py`: the hyperparameters of lanes, decoded from their points
"""
