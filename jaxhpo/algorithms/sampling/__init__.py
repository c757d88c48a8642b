"""Search methods that do not use scores.

- `random_search.py`, `grid_search.py`, `sobol.py`: the algorithms
- `grid_counter.py`: the combinations of a grid in which not all are configurations
"""
