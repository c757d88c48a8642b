"""Search methods that do not use scores: random search, grid search, Sobol."""
